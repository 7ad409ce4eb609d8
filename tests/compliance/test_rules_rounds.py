"""A failure is not swallowed by what came after it, however records fall into batches."""

import pytest

from services.compliance.news import FactNews, news
from services.compliance.rules_rounds import MOST, rounds
from tests.compliance.stories import booted, failed, listed, reported


def _facts(*events: object) -> list[FactNews]:
    told = [news(event) for event in events]  # type: ignore[arg-type]  # stories are envelopes
    assert all(isinstance(each, FactNews) for each in told)
    return told  # type: ignore[return-value]  # just asserted


@pytest.mark.parametrize(
    ("events", "sizes"),
    [
        ([], [0]),
        ([listed(0), reported(1)], [2]),
        ([listed(0), failed(1)], [2]),
        ([failed(1), reported(2)], [1, 1]),
        ([failed(1), failed(2), failed(3)], [3]),
        ([failed(1), failed(2), reported(3), failed(4), booted(5)], [2, 2, 1]),
        ([failed(1), listed(2), reported(3)], [2, 1]),
    ],
    ids=[
        "nothing",
        "no failure",
        "a failure at the end",
        "then a success",
        "failures in a row",
        "twice in turns",
        "a listing ends none",
    ],
)
def test_a_round_ends_where_a_failure_may_end(events: list[object], sizes: list[int]) -> None:
    assert [len(each) for each in rounds(_facts(*events))] == sizes


def test_a_device_that_fails_all_day_costs_few_rounds_and_no_fact_is_left_out() -> None:
    in_turns = [event for hour in range(500) for event in (failed(hour), reported(hour + 0.5))]

    found = rounds(_facts(*in_turns))

    assert len(found) == MOST
    assert [fact for each in found for fact in each] == _facts(*in_turns)


def test_one_device_in_turns_does_not_hold_up_another() -> None:
    other = failed(9)._replace(subject="dc02")
    other = other._replace(data=other.data.model_copy(update={"device": "dc02"}))

    found = rounds(_facts(failed(1), reported(2), other))

    assert [len(each) for each in found] == [2, 1]

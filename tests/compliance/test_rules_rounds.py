"""A failure is not swallowed by what came after it, however records fall into batches."""

import pytest

from services.compliance.news import FactNews, news
from services.compliance.rules_rounds import rounds
from tests.compliance.stories import failed, listed, reported


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
        ([failed(1), failed(2), reported(3)], [1, 1, 1]),
        ([failed(1), listed(2), reported(3)], [1, 2]),
    ],
    ids=["nothing", "no failure", "a failure at the end", "then a success", "twice", "then two words"],
)
def test_a_round_ends_with_a_failure(events: list[object], sizes: list[int]) -> None:
    assert [len(each) for each in rounds(_facts(*events))] == sizes

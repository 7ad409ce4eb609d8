"""What a case owes, and how it is counted whether it was kept."""

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.credential import Decision, Promise
from services.credentials.guard import rules_levels
from services.credentials.guard.policy import Levels
from services.credentials.guard.rules_levels import Kept
from tests.builders import MINUTE, NOON

ALL = set(Promise)
TOLD = {Promise.TICKET, Promise.NOTICE}


@pytest.mark.parametrize(
    ("decision", "dry_run", "foreign", "expected"),
    [
        pytest.param(Decision.RESET, False, False, ALL, id="a reset owes everything"),
        pytest.param(Decision.ASK, False, False, ALL, id="waiting for people is on the clock too"),
        pytest.param(Decision.NOTIFY, False, False, TOLD, id="nothing is reset: people are told"),
        pytest.param(Decision.REFUSE, False, False, TOLD, id="a protected account: people are told"),
        pytest.param(Decision.REMEDIATED, False, False, set(), id="already changed"),
        pytest.param(Decision.RESET, True, False, set(), id="a dry run owes nothing"),
        pytest.param(Decision.NOTIFY, False, True, {Promise.TICKET}, id="foreign: the MSP's ticket alone"),
    ],
)
def test_what_is_owed_follows_from_the_decision(
    decision: Decision,
    dry_run: bool,  # noqa: FBT001 - a table
    foreign: bool,  # noqa: FBT001 - a table
    expected: set[Promise],
) -> None:
    assert rules_levels.owed(decision, dry_run=dry_run, foreign=foreign) == expected


@pytest.mark.parametrize(
    ("promise", "minutes"),
    [(Promise.TICKET, 5), (Promise.RESET, 30), (Promise.NOTICE, 45), (Promise.VERIFIED, 90)],
    ids=str,
)
def test_a_promise_is_due_so_many_minutes_after_the_alert(promise: Promise, minutes: int) -> None:
    levels = Levels(ticket=5, reset=30, notice=45, verified=90)

    assert rules_levels.due_at(promise, levels, NOON) == NOON + minutes * MINUTE


def kept(minutes: float | None, *, due: int = 60, waived: bool = False) -> Kept:
    at = None if minutes is None else NOON + minutes * MINUTE
    return Kept(promise=Promise.RESET, began_at=NOON, due_at=NOON + due * MINUTE, kept_at=at, waived=waived)


def test_the_report_counts_what_was_in_time_late_missing_and_still_running() -> None:
    several = [kept(10), kept(60), kept(61), kept(None), kept(None, due=600), kept(None, waived=True)]

    attainment = rules_levels.attainments(several, now=NOON + 120 * MINUTE)[1]

    assert attainment.promise is Promise.RESET
    assert (attainment.owed, attainment.in_time, attainment.late) == (5, 2, 1)
    assert (attainment.missing, attainment.running, attainment.waived) == (1, 1, 1)
    assert attainment.percent == 50.0
    assert (attainment.p50_seconds, attainment.p90_seconds, attainment.worst_seconds) == (3600, 3660, 3660)


def test_nothing_that_is_settled_is_no_percentage() -> None:
    for attainment in rules_levels.attainments([kept(None)], now=NOON):
        assert attainment.percent is None
        assert attainment.worst_seconds is None


def test_one_of_two_thousand_that_is_late_is_not_a_hundred_percent() -> None:
    attainment = rules_levels.attainments([*[kept(1)] * 1999, kept(61)], now=NOON + 120 * MINUTE)[1]

    assert attainment.percent == 99.9


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([], 0.5, None, id="none"),
        pytest.param([7], 0.9, 7, id="one"),
        pytest.param([1, 2, 3, 4], 0.5, 2, id="the half of four"),
        pytest.param(list(range(1, 11)), 0.9, 9, id="the ninth of ten"),
    ],
)
def test_a_percentile_is_a_value_that_was_really_there(
    values: list[float], share: float, expected: float | None
) -> None:
    assert rules_levels.nearest_rank(values, share) == expected


MOMENTS = st.integers(0, 240).map(lambda minutes: NOON + timedelta(minutes=minutes))
PROMISES = st.builds(
    Kept,
    promise=st.sampled_from(Promise),
    began_at=st.just(NOON),
    due_at=MOMENTS,
    kept_at=st.none() | MOMENTS,
    waived=st.booleans(),
)


@given(several=st.lists(PROMISES, max_size=30), now=MOMENTS, order=st.randoms(use_true_random=False))
def test_the_report_sums_up_in_whatever_order(several: list[Kept], now: datetime, order: Random) -> None:
    shuffled = list(several)
    order.shuffle(shuffled)

    report = rules_levels.attainments(several, now=now)

    assert report == rules_levels.attainments(shuffled, now=now)
    assert sum(each.owed + each.waived for each in report) == len(several)
    for each in report:
        assert each.owed == each.in_time + each.late + each.missing + each.running
        assert (each.percent == 100.0) == (each.in_time > 0 and not each.late and not each.missing)

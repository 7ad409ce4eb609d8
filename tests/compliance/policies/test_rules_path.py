"""The worst instant is found exactly: nothing that is tried between the bends is worse."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compliance.policies.rules_path import (
    DayEnd,
    InWindow,
    Span,
    Step,
    Wait,
    clock_changes,
    in_window,
    local_midnights,
)
from services.compliance.policies.rules_worst import Travel, Way, instants_to_try, travel, worst
from services.compliance.policy import Days, Hours, Months
from services.compliance.zones import use_shipped_zones

use_shipped_zones()
NEW_YORK = ZoneInfo("America/New_York")
APIA = ZoneInfo("Pacific/Apia")
MONTH = Span(datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC))
KNOWN = Span(MONTH.start - timedelta(days=8), MONTH.end + timedelta(days=60))


def nights(every_hours: int, length_minutes: int) -> InWindow:
    spans = []
    at = KNOWN.start
    while at < KNOWN.end:
        spans.append(Span(at, at + timedelta(minutes=length_minutes)))
        at += timedelta(hours=every_hours)
    return in_window("sent", spans)


def way(steps: Sequence[Step]) -> Way:
    return Way(steps, within=MONTH, known=KNOWN)


def worst_of(steps: Sequence[Step], clock: Sequence[Step]) -> Travel | None:
    whole, due = way(steps), way(clock)
    return worst(instants_to_try(whole, due, MONTH), whole, due)


def test_windows_that_touch_count_as_one() -> None:
    noon = MONTH.start
    step = in_window(
        "sent",
        [
            Span(noon + timedelta(hours=4), noon + timedelta(hours=8)),
            Span(noon, noon + timedelta(hours=4)),
            Span(noon + timedelta(hours=1), noon + timedelta(hours=2)),
        ],
    )

    assert step.starts == (noon,)
    assert step.ends == (noon + timedelta(hours=8),)


@pytest.mark.parametrize(
    ("at_minutes", "over_minutes"),
    [(-1, 0), (0, 0), (59, 59), (60, 240), (240, 240), (299, 299), (300, None)],
    ids=["before", "at its start", "within", "at its end", "at the next start", "within the next", "after the last"],
)
def test_a_window_is_open_from_its_start_until_before_its_end(at_minutes: int, over_minutes: int | None) -> None:
    zero, hour = MONTH.start, timedelta(hours=1)
    step = in_window("sent", [Span(zero, zero + hour), Span(zero + 4 * hour, zero + 5 * hour)])

    over_at = step.after(zero + timedelta(minutes=at_minutes))

    assert over_at == (None if over_minutes is None else zero + timedelta(minutes=over_minutes))


def test_a_release_at_the_end_of_a_window_waits_longest() -> None:
    path, clock = (nights(168, 240),), (Wait("due", Hours(24), UTC),)

    found = worst_of(path, clock)

    assert found is not None
    assert found.late == timedelta(hours=164 - 24)
    assert path[0].ends[0] <= found.released_at
    assert found.released_at in path[0].ends


def test_without_a_window_it_never_gets_there() -> None:
    path = (in_window("sent: nobody said when", ()),)

    found = travel(MONTH.start, path, (Wait("due", Hours(24), UTC),))

    assert found.met_at is None
    assert found.late is None
    assert found.never == "sent: nobody said when"


def test_never_is_worse_than_late() -> None:
    open_once = in_window("sent", [Span(MONTH.start + timedelta(days=1), MONTH.start + timedelta(days=2))])
    clock = (Wait("due", Hours(1), UTC),)

    found = worst_of((open_once,), clock)

    assert found is not None
    assert found.never == "sent"
    assert found.released_at == MONTH.start + timedelta(days=2)


def test_the_clocks_change_to_the_second() -> None:
    year = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))

    assert clock_changes(NEW_YORK, year) == (
        datetime(2026, 3, 8, 7, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
    )
    assert clock_changes(ZoneInfo("America/Phoenix"), year) == ()


def test_a_day_of_25_hours_lies_between_two_midnights() -> None:
    found = local_midnights(NEW_YORK, Span(datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)))

    assert found == (datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC))


WAITS = st.one_of(
    st.integers(1, 90).map(lambda minutes: Wait("waited", timedelta(minutes=minutes), NEW_YORK)),
    st.integers(1, 60).map(lambda hours: Wait("waited", Hours(hours), NEW_YORK)),
    st.integers(1, 20).map(lambda days: Wait("waited", Days(days), NEW_YORK)),
    st.just(Wait("waited", Months(1), NEW_YORK)),
)
WINDOWS = st.builds(nights, st.integers(5, 170), st.integers(20, 290))
PATHS = st.lists(st.one_of(WAITS, WINDOWS), max_size=4)
CLOCKS = st.builds(
    lambda wait, ends_with_day: (wait, DayEnd(NEW_YORK)) if ends_with_day else (wait,), WAITS, st.booleans()
)


@settings(max_examples=60, deadline=None)
@given(PATHS, CLOCKS, st.lists(st.integers(0, int((MONTH.end - MONTH.start).total_seconds()) - 1), max_size=300))
def test_no_instant_is_worse_than_the_one_that_is_found(
    path: list[Step], clock: tuple[Step, ...], seconds: list[int]
) -> None:
    found = worst_of(path, clock)
    sampled = worst([MONTH.start + timedelta(seconds=each) for each in seconds], way(path), way(clock))

    assert found is not None
    if sampled is not None and found.late is not None:
        assert sampled.late is not None
        assert sampled.late <= found.late


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 72 * 3600), st.sampled_from([NEW_YORK, ZoneInfo("Australia/Sydney"), APIA]))
def test_every_beginning_is_named(days: int, second: int, zone: ZoneInfo) -> None:
    begin = datetime(2026, 10, 31, tzinfo=UTC) + timedelta(seconds=second)
    step = Wait("waited", Days(days), zone)

    over_at = step.after(begin)

    assert over_at is not None
    assert begin in set(step.beginnings(over_at))

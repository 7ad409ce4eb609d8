"""What travels live and what in bulk, as tables."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.topics import Lane
from services.gateway.rules_lanes import (
    LIVE_FAILURES,
    MOST_DIFFERING_DEVICES,
    MOST_RELEASED_LIVE,
    Rate,
    lane_of_poll,
    lane_of_released,
    live_rate,
    turn,
    turn_of_failure,
)


def lanes(rate: Rate, moments: list[float]) -> list[Lane]:
    """Return the lanes of deliveries at these moments."""
    paid_at, taken = 0.0, []
    for now in moments:
        lane, paid_at = turn(paid_at, rate, now)
        taken.append(lane)
    return taken


@pytest.mark.parametrize(
    ("rate", "moments", "live"),
    [
        pytest.param(Rate(1, 1), [100.0, 101.0, 102.0], 3, id="at its rate for ever"),
        pytest.param(Rate(1, 3), [100.0, 100.0, 100.0], 3, id="a burst at once"),
        pytest.param(Rate(1, 3), [100.0] * 5, 3, id="no more than the burst"),
        pytest.param(Rate(1, 3), [100.0] * 5 + [101.0] * 2, 4, id="after a second there is room for one more"),
        pytest.param(Rate(1, 3), [100.0] * 5 + [103.0] * 5, 6, id="after a quiet while the whole burst is back"),
        pytest.param(Rate(2, 1), [100.0, 100.25, 100.5], 2, id="twice as fast as its rate: every other one"),
        pytest.param(Rate(0.5, 1), [100.0, 101.0, 102.0], 2, id="slower than one a second"),
    ],
)
def test_what_exceeds_a_rate_goes_to_bulk(rate: Rate, moments: list[float], live: int) -> None:
    assert lanes(rate, moments).count(Lane.LIVE) == live


def test_a_flood_leaves_its_source_the_rate_it_may_send_live() -> None:
    flood = [100 + number / 1000 for number in range(10_000)]

    assert lanes(Rate(10, 20), flood).count(Lane.LIVE) == pytest.approx(20 + 10 * 10, abs=1)


@given(
    st.integers(1, 50),
    st.integers(1, 40),
    st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200),
)
def test_no_second_ever_has_more_than_burst_and_rate(per_second: int, burst: int, moments: list[float]) -> None:
    ordered = sorted(moments)
    live = [at for at, lane in zip(ordered, lanes(Rate(per_second, burst), ordered), strict=True) if lane is Lane.LIVE]

    for start in live:
        within = [at for at in live if start <= at < start + 1]
        assert len(within) <= burst + per_second + 1


@given(st.lists(st.floats(0, 5, allow_nan=False), min_size=2, max_size=100))
def test_who_never_exceeds_the_rate_is_never_bulk(gaps: list[float]) -> None:
    moments = [1000.0]
    for gap in gaps:
        moments.append(moments[-1] + 0.1 + gap)
    assert all(after - before >= 0.0999 for before, after in pairwise(moments))

    assert set(lanes(Rate(10, 2), moments)) == {Lane.LIVE}


def test_a_burst_is_ten_seconds_worth() -> None:
    assert live_rate(200) == Rate(200, 2000)
    assert live_rate(0.01) == Rate(0.01, 1)


@pytest.mark.parametrize(
    ("is_first", "differing", "lane"),
    [
        pytest.param(True, 1, Lane.BULK, id="a first import, however small"),
        pytest.param(False, 1, Lane.LIVE, id="an ordinary difference"),
        pytest.param(False, MOST_DIFFERING_DEVICES, Lane.LIVE, id="the largest ordinary one"),
        pytest.param(False, MOST_DIFFERING_DEVICES + 1, Lane.BULK, id="an unusually large one"),
    ],
)
def test_a_poll_is_live_unless_it_imports(is_first: bool, differing: int, lane: Lane) -> None:  # noqa: FBT001 - a case
    assert lane_of_poll(is_first=is_first, differing_devices=differing) is lane


@pytest.mark.parametrize(
    ("came_by", "number", "lane"),
    [
        pytest.param(Lane.LIVE, 0, Lane.LIVE, id="few that came live"),
        pytest.param(Lane.LIVE, MOST_RELEASED_LIVE, Lane.BULK, id="many that came live"),
        pytest.param(Lane.BULK, 0, Lane.BULK, id="what came in bulk"),
    ],
)
def test_released_events_go_on_in_the_lane_they_came_by_unless_many(came_by: Lane, number: int, lane: Lane) -> None:
    assert lane_of_released(came_by, number) is lane


BURST_SECONDS = LIVE_FAILURES.burst / LIVE_FAILURES.per_second


@pytest.mark.parametrize(
    ("paid_at", "lane", "then"),
    [
        pytest.param(0.0, Lane.LIVE, 1000 + 1 / LIVE_FAILURES.per_second, id="the first for long"),
        pytest.param(1000.0 + BURST_SECONDS, Lane.BULK, 1000.0 + BURST_SECONDS, id="in a storm"),
        pytest.param(1018.0, Lane.BULK, 1018.0, id="in a storm, of a partition that is behind another"),
        pytest.param(
            5000.0, Lane.LIVE, 1000 + 1 / LIVE_FAILURES.per_second, id="received long before the one ahead of it"
        ),
    ],
)
def test_a_clients_failures_are_live_until_they_are_a_storm(paid_at: float, lane: Lane, then: float) -> None:
    assert turn_of_failure(paid_at, 1000.0) == (lane, then)

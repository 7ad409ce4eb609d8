"""The breaker: left alone after failures in a row, tried now and then, closed by the first success."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.door.rules_breaker import Breaker


def opened(at: float) -> Breaker:
    breaker = Breaker(failures_allowed=3, pause_seconds=1)
    for _ in range(3):
        breaker.failed(at)
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "is_open"),
    [
        pytest.param("", False, id="nothing happened"),
        pytest.param("ff", False, id="fewer in a row than it takes"),
        pytest.param("fff", True, id="as many as it takes"),
        pytest.param("ffsff", False, id="a success between"),
        pytest.param("ffffs", False, id="a success after"),
        pytest.param("sssfff", True, id="successes before count for nothing"),
    ],
)
def test_failures_in_a_row_open_it(outcomes: str, *, is_open: bool) -> None:
    breaker = Breaker(failures_allowed=3)

    for outcome in outcomes:
        breaker.succeeded() if outcome == "s" else breaker.failed(0)

    assert breaker.is_open is is_open
    assert breaker.admits(0) is not is_open


def test_one_at_a_time_tries_again() -> None:
    breaker = opened(at=10)

    assert [breaker.admits(at) for at in (10.5, 11, 11.1, 11.9, 12, 12.5)] == [False, True, False, False, True, False]


def test_a_try_that_fails_starts_the_pause_anew() -> None:
    breaker = opened(at=10)

    assert breaker.admits(11)
    assert not breaker.failed(11.5)

    assert (breaker.admits(12), breaker.admits(12.5)) == (False, True)


def test_it_says_once_that_it_opened_and_once_that_it_closed() -> None:
    breaker = Breaker(failures_allowed=2)

    opening = [breaker.failed(at) for at in (0, 1, 2, 3)]
    closing = [breaker.succeeded() for _ in range(3)]

    assert (opening, closing) == ([False, True, False, False], [True, False, False])


@given(st.lists(st.tuples(st.floats(0, 0.4), st.booleans()), max_size=200))
def test_whatever_happens_an_open_breaker_lets_one_through_per_pause(steps: list[tuple[float, bool]]) -> None:
    breaker = opened(at=0)
    now, admitted = 0.0, []

    for seconds, is_outcome_of_an_old_one in steps:
        now += seconds
        if is_outcome_of_an_old_one:
            breaker.failed(now)
        elif breaker.admits(now):
            admitted.append(now)

    assert all(later >= earlier + 1 for earlier, later in pairwise(admitted))

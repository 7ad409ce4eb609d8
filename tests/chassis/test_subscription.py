"""The order in which one poll is handed over."""

from dataclasses import dataclass

import pytest

from chassis.subscription import as_written


@dataclass(frozen=True)
class Written:
    """A record, as far as its place and its time go."""

    topic: str
    partition: int
    offset: int
    timestamp: int


A0, A1, A2 = Written("a", 0, 7, 100), Written("a", 0, 8, 300), Written("a", 0, 9, 200)
B0, B1 = Written("b", 1, 0, 150), Written("b", 1, 1, 250)


@pytest.mark.parametrize(
    ("polled", "heard"),
    [
        pytest.param([A0, A1, B0, B1], [A0, B0, B1, A1], id="by the time at which they were written"),
        pytest.param([A0, A1, A2], [A0, A1, A2], id="a partition's own order whatever the clocks said"),
        pytest.param([A0, A1, A2, B1], [A0, B1, A1, A2], id="both"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_a_poll_is_handed_over_as_it_was_written(polled: list[Written], heard: list[Written]) -> None:
    assert as_written(polled) == heard

"""Polls of a busy subscription keep a distance; one that comes alone waits for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from chassis.batch import Record
from chassis.subscription import Member, Subscription
from contracts.topics import Topic

TOPIC = Topic(name="apart", key="", producer="test", consumers=(), partitions=1, has_dead_letters=False)


@dataclass
class Clock:
    """A clock that only goes on when it is told to, and what was to be slept by it."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("chassis.subscription.asyncio.sleep", made.sleep)
    monkeypatch.setattr("chassis.subscription.time.monotonic", lambda: made.now)
    return made


@pytest.mark.parametrize(
    ("apart", "work", "pause"),
    [
        pytest.param(0.0, 0.0, 0.0, id="no distance"),
        pytest.param(5.0, 0.0, 5.0, id="the rest of the distance"),
        pytest.param(5.0, 3.0, 2.0, id="less what the work took"),
        pytest.param(5.0, 7.0, 0.0, id="the work took longer"),
    ],
)
async def test_the_next_poll_begins_no_sooner_than_the_distance_after_this_one(
    clock: Clock, apart: float, work: float, pause: float
) -> None:
    async def handled(_records: Sequence[Record]) -> None:
        clock.now += work

    async def assigned(_partitions: Sequence[object]) -> None:
        """Nothing is assigned here."""

    reader = Subscription(
        kafka="127.0.0.1:9",
        member=Member("apart"),
        topics=[TOPIC],
        max_records=10,
        apart_seconds=apart,
        on_records=handled,
        on_assigned=assigned,
    )
    await reader._take([])

    assert clock.slept == [pytest.approx(pause)]

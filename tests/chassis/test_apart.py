"""Polls of a busy subscription keep a distance; one that comes alone waits for nothing."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition

from chassis.batch import Record
from chassis.subscription import Member, OnRecords, Subscription
from chassis.ways import FEWEST
from contracts.topics import Topic
from tests.chassis.machine_room import send, until

TOPIC = Topic(name="apart", key="", producer="test", consumers=(), partitions=1, has_dead_letters=False)
LATER = [f"later {number}".encode() for number in range(6)]
TAKEN, LOST, BEFORE = (TopicPartition("apart", number) for number in range(3))


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

    await subscription(apart, handled)._take([])

    assert clock.slept == [pytest.approx(pause)]


async def test_what_a_handler_leaves_behind_does_not_keep_the_poll() -> None:
    polled: ContextVar[object] = ContextVar("polled", default=None)
    seen: list[object] = []

    async def handled(_records: Sequence[Record]) -> None:
        asyncio.get_running_loop().call_soon(lambda: seen.append(polled.get()))  # as a connection that stays open

    polled.set("FastStream's message, with all of its records")
    await subscription(0.0, handled)._take([])

    assert seen == [None]


@pytest.mark.parametrize(
    ("apart", "count", "is_paused"),
    [
        pytest.param(5.0, 1, True, id="few"),
        pytest.param(5.0, FEWEST, False, id="as many as take longer than the distance"),
        pytest.param(0.0, 1, False, id="no distance"),
    ],
)
async def test_where_few_come_nothing_is_fetched_before_the_next_poll(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, *, apart: float, count: int, is_paused: bool
) -> None:
    """Else the next poll has what was fetched ahead at once; what comes meanwhile waits for another distance."""
    consumer = Consumer({TAKEN, LOST})
    paused: list[frozenset[TopicPartition]] = []

    async def handled(_records: Sequence[Record]) -> None:
        paused.append(frozenset(consumer.paused_now))
        consumer.mine -= {LOST}

    reader = subscription(apart, handled)
    monkeypatch.setattr(Subscription, "consumer", consumer)
    await reader._take([Told()] * count)

    assert paused == [{TAKEN, LOST} if is_paused else set()]
    assert consumer.paused_now == ({LOST} if is_paused else set()), "what is another's now is not ours to let go"
    assert clock.slept == [apart]


async def test_what_is_paused_for_longer_stays_so(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that was put back waits for what it needs; partitions that were assigned, for their watermarks."""
    consumer = Consumer({TAKEN, LOST, BEFORE}, paused_now={BEFORE})

    async def put_back(_records: Sequence[Record]) -> None:
        reader.pause([LOST])

    reader = subscription(5.0, put_back)
    monkeypatch.setattr(Subscription, "consumer", consumer)
    await reader._take([Told()])

    assert consumer.paused_now == {LOST, BEFORE}
    assert clock.slept == [5.0]


async def test_what_comes_during_the_distance_is_one_poll(kafka: str, topic: Topic) -> None:
    """As it was, the second poll had what was fetched ahead: the first record of them, and the others came later."""
    polls: list[list[bytes | None]] = []

    async def taken(records: Sequence[Record]) -> None:
        polls.append([each.value for each in records])

    async def from_the_beginning(partitions: Sequence[TopicPartition]) -> None:
        for each in partitions:
            reader.consumer.seek(each, 0)

    reader = Subscription(
        kafka=kafka,
        member=Member(f"g-{topic.name}"),
        topics=[topic],
        max_records=10,
        apart_seconds=3.0,
        on_records=taken,
        on_assigned=from_the_beginning,
    )
    await reader.start()
    try:
        await send(kafka, topic, [b"first"])
        await until(lambda: polls)
        await send(kafka, topic, LATER)
        await until(lambda: len(polls) == 2)
    finally:
        await reader.stop()

    assert polls[0] == [b"first"]
    assert sorted(each or b"" for each in polls[1]) == LATER


async def test_a_batch_that_breaks_leaves_nothing_paused(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer({TAKEN})

    async def broken(_records: Sequence[Record]) -> None:
        raise ArithmeticError(clock.now)

    reader = subscription(5.0, broken)
    monkeypatch.setattr(Subscription, "consumer", consumer)
    with pytest.raises(ArithmeticError):
        await reader._take([Told()])

    assert consumer.paused_now == set()


@dataclass
class Consumer:
    """What Kafka's consumer is to a subscription: partitions, some of which are not fetched from."""

    mine: set[TopicPartition]
    paused_now: set[TopicPartition] = field(default_factory=set)

    def assignment(self) -> set[TopicPartition]:
        return set(self.mine)

    def paused(self) -> set[TopicPartition]:
        return set(self.paused_now)

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused_now |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        assert set(partitions) <= self.mine
        self.paused_now -= set(partitions)


@dataclass(frozen=True)
class Told:
    """One record, as far as it matters here."""

    topic: str = "apart"
    partition: int = 0
    timestamp: int = 0


def subscription(apart: float, handled: OnRecords) -> Subscription:
    async def assigned(_partitions: Sequence[object]) -> None:
        """Nothing is assigned here."""

    return Subscription(
        kafka="127.0.0.1:9",
        member=Member("apart"),
        topics=[TOPIC],
        max_records=10,
        apart_seconds=apart,
        on_records=handled,
        on_assigned=assigned,
    )

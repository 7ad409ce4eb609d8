"""How the writer fills its batches, with a producer that acknowledges when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from chassis.health import Progress
from contracts.topics import RMM_RAW
from services.gateway.door import raw_batch
from services.gateway.door.raw_batch import Outcome
from services.gateway.door.raw_writer import Limits, RawWriter

HEADERS = [("raw_id", b"1")]


@dataclass
class Cluster:
    """Partitions 0, 1, 2 and so on, each with the broker that leads it."""

    leaders: list[int]

    def available_partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(len(self.leaders)))

    def leader_for_partition(self, partition: TopicPartition) -> int:
        number: int = partition.partition
        return self.leaders[number]


@dataclass
class Builder:
    values: list[bytes] = field(default_factory=list)

    def append(self, *, value: bytes, **_rest: object) -> None:
        self.values.append(value)

    def close(self) -> None:
        """Take no more."""


class Producer:
    """Keeps each batch until it is acknowledged."""

    def __init__(self, leaders: list[int]) -> None:
        self.client = self
        self.cluster = Cluster(leaders)
        self.sent: list[tuple[int, list[bytes], asyncio.Future[None]]] = []

    def create_batch(self) -> Builder:
        return Builder()

    async def send_batch(self, builder: Builder, _topic: str, *, partition: int) -> asyncio.Future[None]:
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((partition, builder.values, acknowledged))
        return acknowledged

    async def stop(self) -> None:
        """Close."""


@asynccontextmanager
async def _writing(*producers: Producer) -> AsyncIterator[RawWriter]:
    """Yield a writer that has the producers, one after the other as each is given up."""
    left = iter(producers)

    class Writer(RawWriter):
        async def _started(self, stopping: asyncio.Event) -> Producer | None:  # noqa: ARG002 - as its parent's
            return next(left, None)

    stopping = asyncio.Event()
    writer = Writer(kafka="", topic=RMM_RAW, progress=Progress(), limits=Limits(budget_seconds=30))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.run(stopping))
        await asyncio.sleep(0)
        yield writer
        stopping.set()


async def _written(writer: RawWriter, *values: bytes) -> list[asyncio.Future[Outcome]]:
    """Write each in a turn of the event loop of its own, and let the writer go to work."""
    waiting = []
    for value in values:
        waiting.append(writer.write(HEADERS, value))
        for _ in range(3):
            await asyncio.sleep(0)
    return waiting


async def test_what_comes_while_a_batch_travels_to_the_only_broker_leaves_together_behind_it() -> None:
    producer = Producer([1, 1, 1])
    async with _writing(producer) as writer:
        waiting = await _written(writer, b"a", b"b", b"c", b"d")
        while not all(each.done() for each in waiting):
            for _, _, acknowledged in producer.sent:
                if not acknowledged.done():
                    acknowledged.set_result(None)
            await asyncio.sleep(0.01)
        outcomes = await asyncio.gather(*waiting)

    assert [values for _, values, _ in producer.sent] == [[b"a"], [b"b", b"c", b"d"]]
    assert set(outcomes) == {Outcome.WRITTEN}


async def test_a_broker_that_does_not_answer_holds_up_what_others_lead_by_nothing() -> None:
    producer = Producer([1, 1, 2])
    async with _writing(producer) as writer:
        waiting = await _written(writer, b"a", b"b")
        while len(producer.sent) < 2:
            await asyncio.sleep(0.001)
        taken = [(partition, values) for partition, values, _ in producer.sent]
        for _, _, acknowledged in producer.sent:
            acknowledged.set_result(None)
        await asyncio.gather(*waiting)

    assert taken == [(0, [b"a"]), (2, [b"b"])]


async def test_where_many_arrive_they_leave_together_though_each_was_acknowledged_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(raw_batch, "APART_SECONDS", 0.5)
    producer = Producer([1, 1, 1])
    async with _writing(producer) as writer:
        first = await _written(writer, b"a")
        producer.sent[0][2].set_result(None)
        rest = await _written(writer, b"b", b"c", b"d")
        while len(producer.sent) < 2:
            await asyncio.sleep(0.01)
        producer.sent[1][2].set_result(None)
        outcomes = await asyncio.gather(*first, *rest)

    assert [values for _, values, _ in producer.sent] == [[b"a"], [b"b", b"c", b"d"]]
    assert set(outcomes) == {Outcome.WRITTEN}


async def test_many_wait_for_no_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_batch, "APART_SECONDS", 600.0)
    producer = Producer([1, 1, 1])
    async with _writing(producer) as writer:
        first = await _written(writer, b"a")
        producer.sent[0][2].set_result(None)
        rest = [writer.write(HEADERS, b"b") for _ in range(raw_batch.ENOUGH)]
        while len(producer.sent) < 2:
            await asyncio.sleep(0)
        producer.sent[1][2].set_result(None)
        outcomes = await asyncio.gather(*first, *rest)

    assert len(producer.sent[1][1]) == raw_batch.ENOUGH
    assert set(outcomes) == {Outcome.WRITTEN}


async def test_what_travels_with_a_producer_that_was_given_up_does_not_hold_up_its_successor() -> None:
    first, second = Producer([1, 2]), Producer([1, 2])
    async with _writing(first, second) as writer:
        waiting = await _written(writer, b"a", b"b")
        first.sent[0][2].set_exception(MessageSizeTooLargeError())
        while len(second.sent) < 1:
            await asyncio.sleep(0)
        again = second.sent[0][1]
        for _, _, acknowledged in (*first.sent[1:], *second.sent):
            acknowledged.set_result(None)
        outcomes = await asyncio.gather(*waiting)

    assert again == [b"a"]
    assert outcomes == [Outcome.WRITTEN, Outcome.WRITTEN]

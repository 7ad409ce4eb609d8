"""The relay and packed records: order over both tables, large ones, and what is not acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.record.default_records import DefaultRecordBatch

from chassis import outbox
from chassis.health import Progress
from chassis.relay import Relay, _partition_of
from chassis.relay_rows import PEEK
from contracts.envelope import Message
from contracts.record_batch import RecordBatch
from contracts.records import message_of
from contracts.topics import Topic

MANY = outbox.PACKED_FROM
CARRIED_SHARDS = "SELECT count(*) FROM relay_shard WHERE NOT clean"
LEFT = "SELECT coalesce(sum(records), 0)::bigint FROM outbox_waiting"


def told(texts: Sequence[str], key: bytes = b"k") -> list[Message]:
    return [Message(key=key, headers=[("n", text.encode())], value=text.encode()) for text in texts]


def numbers(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


@pytest.fixture
async def tx(room: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(room)
    await connection.execute("DELETE FROM outbox")
    await connection.execute("DELETE FROM outbox_pack")
    yield connection
    await connection.execute("DELETE FROM outbox")
    await connection.execute("DELETE FROM outbox_pack")
    await connection.close()


async def carried(dsn: str, kafka: str) -> None:
    """Run a relay until the outbox is empty."""
    stopping = asyncio.Event()
    stopping.set()
    await Relay(dsn=dsn, kafka=kafka, progress=Progress()).run(stopping)


async def logged(kafka: str, topic: Topic) -> list[tuple[int, bytes | None, bytes | None, tuple[Any, ...]]]:
    """Return partition, key, value and headers of each record, each partition's in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    consumer.assign(places)
    ends = await consumer.end_offsets(places)
    found = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            found += [(place.partition, each.key, each.value, tuple(each.headers)) for each in records]
    await consumer.stop()
    return found


async def test_packs_and_rows_arrive_whole_in_each_keys_order(
    room: str, kafka: str, topic: Topic, tx: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    older = [(outbox.shard_of(b"k"), topic.name, b"k", '[["n","0"]]', b"0")]  # as the release before writes it
    await tx.copy_records_to_table("outbox", columns=list(outbox.COLUMNS), records=older)
    await outbox.enqueue_messages(tx, topic.name, told(numbers(1, MANY)))
    await outbox.enqueue_messages(tx, topic.name, told(numbers(MANY + 1, 3)))
    await outbox.enqueue_messages(tx, topic.name, told(numbers(MANY + 4, 600)))
    odd = [Message(key=None, headers=[("h", b"\xff\x00")], value=None) for _ in range(MANY)]
    await outbox.enqueue_messages(tx, topic.name, odd)
    assert await tx.fetchval(LEFT) == MANY + 604 + MANY

    await carried(room, kafka)

    found = await logged(kafka, topic)
    assert [value for _, key, value, _ in found if key == b"k"] == [each.encode() for each in numbers(0, MANY + 604)]
    assert all(headers == (("n", value),) for _, key, value, headers in found if key == b"k")
    assert [row[2:] for row in found if row[1] is None] == [(None, (("h", b"\xff\x00"),))] * MANY
    assert {partition for partition, key, _, _ in found if key == b"k"} == {_partition_of(b"k", topic.partitions)}
    assert await tx.fetchval(LEFT) == 0


async def test_records_of_nearly_a_megabyte_are_carried_beside_small_ones(
    room: str, kafka: str, topic: Topic, tx: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    large = Message(key=b"k", headers=[("h", bytes(100_000))], value=bytes(800_000))
    await outbox.enqueue_messages(tx, topic.dead_letters, [*told(numbers(0, MANY)), *[large] * 5])
    rows = await tx.fetch(PEEK, list(range(outbox.SHARDS)), [], 2000, 200, 1_500_000)
    assert [row["records"] for row in rows] == [MANY, 1, 1]

    dead = Topic(name=topic.dead_letters, key="", producer="test", consumers=(), partitions=1, has_dead_letters=False)
    await carried(room, kafka)

    found = await logged(kafka, dead)
    assert [len(value or b"") for _, _, value, _ in found][-5:] == [800_000] * 5
    assert len(found) == MANY + 5


async def test_a_process_without_shards_wakes_the_relay_that_carries_them(
    room: str, kafka: str, topic: Topic, tx: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    carrying, other = (Relay(dsn=room, kafka=kafka, progress=Progress(), idle_seconds=600) for _ in range(2))
    stopping = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(carrying.run(stopping))
        while await tx.fetchval(CARRIED_SHARDS) < outbox.SHARDS:
            await asyncio.sleep(0.01)
        tasks.create_task(other.run(stopping))
        for number in ("1", "2", "3"):
            await outbox.enqueue_messages(tx, topic.name, told([number]))
            other.wake()
            while await tx.fetchval(LEFT):
                await asyncio.sleep(0.01)
        stopping.set()
        carrying.wake()
        other.wake()

    assert [value for _, _, value, _ in await logged(kafka, topic)] == [b"1", b"2", b"3"]


async def test_what_was_committed_while_the_relay_rested_leaves_before_it_ends(
    room: str, kafka: str, topic: Topic, tx: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    resting, stopping = Relay(dsn=room, kafka=kafka, progress=Progress(), idle_seconds=600), asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(resting.run(stopping))
        await outbox.enqueue_messages(tx, topic.name, told(["1"]))
        resting.wake()
        while await tx.fetchval(LEFT):
            await asyncio.sleep(0.01)
        resting.wake()  # for nothing: it has looked, and rests
        await asyncio.sleep(0.2)
        await outbox.enqueue_messages(tx, topic.name, told(["2"]))
        stopping.set()
        resting.wake()

    assert [value for _, _, value, _ in await logged(kafka, topic)] == [b"1", b"2"]


class Refusing:
    """A producer of which one partition's batches fail for a while: from the second on, none of them is taken."""

    def __init__(self, refused: int, refusals: int) -> None:
        self.refused, self.refusals = refused, refusals
        self.taken: list[str] = []

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0, 1}

    async def send_batch(self, batch: RecordBatch, _topic: str, *, partition: int) -> "asyncio.Future[None]":
        ack: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if partition == self.refused and self.refusals > 0:
            self.refusals -= 1
            ack.set_exception(MessageSizeTooLargeError())
        else:
            self.taken += [(each.value or b"").decode() for each in DefaultRecordBatch(batch._build())]
            ack.set_result(None)
        return ack


async def test_of_a_pack_only_what_was_not_acknowledged_goes_again_and_a_keys_order_is_kept(
    topic: Topic, tx: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    keys = [f"key-{number}".encode() for number in range(MANY)]
    messages = [told([f"{key.decode()}/{step}"], key)[0] for step in ("1", "2") for key in keys]
    await outbox.enqueue_messages(tx, topic.name, messages[:MANY])
    await outbox.enqueue_messages(tx, topic.name, messages[MANY:])
    refused = [key.decode() for key in keys if _partition_of(key, 2) == 1]
    producer = Refusing(refused=1, refusals=1)
    relay = Relay(dsn="", kafka="", progress=Progress())
    stopping = asyncio.Event()
    stopping.set()

    with pytest.raises(KafkaError):
        await relay._relay(tx, producer, stopping)
    await tx.execute("UPDATE relay_shard SET clean = true")
    waiting = [message_of(body).value for row in await _rows(tx) for _, body in outbox.keyed_of(row)]
    await relay._relay(tx, producer, stopping)

    assert sorted(each.decode().split("/")[0] for each in waiting if each) == sorted(refused * 2)
    assert set(producer.taken) == {(each.value or b"").decode() for each in messages}
    for key in keys:
        mine = [text for text in producer.taken if text.startswith(f"{key.decode()}/")]
        assert mine[-2:] == [f"{key.decode()}/1", f"{key.decode()}/2"]
        assert len(mine) == 2
    assert await tx.fetchval(LEFT) == 0


async def _rows(tx: "asyncpg.Connection[asyncpg.Record]") -> Sequence[asyncpg.Record]:
    return await tx.fetch(PEEK, list(range(outbox.SHARDS)), [], 2000, 200, 4_194_304)

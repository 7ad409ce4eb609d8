"""The batch consumer and the relay on a real broker and a real database: nothing lost, nothing done twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis import outbox
from chassis.batch import Batch
from chassis.clock import moved_clock
from chassis.consumer import BatchConsumer
from chassis.errors import LogNotContinuous, MayWorkLater
from chassis.health import HealthServer, Progress
from chassis.migrate import Schema, migrate, set_passwords
from chassis.platform import Platform
from chassis.postgres import Connection, open_pool, transaction
from chassis.relay import Relay
from contracts import topics
from contracts.envelope import Envelope, Message
from contracts.envelope import decode as decoded
from contracts.errors import UndecodableEvent
from contracts.events.ticket import TicketResolved
from contracts.topics import Topic
from tests.parts import named

PASSWORD = "machine-room"


@pytest.fixture(scope="module")
async def room(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A database with one schema, `room`, that keeps what a test's handler was given."""
    folder: Path = tmp_path_factory.mktemp("room")
    (folder / "0001_seen.sql").write_text(
        "CREATE TABLE seen (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL, recorded_at timestamptz);"
    )
    admin = await asyncpg.connect(postgres_server)
    name = f"room_{uuid4().hex[:8]}"
    await admin.execute(f"CREATE DATABASE {name}")
    await migrate(named(postgres_server, name), [Schema("room", folder)], say=lambda _line: None)
    await set_passwords(postgres_server, {"room_writer": PASSWORD})
    parts = urlsplit(named(postgres_server, name))
    yield urlunsplit(parts._replace(netloc=f"room_writer:{PASSWORD}@{parts.netloc.rpartition('@')[2]}"))
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Topic]:
    """A fresh topic of two partitions with a dead-letter topic, declared for the time of one test."""
    name = f"test-{uuid4().hex[:8]}"
    fresh = Topic(name=name, key="", producer="test", consumers=("test",), partitions=2)
    dead = Topic(name=f"{name}.dlq", key="", producer="test", consumers=(), partitions=1, has_dead_letters=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1), NewTopic(dead.name, 1, 1)])
    topics.BY_NAME[name] = fresh
    yield fresh
    del topics.BY_NAME[name]
    await admin.delete_topics([name, dead.name])
    await admin.close()


@dataclass
class Keeper:
    """A handler that keeps what it gets, forwards it, and can be told to fail."""

    forward_to: Topic
    fails: Callable[[str], Exception | None] = lambda _text: None
    batches: list[list[str]] = field(default_factory=list)

    async def on_batch(self, tx: Connection, batch: Batch[str]) -> None:
        self.batches.append(batch.values)
        for item in batch.items:
            if error := self.fails(item.value):
                raise error
            if item.value == "refuse me":
                batch.refuse(item, "text: must not say 'refuse me'")
        kept = [value for value in batch.values if value != "refuse me"]
        await tx.executemany(
            "INSERT INTO seen (text, recorded_at) VALUES ($1, $2)", [(x, batch.recorded_at) for x in kept]
        )
        messages = [Message(key=b"k", headers=[("text", value.encode())], value=value.encode()) for value in kept]
        await outbox.enqueue_messages(tx, self.forward_to.dead_letters, messages)


def decode(_headers: Iterable[tuple[str, bytes]], value: bytes | None) -> str:
    if value is None or b"\xff" in value:
        raise UndecodableEvent("value: not text")
    return value.decode()


@asynccontextmanager
async def running(dsn: str, kafka: str, keeper: Keeper, group: str) -> AsyncIterator[asyncio.Task[None]]:
    """Yield the running consumer; stop it and its relay in order."""
    progress = Progress()
    pool = await open_pool(dsn, application="test")
    relay = Relay(dsn=dsn, kafka=kafka, progress=progress)
    on = Platform(
        pool=pool,
        kafka=kafka,
        clock=moved_clock(0),
        progress=progress,
        relay=relay,
        health=HealthServer(progress, "127.0.0.1", 0),
    )
    consumer = BatchConsumer(group=group, topics=[keeper.forward_to], decode=decode, handler=keeper, on=on)
    first, last = asyncio.Event(), asyncio.Event()
    consuming = asyncio.create_task(consumer.run(first))
    relaying = asyncio.create_task(relay.run(last))
    try:
        yield consuming
    finally:
        first.set()
        await asyncio.wait([consuming])
        last.set()
        await relaying
        await pool.close()


async def send(
    kafka: str, topic: Topic, values: Iterable[bytes], headers: list[tuple[str, bytes]] | None = None
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    for number, value in enumerate(values):
        await producer.send_and_wait(topic.name, value, partition=number % topic.partitions, headers=headers or [])
    await producer.stop()


async def seen(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT text FROM seen ORDER BY text")
    await connection.close()
    return [row["text"] for row in rows]


async def until(check: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = check()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.05)


async def records_of(kafka: str, name: str) -> list[tuple[bytes | None, dict[str, str]]]:
    consumer = AIOKafkaConsumer(name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found = []
    while batch := await consumer.getmany(timeout_ms=700):
        for records in batch.values():
            found += [(r.value, {n: v.decode("latin-1") for n, v in r.headers}) for r in records]
    await consumer.stop()
    return found


@pytest.fixture
async def empty_room(room: str) -> str:
    connection = await asyncpg.connect(room)
    await connection.execute("DELETE FROM seen")
    await connection.close()
    return room


async def test_every_record_is_handled_once_and_forwarded(empty_room: str, kafka: str, topic: Topic) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(200)])

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}"):
        await until(lambda: _counted(empty_room, 200))

    assert await seen(empty_room) == [f"v{n:03}" for n in range(200)]
    assert sorted(value or b"" for value, _ in await records_of(kafka, topic.dead_letters)) == [
        f"v{n:03}".encode() for n in range(200)
    ]


async def _counted(dsn: str, count: int) -> bool:
    return len(await seen(dsn)) == count


async def test_a_restart_goes_on_at_the_watermark_whatever_offset_was_committed(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [b"a", b"b"])
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: _counted(empty_room, 2))
    wrong = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await wrong.start()
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    wrong.assign(partitions)
    await wrong.commit(dict.fromkeys(partitions, 0))
    await wrong.stop()
    await send(kafka, topic, [b"c", b"d"])

    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: _counted(empty_room, 4))

    assert await seen(empty_room) == ["a", "b", "c", "d"]


async def test_what_cannot_be_decoded_or_is_refused_is_dead_lettered_whole_beside_its_neighbours(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [b"a", b"\xff\x00bad", b"refuse me", b"b"], headers=[("ce_id", b"\xfe1")])

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}"):
        await until(lambda: _counted(empty_room, 2))

    letters = [each for each in await records_of(kafka, topic.dead_letters) if "dlq_reason" in each[1]]
    assert {value: headers["dlq_reason"] for value, headers in letters} == {
        b"\xff\x00bad": "value: not text",
        b"refuse me": "text: must not say 'refuse me'",
    }
    assert all(headers["ce_id"] == "\xfe1" and headers["dlq_topic"] == topic.name for _, headers in letters)


async def test_a_record_that_its_handler_cannot_take_is_narrowed_down(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [f"v{n:02}".encode() for n in range(40)])
    keeper = Keeper(topic, fails=lambda text: ValueError("odd one") if text == "v17" else None)

    async with running(empty_room, kafka, keeper, f"g-{topic.name}"):
        await until(lambda: _counted(empty_room, 39))

    letters = [each for each in await records_of(kafka, topic.dead_letters) if "dlq_reason" in each[1]]
    assert [value for value, _ in letters] == [b"v17"]
    assert "ValueError: odd one" in letters[0][1]["dlq_reason"]


async def test_what_may_work_later_is_put_back_and_never_dead_lettered(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    attempts = 0

    def at_first(_text: str) -> Exception | None:
        nonlocal attempts
        attempts += 1
        return MayWorkLater("the tracker is away") if attempts <= 2 else None

    await send(kafka, topic, [b"a", b"b", b"c", b"d"])

    async with running(empty_room, kafka, Keeper(topic, fails=at_first), f"g-{topic.name}"):
        await until(lambda: _counted(empty_room, 4))

    assert await seen(empty_room) == ["a", "b", "c", "d"]
    assert all("dlq_reason" not in headers for _, headers in await records_of(kafka, topic.dead_letters))


async def test_a_bad_record_and_a_passing_failure_together_lose_no_neighbour(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    attempts = 0

    def now_and_then(text: str) -> Exception | None:
        nonlocal attempts
        attempts += 1
        if text == "v31":
            return ValueError("never")
        return MayWorkLater("not now") if attempts in {5, 9, 14} else None

    await send(kafka, topic, [f"v{n:02}".encode() for n in range(40)])

    async with running(empty_room, kafka, Keeper(topic, fails=now_and_then), f"g-{topic.name}"):
        await until(lambda: _counted(empty_room, 39), 60)

    assert await seen(empty_room) == [f"v{n:02}" for n in range(40) if n != 31]


async def test_two_consumers_of_one_group_lose_and_double_nothing_over_rebalances(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(100)])

    async with running(empty_room, kafka, Keeper(topic), group):
        async with running(empty_room, kafka, Keeper(topic), group):
            await send(kafka, topic, [f"w{n:03}".encode() for n in range(100)])
            await asyncio.sleep(1)
        await send(kafka, topic, [f"x{n:03}".encode() for n in range(100)])
        await until(lambda: _counted(empty_room, 300), 30)

    assert await seen(empty_room) == [f"{c}{n:03}" for c in "vwx" for n in range(100)]


async def test_a_log_that_ends_below_the_watermark_stops_the_consumer(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    connection = await asyncpg.connect(empty_room)
    await connection.execute(
        "INSERT INTO watermark (consumer_group, topic, partition, next_offset) VALUES ($1, $2, 0, 500)",
        group,
        topic.name,
    )
    await connection.close()

    async with running(empty_room, kafka, Keeper(topic), group) as consuming:
        await asyncio.wait([consuming], timeout=15)

    error = consuming.exception()
    assert error is not None
    assert isinstance(error, LogNotContinuous), repr(error)
    assert "ends at 0, below" in str(error)
    assert "docs/runbook.md" in str(error)


async def test_another_record_before_the_watermark_stops_the_consumer(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [b"a", b"b", b"c", b"d"])
    connection = await asyncpg.connect(empty_room)
    await connection.execute(
        "INSERT INTO watermark (consumer_group, topic, partition, next_offset, last_identity)"
        " VALUES ($1, $2, 0, 1, 'crc32:00000000')",
        group,
        topic.name,
    )
    await connection.close()

    async with running(empty_room, kafka, Keeper(topic), group) as consuming:
        await asyncio.wait([consuming], timeout=15)

    assert isinstance(consuming.exception(), LogNotContinuous)
    assert "another log" in str(consuming.exception())


async def test_sequences_of_one_aggregate_have_no_gap_and_no_repeat(room: str) -> None:
    now = datetime.now(UTC)
    envelope = Envelope(
        id=uuid4(),
        source="t",
        subject="s",
        time=now,
        received=now,
        data=TicketResolved(ticket="t", kind="k", subject="s", generation=1),
    )
    pool = await open_pool(room, application="test")

    async def draw() -> None:
        async with transaction(pool) as tx:
            await outbox.enqueue_sequenced(
                tx, topics.TICKETS, [("one", envelope), ("two", envelope), ("one", envelope)]
            )

    await asyncio.gather(*(draw() for _ in range(10)))

    rows = await pool.fetch("DELETE FROM outbox WHERE topic = 'tickets' RETURNING key, headers, value")
    await pool.close()
    drawn: dict[bytes, list[int]] = {}
    for row in rows:
        drawn.setdefault(row["key"], []).append(decoded(outbox.headers_of(row["headers"]), row["value"]).sequence or 0)
    assert {key: sorted(numbers) for key, numbers in drawn.items()} == {
        b"one": list(range(1, 21)),
        b"two": list(range(1, 11)),
    }

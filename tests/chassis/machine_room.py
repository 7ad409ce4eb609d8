"""A consumer in the test's own process, what its handler does, and what a test asks about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from chassis import outbox
from chassis.batch import Batch, Handler, Record
from chassis.clock import moved_clock
from chassis.consumer import BatchConsumer
from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Connection, open_pool
from chassis.relay import Relay
from contracts.envelope import Message
from contracts.errors import UndecodableEvent
from contracts.topics import Topic


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


class Reader(Handler[str], Protocol):
    """A handler of the records of one topic."""

    forward_to: Topic


@asynccontextmanager
async def running(dsn: str, kafka: str, keeper: Keeper, group: str) -> AsyncIterator[asyncio.Task[None]]:
    """Yield the running consumer of what the keeper keeps; stop it and its relay in order."""
    async with consuming(dsn, kafka, keeper, group) as task:
        yield task


@asynccontextmanager
async def consuming(
    dsn: str,
    kafka: str,
    keeper: Reader,
    group: str,
    *,
    prepare: Callable[[Sequence[Record]], Awaitable[None]] | None = None,
    ways: int = 1,
) -> AsyncIterator[asyncio.Task[None]]:
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
    consumer = BatchConsumer(
        group=group, topics=[keeper.forward_to], decode=decode, handler=keeper, on=on, prepare=prepare, ways=ways
    )
    first, last = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(consumer.run(first))
    relaying = asyncio.create_task(relay.run(last))
    try:
        yield task
    finally:
        first.set()
        await asyncio.wait([task])
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


async def counted(dsn: str, count: int) -> bool:
    return len(await seen(dsn)) == count

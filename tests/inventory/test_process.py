"""The real process on a real broker and database: poison is set aside, repeats do nothing, SIGTERM loses nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts import ids, topics
from contracts.envelope import Envelope, Message, decode, encode
from contracts.events import rmm
from contracts.events.asset import AssetRemoved
from tests.builders import MINUTE, NOON, of_device
from tests.parts import Database

EXPECTED = "SELECT count(*) FROM asset WHERE source = $1"


@dataclass(slots=True)
class World:
    """One source of its own on the shared broker, and what inventory made of it."""

    kafka: str
    database: Database
    source: str

    def seen(self, device: str, *, minutes: int = 0) -> Envelope:
        """Return an event that enrols a device of this source."""
        return of_device(
            rmm.DeviceSeen(device=device, facts=rmm.DeviceFacts(hostname=device)),
            at=NOON + minutes * MINUTE,
            source=self.source,
        )

    def asset(self, device: str) -> UUID:
        """Return the asset of a device of this source."""
        return ids.asset_id(self.source, device)

    async def send(self, *messages: Message) -> None:
        """Put records on `rmm.events`, all with the same key: one partition, in this order."""
        async with producing(self.kafka) as producer:
            for each in messages:
                await producer.send_and_wait(
                    topics.RMM_EVENTS.name, key=self.source.encode(), value=each.value, headers=each.headers
                )

    async def read(self, topic: str) -> list[tuple[bytes | None, dict[str, bytes], bytes | None]]:
        """Return all records of a topic that stand there now: key, headers, value."""
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found = []
            while any([await consumer.position(each) < end for each, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.key, dict(record.headers), record.value) for record in records]
        finally:
            await consumer.stop()
        return found

    async def news(self, device: str) -> list[Envelope]:
        """Return what was published about a device."""
        key = str(self.asset(device)).encode()
        return [
            decode(headers.items(), value)
            for found, headers, value in await self.read("inventory.assets")
            if found == key
        ]

    async def devices(self) -> int:
        """Return how many assets of this source are stored."""
        connection = await asyncpg.connect(self.database.writer("inventory"))
        try:
            return int(await connection.fetchval(EXPECTED, self.source) or 0)
        finally:
            await connection.close()


@pytest.fixture
def world(kafka: str, database: Database) -> World:
    return World(kafka, database, f"rmm/patchline/{uuid4().hex[:8]}")


@asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def inventory(world: World, *, batch_records: int = 1000) -> AsyncIterator[None]:
    """Run `python -m services.inventory`; at the end it must drain and exit 0."""
    env = {
        **os.environ,
        "PATCHLINE_KAFKA": world.kafka,
        "PATCHLINE_DATABASE_URL": world.database.writer("inventory"),
        "PATCHLINE_BATCH_RECORDS": str(batch_records),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.inventory", env=env, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def until(check: Callable[[], Awaitable[object]], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.1)


def poisoned(good: Envelope, **headers: bytes) -> Message:
    """Return the record of `good` with some headers replaced."""
    message = encode(good)
    return Message(
        key=message.key,
        headers=[(name, headers.get(name, value)) for name, value in message.headers],
        value=message.value,
    )


async def test_poison_is_set_aside_and_its_neighbours_are_kept(world: World) -> None:
    bad = world.seen("bad")
    records = [
        encode(world.seen("first")),
        Message(key=None, headers=encode(bad).headers, value=b"{not json"),
        poisoned(bad, ce_type=b"device.levitated.v1"),
        poisoned(bad, ce_time=b"0001-01-01T00:00:00+14:00"),
        encode(world.seen("last")),
    ]

    async with inventory(world):
        await world.send(*records)
        await until(lambda: world.news("last"))

        dead = [
            headers
            for _, headers, _ in await world.read("rmm.events.dlq")
            if headers["ce_source"].decode() == world.source
        ]
    reasons = sorted(headers["dlq_reason"].decode() for headers in dead)
    assert await world.devices() == 2
    assert len(await world.news("first")) == 1
    assert len(reasons) == 3
    assert reasons[0].startswith("body: Invalid JSON")
    assert reasons[1].startswith("ce_type: 'device.levitated.v1'")
    assert reasons[2].startswith("inventory cannot handle it")


async def test_everything_delivered_again_is_told_no_second_time(world: World) -> None:
    gone = of_device(rmm.DeviceRemoved(device="d2", reason="deleted"), at=NOON + MINUTE, source=world.source)
    records = [encode(each) for each in (world.seen("d1"), world.seen("d2"), gone)]

    async with inventory(world):
        await world.send(*records)
        await until(lambda: world.news("d2"))
        await world.send(*reversed(records), *records, encode(world.seen("sentinel")))
        await until(lambda: world.news("sentinel"))

    assert len(await world.news("d1")) == 1
    last = (await world.news("d2"))[-1]
    assert last.data == AssetRemoved()
    assert await world.devices() == 3


async def test_sigterm_under_load_loses_nothing(world: World) -> None:
    devices = [f"d{number}" for number in range(6000)]
    await send_spread(world, [world.seen(device) for device in devices])

    async with inventory(world, batch_records=100):
        await until(world.devices)
    at_the_signal = await world.devices()
    async with inventory(world):
        await until(lambda: _has(world, len(devices)))
        await until(lambda: world.news(devices[-1]))

    told = {key for key, _, _ in await world.read("inventory.assets")}
    assert 0 < at_the_signal < len(devices)
    assert {str(world.asset(device)).encode() for device in devices} <= told


async def _has(world: World, count: int) -> bool:
    return await world.devices() == count


async def send_spread(world: World, events: Sequence[Envelope]) -> None:
    async with producing(world.kafka) as producer:
        for each in events:
            message = encode(each, f"{each.source}/{each.subject}")
            await producer.send(topics.RMM_EVENTS.name, key=message.key, value=message.value, headers=message.headers)
        await producer.flush()

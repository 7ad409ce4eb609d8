"""Eight consumers over the same devices, patches and products: nobody waits for ever, nobody overwrites another."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import islice

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis import watermark
from chassis.clock import moved_clock
from chassis.consumer import BatchConsumer
from chassis.errors import TRANSIENT
from chassis.health import HealthServer, Progress
from chassis.lanes import bulk_group
from chassis.platform import Platform
from chassis.postgres import open_pool
from chassis.relay import Relay
from contracts import ids, topics
from contracts.envelope import Envelope, decode, encode
from contracts.events import rmm
from services.inventory.handlers import DeviceEvents
from services.inventory.store import load_for_update
from tests.builders import ACME, BIRCH, NOON, SOURCE, of_device
from tests.chassis.machine_room import until
from tests.compliance.conftest import _house as _house  # noqa: PLC0414 - a fixture
from tests.compliance.conftest import house as house  # noqa: PLC0414 - a fixture
from tests.compliance.house import House, asset_changed, client_in
from tests.compliance.stories import hour
from tests.compliance.test_order import sayings
from tests.inventory.facts import QUIET, asset_of, removed, seen, updated, usable
from tests.parts import Database

CONSUMERS = 8
DEVICES = [f"dc{number:02}" for number in range(1, 7)]


async def eight_at_once(hear: Callable[..., Awaitable[object]], batches: Sequence[list[Envelope]]) -> Counter[str]:
    """Let eight consumers hear the batches, each again while that may work later; return what went wrong how often."""
    left = deque(batches)
    errors: Counter[str] = Counter()

    async def one() -> None:
        while left:
            batch = left.popleft()
            while True:
                try:
                    await hear(*batch)
                    break
                except TRANSIENT as error:
                    errors[type(error).__name__] += 1

    await asyncio.gather(*(one() for _ in range(CONSUMERS)))
    return errors


def in_batches(events: Sequence[Envelope], chance: random.Random) -> list[list[Envelope]]:
    """Return the events in a random order, some twice, in batches of random sizes."""
    shuffled = [*events, *chance.sample(list(events), len(events) // 4)]
    chance.shuffle(shuffled)
    rest = iter(shuffled)
    return list(iter(lambda: list(islice(rest, chance.randint(1, 25))), []))


def of_many(said: Sequence[Envelope], chance: random.Random) -> list[Envelope]:
    """Return what was said, each of another device."""
    told = []
    for each in said:
        assert isinstance(each.data, rmm.RmmEvent)
        moved = each.data.model_copy(update={"device": chance.choice(DEVICES)})
        told.append(of_device(moved, at=each.time, source=each.source))
    return told


@pytest.mark.parametrize("seed", range(3))
async def test_eight_consumers_of_compliance_end_where_one_does(house: House, seed: int) -> None:
    chance = random.Random(seed)
    said = of_many(sayings(chance, 150), chance)
    records = [asset_changed(device, sequence=number) for device in DEVICES for number in (1, 2, 3)]
    told = [*said, *records, client_in("Europe/Berlin"), client_in("Australia/Sydney", sequence=2)]
    await house.hear(*told)
    await house.settle()
    alone = await house.everything()
    await house.empty()
    pool = await open_pool(house.database.writer("compliance"), size=CONSUMERS + 2, application="eight")
    eight = House(house.database, pool)
    eight.now = hour(10)
    over = asyncio.Event()

    async def loops() -> None:
        while not over.is_set():
            await eight.settle()
            await asyncio.sleep(0.01)

    looping = asyncio.create_task(loops())
    errors = await eight_at_once(eight.hear, in_batches(told, chance))
    over.set()
    await looping
    await eight.settle()
    together = await eight.everything()
    await pool.close()

    assert errors["DeadlockDetectedError"] == 0
    assert together == alone


def devices_say(chance: random.Random, count: int) -> list[Envelope]:
    """Return so many random words about a few devices, of two clients."""

    def one() -> Envelope:
        device, at = chance.choice(DEVICES), NOON + timedelta(seconds=chance.randint(0, 600))
        told = chance.choice(
            [
                seen(device, at=at, hostname=chance.choice(["a", "b"]), serial=chance.choice(["1", "2"])),
                updated(device, at=at, os_name=chance.choice(["Windows 11 Pro", "Ubuntu 24.04"]), owner="o"),
                updated(device, at=at, os_build=chance.choice(["1.0", "2.0"])),
                removed(device, at=at),
                of_device(rmm.DeviceOnline(device=device), at=at),
            ]
        )
        assert isinstance(told.data, rmm.RmmEvent)
        return of_device(told.data, at=at, source=SOURCE, tenant=chance.choice([ACME, BIRCH]))

    return [one() for _ in range(count)]


@pytest.fixture
async def platforms(database: Database, kafka: str) -> AsyncIterator[list[Platform]]:
    """Eight processes' worth of shared parts of inventory."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(CONSUMERS):
            pool = await open_pool(database.writer("inventory"), size=3, application="eight")
            stack.push_async_callback(pool.close)
            progress = Progress()
            relay = Relay(dsn=database.writer("inventory"), kafka=kafka, progress=progress)
            health = HealthServer(progress, "127.0.0.1", 0)
            made.append(
                Platform(pool=pool, kafka=kafka, clock=moved_clock(0), progress=progress, relay=relay, health=health)
            )
        yield made


async def test_eight_consumers_of_two_groups_over_the_same_devices_end_in_the_fold(
    platforms: list[Platform], database: Database, kafka: str
) -> None:
    chance = random.Random(11)
    said = devices_say(chance, 1200)
    lanes = [("inventory", topics.RMM_EVENTS), (bulk_group("inventory"), topics.RMM_EVENTS_BULK)]
    consumers = [
        BatchConsumer(
            group=group, topics=[topic], decode=decode, handler=DeviceEvents(quiet=QUIET), on=on, max_records=25
        )
        for on, (group, topic) in zip(platforms, lanes * (CONSUMERS // 2), strict=True)
    ]
    stopping = asyncio.Event()
    before = await ends(kafka)
    async with platforms[0].pool.acquire() as connection, connection.transaction():
        for group, topic in lanes:
            await watermark.ensure(connection, group, {each: before[each] for each in partitions_of(topic)}, {})

    running = [asyncio.create_task(each.run(stopping)) for each in consumers]
    await spread(kafka, said, chance)
    after = await ends(kafka)
    await until(lambda: handled(platforms[0], {each: end for each, end in after.items() if end > before[each]}), 60)
    stopping.set()
    await asyncio.gather(*running)

    by_device: dict[str, list[Envelope]] = {}
    for each in said:
        by_device.setdefault(usable(each).device, []).append(each)
    async with platforms[0].pool.acquire() as connection, connection.transaction():
        kept = await load_for_update(connection, [ids.asset_id(SOURCE, device) for device in DEVICES])
    assert {each.asset.device: each.asset for each in kept.values()} == {
        device: asset_of(theirs) for device, theirs in by_device.items()
    }
    assert await deadlocks(database) == 0


async def ends(kafka: str) -> dict[TopicPartition, int]:
    """Return where the lanes' partitions end: other tests of this process may have left records in them."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        partitions = [*partitions_of(topics.RMM_EVENTS), *partitions_of(topics.RMM_EVENTS_BULK)]
        found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


def partitions_of(topic: topics.Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


async def spread(kafka: str, said: Sequence[Envelope], chance: random.Random) -> None:
    """Send every word to a random partition of either lane, some to both."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    for each in said:
        for topic in chance.choice([[topics.RMM_EVENTS], [topics.RMM_EVENTS_BULK], [topics.RMM_EVENTS] * 2]):
            message = encode(each)
            partition = chance.randrange(topic.partitions)
            await producer.send(
                topic.name, message.value, key=message.key, headers=message.headers, partition=partition
            )
    await producer.flush()
    await producer.stop()


async def handled(on: Platform, sent: dict[TopicPartition, int]) -> bool:
    """Return whether the watermarks stand where the records end."""
    rows = await on.pool.fetch("SELECT topic, partition, next_offset FROM watermark")
    at = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    return all(at.get(each) == end for each, end in sent.items())


async def deadlocks(database: Database) -> int:
    """Return how many deadlocks PostgreSQL has had to end in this database."""
    connection = await asyncpg.connect(database.admin)
    found: int = await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    await connection.close()
    return found

"""Consumers of one group that come and go under load: nothing lost, nothing doubled, whoever is left reads all."""

import asyncio
import itertools
import random
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaProducer

from contracts.topics import Topic
from tests.chassis.machine_room import Keeper, consuming, counted, running, seen, send, until

RECORDS = 1500


async def test_a_consumer_that_is_given_no_partition_waits_for_one(empty_room: str, kafka: str, topic: Topic) -> None:
    group = f"g-{topic.name}"

    async with AsyncExitStack() as stack:
        three = [await stack.enter_async_context(running(empty_room, kafka, Keeper(topic), group)) for _ in range(3)]
        await send(kafka, topic, [f"v{n:03}".encode() for n in range(20)])
        await until(lambda: counted(empty_room, 20), 30)
        await asyncio.sleep(0.5)

        assert not any(each.done() for each in three)

    assert await seen(empty_room) == [f"v{n:03}" for n in range(20)]


async def test_consumers_that_come_and_go_every_moment_lose_and_double_nothing(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group, chance, over = f"g-{topic.name}", random.Random(5), asyncio.Event()
    keepers = [Keeper(topic) for _ in range(3)]

    async def load() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
        await producer.start()
        for number in range(RECORDS):
            await producer.send(topic.name, f"v{number:05}".encode(), partition=number % topic.partitions)
            if number % 20 == 0:
                await asyncio.sleep(0.13)
        await producer.flush()
        await producer.stop()

    async def comes_and_goes(keeper: Keeper) -> int:
        for times in itertools.count(1):
            async with consuming(empty_room, kafka, keeper, group):
                await asyncio.sleep(chance.uniform(1.5, 3.0))
            if over.is_set():
                return times
        return 0

    async with running(empty_room, kafka, keepers[0], group) as stays:
        others = [asyncio.create_task(comes_and_goes(each)) for each in keepers[1:]]
        await load()
        over.set()
        times = await asyncio.gather(*others)
        await until(lambda: counted(empty_room, RECORDS), 30)
        assert not stays.done()

    assert await seen(empty_room) == [f"v{number:05}" for number in range(RECORDS)]
    assert sum(times) >= 4
    assert any(keeper.batches for keeper in keepers[1:])

"""The writer on real brokers: what is called written is there, whatever happens to Kafka meanwhile."""

import asyncio
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.health import Progress
from contracts.topics import RMM_RAW, Topic
from services.gateway.door.raw_batch import BATCH_BYTES, HEADERS_BYTES, Outcome
from services.gateway.door.raw_writer import Limits, RawWriter
from tests.gateway.doors import PATIENT, SIGNING, open_door, raw_topic, running_writer, signed
from tests.gateway.own_kafka import OwnKafka

HEADERS = [("raw_id", b"1")]
SMALL = Topic(name="test.small", key="", producer="test", consumers=())


@pytest.fixture(scope="module")
async def small(own_kafka: OwnKafka) -> Topic:
    """A topic that takes small records only."""
    admin = AIOKafkaAdminClient(bootstrap_servers=own_kafka.url)
    await admin.start()
    await admin.create_topics([NewTopic(SMALL.name, 2, 1, topic_configs={"max.message.bytes": "5000"})])
    await admin.close()
    return SMALL


async def test_all_that_is_called_written_is_there_once_and_spread(kafka: str) -> None:
    values = [b"%d" % number for number in range(3000)]
    async with raw_topic(kafka) as raw:
        async with running_writer(kafka) as writer:
            outcomes = await asyncio.gather(*(writer.write(HEADERS, value) for value in values))

        records = await raw.standing()

    assert set(outcomes) == {Outcome.WRITTEN}
    assert sorted(record.value for record in records) == sorted(values)
    assert len({record.partition for record in records}) > 1


async def test_large_and_small_records_travel_in_batches_that_the_broker_takes(kafka: str) -> None:
    sizes = [1_048_576, 10, 300_000, 300_000, 1_048_576, 1, BATCH_BYTES]

    async with running_writer(kafka) as writer:
        outcomes = await asyncio.gather(*(writer.write(HEADERS, b"x" * size) for size in sizes))

    assert set(outcomes) == {Outcome.WRITTEN}


async def test_what_is_under_way_when_it_stops_is_written(kafka: str) -> None:
    async with raw_topic(kafka) as raw:
        async with running_writer(kafka) as writer:
            writing = [asyncio.ensure_future(writer.write(HEADERS, b"last %d" % number)) for number in range(50)]
            await asyncio.sleep(0)

        assert {await task for task in writing} == {Outcome.WRITTEN}
        assert len(await raw.standing()) == 50


async def test_one_that_gives_up_waiting_takes_nobody_along(kafka: str) -> None:
    async with running_writer(kafka) as writer:
        writing = [asyncio.ensure_future(writer.write(HEADERS, b"x")) for _ in range(3)]
        await asyncio.sleep(0)
        writing[0].cancel()

        outcomes = await asyncio.gather(*writing, return_exceptions=True)

    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [Outcome.WRITTEN, Outcome.WRITTEN]


async def test_without_kafka_the_budget_is_kept_and_nothing_stays_in_memory(nobody: str) -> None:
    size = 1000 + HEADERS_BYTES
    async with running_writer(nobody, limits=Limits(budget_seconds=0.3, waiting_bytes=10 * size)) as writer:
        started = time.monotonic()
        outcomes = await asyncio.gather(*(writer.write(HEADERS, b"x" * 1000) for _ in range(11)))
        seconds = time.monotonic() - started

        again = await writer.write(HEADERS, b"x" * 1000)

    assert outcomes.count(Outcome.LATE) == 10
    assert outcomes.count(Outcome.FULL) == 1
    assert 0.25 < seconds < 3
    assert again is Outcome.LATE


async def test_it_is_ready_when_kafka_is_there(kafka: str) -> None:
    progress = Progress()
    writer = RawWriter(kafka=kafka, topic=RMM_RAW, progress=progress, limits=PATIENT)
    stopping = asyncio.Event()
    before = progress.not_ready()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.run(stopping))
        assert await writer.write(HEADERS, b"x") is Outcome.WRITTEN
        during = progress.not_ready()
        stopping.set()

    assert (before, during) == (["writer of rmm.raw"], [])


async def test_a_record_that_kafka_refuses_takes_no_neighbour_along(own_kafka: OwnKafka, small: Topic) -> None:
    async with raw_topic(own_kafka.url, small.name) as raw:
        async with running_writer(own_kafka.url, topic=small) as writer:
            values = [b"x" * 100_000 if number == 7 else b"small %d" % number for number in range(20)]
            outcomes = await asyncio.gather(*(writer.write(HEADERS, value) for value in values))
            after = await writer.write(HEADERS, b"after")

        there = [record.value for record in await raw.standing()]

    assert outcomes == [Outcome.WRITTEN] * 7 + [Outcome.REFUSED] + [Outcome.WRITTEN] * 12
    assert after is Outcome.WRITTEN
    assert sorted(there) == sorted([*values[:7], *values[8:], b"after"])


async def until_written(writer: RawWriter, value: bytes) -> None:
    async with asyncio.timeout(60):
        while await writer.write(HEADERS, value) is not Outcome.WRITTEN:
            await asyncio.sleep(0.1)


async def test_kafka_dies_and_comes_back(own_kafka: OwnKafka) -> None:
    limits = Limits(budget_seconds=2)
    async with raw_topic(own_kafka.url) as raw:
        async with running_writer(own_kafka.url, limits=limits) as writer:
            await until_written(writer, b"before")
            await own_kafka.kill()
            meanwhile = await asyncio.gather(*(writer.write(HEADERS, b"meanwhile") for _ in range(6)))
            await own_kafka.start()
            await until_written(writer, b"back")
            after = await asyncio.gather(*(writer.write(HEADERS, b"after %d" % number) for number in range(100)))

        values = [record.value for record in await raw.standing()]

    assert (set(meanwhile), set(after)) == ({Outcome.LATE}, {Outcome.WRITTEN})
    assert {b"before", b"back"} | {b"after %d" % number for number in range(100)} <= set(values)
    assert len([value for value in values if value.startswith(b"after")]) == 100


async def test_what_was_called_written_survives_the_death_of_kafka_under_load(own_kafka: OwnKafka) -> None:
    written: list[bytes] = []

    async def keep_writing(writer: RawWriter, name: int, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            value = b"%d/%d" % (name, number)
            if await writer.write(HEADERS, value) is Outcome.WRITTEN:
                written.append(value)
            number += 1

    stop = asyncio.Event()
    async with raw_topic(own_kafka.url) as raw:
        async with running_writer(own_kafka.url, limits=Limits(budget_seconds=0.3)) as writer:
            tasks = [asyncio.create_task(keep_writing(writer, name, stop)) for name in range(20)]
            await asyncio.sleep(0.5)
            await own_kafka.kill()
            at_death = len(written)
            await own_kafka.start()
            async with asyncio.timeout(60):
                while len(written) < at_death + 200:
                    await asyncio.sleep(0.1)
            stop.set()
            await asyncio.gather(*tasks)

        values = [record.value for record in await raw.standing()]

    assert at_death > 0
    assert set(written) <= set(values)
    assert len(values) == len(set(values))


async def test_the_door_says_when_to_come_back(own_kafka: OwnKafka) -> None:
    async with open_door(own_kafka.url, limits=Limits(budget_seconds=0.4)) as door:
        await own_kafka.kill()
        started = time.monotonic()
        away = await door.client.post(SIGNING, content=b"x", headers=signed(b"x"))
        seconds = time.monotonic() - started
        await own_kafka.start()
        async with asyncio.timeout(60):
            while (back := await door.client.post(SIGNING, content=b"x", headers=signed(b"x"))).status_code != 202:
                await asyncio.sleep(0.1)

    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert away.headers["content-type"] == "application/problem+json"
    assert seconds < 5
    assert back.status_code == 202

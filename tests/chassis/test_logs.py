"""A log that does not continue where a consumer stood: it stops and says so, running or not; it never skips."""

import asyncio

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from chassis.errors import LogNotContinuous, MayWorkLater
from chassis.topic_ids import topic_ids
from contracts.topics import Topic
from tests.chassis.machine_room import Keeper, counted, running, seen, send, until


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.consumer.LOOK_SECONDS", 0.3)


async def made_anew(kafka: str, topic: Topic) -> None:
    """Delete the topic and make another one of its name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_topics([topic.name])
    while topic.name in await topic_ids(kafka, [topic.name]):
        await asyncio.sleep(0.05)
    while True:
        try:
            await admin.create_topics([NewTopic(topic.name, topic.partitions, 1)])
            break
        except (TopicAlreadyExistsError, UnknownTopicOrPartitionError):
            await asyncio.sleep(0.05)
    await admin.close()


async def cut_before(kafka: str, topic: Topic, offset: int) -> None:
    """Delete the first records of each partition, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(topic.name, n): _before(offset) for n in range(topic.partitions)})
    await admin.close()


def _before(offset: int) -> object:
    from aiokafka.admin.records_to_delete import RecordsToDelete

    return RecordsToDelete(offset)


async def ended(consuming: "asyncio.Task[None]") -> str:
    """Return why a consumer stopped for good."""
    await asyncio.wait([consuming], timeout=20)
    assert consuming.done(), "it went on as if nothing had happened"
    error = consuming.exception()
    assert isinstance(error, LogNotContinuous), repr(error)
    assert "docs/runbook.md, 'A log does not continue'" in str(error)
    return str(error)


@pytest.mark.parametrize("again", [4, 60], ids=["shorter than our place", "longer than our place"])
async def test_a_topic_made_anew_stops_a_running_consumer(
    empty_room: str, kafka: str, topic: Topic, again: int
) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(20)])

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}") as consuming:
        await until(lambda: counted(empty_room, 20))
        await made_anew(kafka, topic)
        await send(kafka, topic, [f"w{n:03}".encode() for n in range(again)])
        reason = await ended(consuming)

    assert "made anew" in reason
    assert [text for text in await seen(empty_room) if text < "w020"] == [f"v{n:03}" for n in range(20)]


async def test_a_topic_made_anew_with_the_same_records_and_more_stops_a_consumer_that_starts(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(20)])
    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}"):
        await until(lambda: counted(empty_room, 20))
    await made_anew(kafka, topic)
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(60)])

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}") as consuming:
        reason = await ended(consuming)

    assert "made anew" in reason
    assert len(await seen(empty_room)) == 20


async def test_records_deleted_unread_stop_a_consumer_that_starts(empty_room: str, kafka: str, topic: Topic) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(20)])
    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}"):
        await until(lambda: counted(empty_room, 20))
    await send(kafka, topic, [f"w{n:03}".encode() for n in range(20)])
    await cut_before(kafka, topic, 15)

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}") as consuming:
        reason = await ended(consuming)

    assert "starts at 15, above" in reason
    assert len(await seen(empty_room)) == 20


async def test_records_deleted_under_a_consumer_that_waits_stop_it(empty_room: str, kafka: str, topic: Topic) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(20)])
    keeper = Keeper(topic, fails=lambda _text: MayWorkLater("the database is away"))

    async with running(empty_room, kafka, keeper, f"g-{topic.name}") as consuming:
        await until(lambda: keeper.batches)
        await cut_before(kafka, topic, 5)
        reason = await ended(consuming)

    assert "starts at 5, above" in reason
    assert await seen(empty_room) == []


async def test_records_that_were_read_may_be_deleted(empty_room: str, kafka: str, topic: Topic) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(20)])

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}") as consuming:
        await until(lambda: counted(empty_room, 20))
        await cut_before(kafka, topic, 10)
        await asyncio.sleep(1)
        await send(kafka, topic, [b"w", b"x"])
        await until(lambda: counted(empty_room, 22))
        assert not consuming.done()


async def test_an_older_database_goes_back_and_says_so(
    empty_room: str, kafka: str, topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(10)])
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, 10))
    connection = await asyncpg.connect(empty_room)
    backup = await connection.fetch("SELECT * FROM watermark WHERE consumer_group = $1", group)
    await send(kafka, topic, [f"w{n:03}".encode() for n in range(10)])
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, 20))

    await connection.execute("DELETE FROM seen WHERE text LIKE 'w%'")
    await connection.execute("DELETE FROM watermark WHERE consumer_group = $1", group)
    await connection.copy_records_to_table("watermark", records=[tuple(row) for row in backup])
    await connection.close()
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, 20))

    assert await seen(empty_room) == [f"{c}{n:03}" for c in "vw" for n in range(10)]
    assert "goes back, handles again" in caplog.text


async def test_a_running_consumer_notices_an_older_database_without_a_new_record(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(10)])
    connection = await asyncpg.connect(empty_room)

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}") as consuming:
        await until(lambda: counted(empty_room, 10))
        await connection.execute("DELETE FROM seen WHERE text > 'v003'")
        await connection.execute(
            "UPDATE watermark SET next_offset = 2, last_identity = NULL WHERE topic = $1", topic.name
        )
        await until(lambda: counted(empty_room, 10))
        assert not consuming.done()

    await connection.close()
    assert await seen(empty_room) == [f"v{n:03}" for n in range(10)]

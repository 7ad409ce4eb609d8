"""What Kafka is told of a group's place: soon, and again where it would not take it."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError

from contracts.topics import Topic
from tests.chassis.machine_room import Keeper, counted, running, send, until


async def told_of(kafka: str, group: str, topic: Topic, count: int) -> bool:
    """Return whether the offsets that Kafka keeps for the group come to so many records."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        kept = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return bool(sum(each.offset for place, each in kept.items() if place.topic == topic.name) == count)


async def test_kafka_is_told_how_far_the_group_is_soon_though_it_refused_once(
    empty_room: str, kafka: str, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, refusals = f"g-{topic.name}", [CommitFailedError()]
    commits = AIOKafkaConsumer.commit

    async def refused_once(consumer: AIOKafkaConsumer, places: dict[TopicPartition, int]) -> None:
        if refusals:
            raise refusals.pop()
        await commits(consumer, places)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", refused_once)
    await send(kafka, topic, [f"v{n}".encode() for n in range(10)])
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, 10))
        await until(lambda: told_of(kafka, group, topic, 10))

    assert refusals == []

"""What a consumer that died leaves in its group: the next one takes its place, and shows where it really stands."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import Topic
from tests.chassis.machine_room import Keeper, counted, running, send, until


async def test_offsets_that_a_death_left_behind_are_committed_at_the_next_start(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    await send(kafka, topic, [b"v"] * topic.partitions)
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, topic.partitions))
    observer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await observer.start()
    observer.assign(partitions)
    await observer.commit(dict.fromkeys(partitions, 0))  # as if it had died after its transaction
    await observer.stop()

    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: _committed(kafka, group, partitions))

    assert await counted(empty_room, topic.partitions)


async def _committed(kafka: str, group: str, partitions: list[TopicPartition]) -> bool:
    """Return whether the group's offsets are at the end of every partition."""
    observer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await observer.start()
    try:
        ends = await observer.end_offsets(partitions)
        return all([await observer.committed(each) == ends[each] for each in partitions])
    finally:
        await observer.stop()

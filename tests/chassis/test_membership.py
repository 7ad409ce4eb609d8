"""What a consumer that died leaves in its group: the next one takes its place, and shows where it really stands."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from chassis.batch import Record
from chassis.subscription import Member, Subscription
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


async def test_a_member_that_comes_back_by_its_name_gets_partitions_that_were_added_meanwhile(
    kafka: str, topic: Topic
) -> None:
    member = Member(f"g-{topic.name}", "one")
    async with _member(kafka, topic, member) as before:
        await until(lambda: len(before) == topic.partitions)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_partitions({topic.name: NewPartitions(total_count=topic.partitions + 1)})
    await admin.close()

    async with _member(kafka, topic, member) as after:
        await until(lambda: len(after) == topic.partitions + 1)


@asynccontextmanager
async def _member(kafka: str, topic: Topic, member: Member) -> AsyncIterator[set[int]]:
    """Subscribe as a member and yield the partitions that it has, kept up to date."""
    mine: set[int] = set()

    async def on_assigned(partitions: Sequence[TopicPartition]) -> None:
        mine.clear()
        mine.update(each.partition for each in partitions)

    async def on_records(_records: Sequence[Record]) -> None:
        """Take nothing: only who has what is tried."""

    subscription = Subscription(
        kafka=kafka,
        member=member,
        topics=[topic],
        max_records=10,
        on_records=on_records,
        on_assigned=on_assigned,
    )
    await subscription.start()
    try:
        yield mine
    finally:
        await subscription.stop()

"""aiokafka's keeping of metadata ends for good at an error that it does not expect; it is begun again."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition

from chassis.batch import Record
from chassis.subscription import Member, Subscription
from contracts.topics import Topic
from tests.chassis.machine_room import until

ANSWERED_SECONDS = 15


async def test_metadata_is_kept_again_after_an_error_that_the_client_does_not_expect(
    kafka: str, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    assigned: list[TopicPartition] = []

    async def on_assigned(partitions: Sequence[TopicPartition]) -> None:
        assigned.extend(partitions)

    async def on_records(_records: Sequence[Record]) -> None:
        """Take nothing."""

    reader = Subscription(
        kafka=kafka,
        member=Member(f"g-{topic.name}"),
        topics=[topic],
        max_records=10,
        on_records=on_records,
        on_assigned=on_assigned,
    )
    await reader.start()
    try:
        await until(lambda: assigned)
        client = reader.consumer._client
        with monkeypatch.context() as broken:
            broken.setattr(client, "_metadata_update", _closed)
            asked = client.force_metadata_update()
            await until(client._sync_task.done)
        reader.keep_metadata()
        async with asyncio.timeout(ANSWERED_SECONDS):
            ends = await reader.consumer.end_offsets(assigned)
            await asked
    finally:
        await reader.stop()

    assert ends == dict.fromkeys(assigned, 0)


async def _closed(*_: object) -> bool:
    """Fail as a connection of uvloop does that was closed under the one who writes."""
    raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

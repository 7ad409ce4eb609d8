"""Where a topic ends, and the records that came after: what a stage has put there, read back for its floor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import Message
from contracts.topics import Topic

LONGEST_SECONDS: Final = 120

Offsets = dict[TopicPartition, int]


@asynccontextmanager
async def reading(kafka: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield what reads, without a group."""
    reader = AIOKafkaConsumer(bootstrap_servers=kafka)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def ends(reader: AIOKafkaConsumer, topic: Topic) -> Offsets:
    """Return the offset at which each partition of a topic goes on."""
    found: Offsets = await reader.end_offsets([TopicPartition(topic.name, each) for each in range(topic.partitions)])
    return found


async def read_back(reader: AIOKafkaConsumer, since: Offsets, count: int) -> list[Message]:
    """Return `count` of the records that came after these offsets.

    Raises:
        TimeoutError: there are not so many.
    """
    reader.assign(list(since))
    for partition, offset in since.items():
        reader.seek(partition, offset)
    records: list[Message] = []
    async with asyncio.timeout(LONGEST_SECONDS):
        while len(records) < count:
            for batch in (await reader.getmany(timeout_ms=500)).values():
                records += [Message(key=each.key, headers=list(each.headers), value=each.value) for each in batch]
    return records[:count]

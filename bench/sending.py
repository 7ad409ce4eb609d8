"""Puts a backlog on a topic faster than any stage reads it: whole batches, each record in the partition of its key."""

import asyncio
from collections.abc import Iterable
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.envelope import Message
from contracts.topics import Topic

BATCH_BYTES: Final = 262_144
partition_of: Final = DefaultPartitioner()


async def sent(kafka: str, topic: Topic, messages: Iterable[Message]) -> int:
    """Put the messages on `topic`, by their keys and in their order, and return how many."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        filling = _Filling(producer, topic)
        count = 0
        for each in messages:
            await filling.add(each)
            count += 1
        await filling.flush()
    finally:
        await producer.stop()
    return count


class _Filling:
    """One open batch for each partition; a full one is on its way while the next is filled."""

    def __init__(self, producer: AIOKafkaProducer, topic: Topic) -> None:
        self._producer = producer
        self._topic = topic
        self._numbers = list(range(topic.partitions))
        self._open: dict[int, BatchBuilder] = {}
        self._under_way: list[asyncio.Future[object]] = []

    async def add(self, message: Message) -> None:
        partition = partition_of(message.key, self._numbers, self._numbers)
        batch = self._open.get(partition) or self._producer.create_batch()
        if not _has_taken(batch, message):
            await self._send(partition, batch)
            batch = self._producer.create_batch()
            _has_taken(batch, message)
        self._open[partition] = batch

    async def flush(self) -> None:
        """Return when everything is acknowledged."""
        for partition, batch in self._open.items():
            await self._send(partition, batch)
        await asyncio.gather(*self._under_way)

    async def _send(self, partition: int, batch: BatchBuilder) -> None:
        batch.close()
        self._under_way.append(await self._producer.send_batch(batch, self._topic.name, partition=partition))


def _has_taken(batch: BatchBuilder, message: Message) -> bool:
    record = {"timestamp": None, "key": message.key, "value": message.value, "headers": message.headers}
    return batch.append(**record) is not None

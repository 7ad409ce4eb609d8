"""A backlog stands on its topic as if a producer had sent each record: in the partition of its key, in order."""

import asyncio
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.sending import sent
from contracts.envelope import Message
from contracts.topics import RMM_EVENTS

RECORDS = 3_000
KEYS = 50


def _message(number: int) -> Message:
    return Message(key=b"device-%d" % (number % KEYS), headers=[("ce_id", b"%d" % number)], value=b"x" * 500)


async def _sent_and_read(kafka: str) -> tuple[int, dict[bytes, list[tuple[int, int]]], dict[bytes, int]]:
    """Return how many were sent; each key's records as (partition, number); where a plain `send` puts each key."""
    partitions = [TopicPartition(RMM_EVENTS.name, number) for number in range(RMM_EVENTS.partitions)]
    consumer, producer = AIOKafkaConsumer(bootstrap_servers=kafka), AIOKafkaProducer(bootstrap_servers=kafka)
    await consumer.start()
    await producer.start()
    try:
        begin = await consumer.end_offsets(partitions)
        count = await sent(kafka, RMM_EVENTS, map(_message, range(RECORDS)))
        consumer.assign(partitions)
        for partition, offset in begin.items():
            consumer.seek(partition, offset)
        found: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        async with asyncio.timeout(30):
            while sum(map(len, found.values())) < RECORDS:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    for each in batch:
                        found[each.key].append((each.partition, int(dict(each.headers)["ce_id"])))
        plain = {key: (await producer.send_and_wait(RMM_EVENTS.name, b"", key=key)).partition for key in found}
    finally:
        await producer.stop()
        await consumer.stop()
    return count, found, plain


async def test_each_record_stands_in_its_keys_partition_and_in_its_order(kafka: str) -> None:
    count, found, plain = await _sent_and_read(kafka)

    assert count == RECORDS
    assert {key: {partition for partition, _ in its} for key, its in found.items()} == {
        key: {partition} for key, partition in plain.items()
    }
    assert all([number for _, number in its] == sorted(number for _, number in its) for its in found.values())

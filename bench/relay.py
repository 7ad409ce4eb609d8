"""The relay stage: outbox rows to Kafka, beside bare aiokafka that produces the same records from memory.

Both are measured from before they connect until everything is acknowledged, for the relay also deleted; both in this
process, on the loop that the services run on.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final, LiteralString

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from bench import state_load
from bench.measured import Place, connected
from bench.report import summary
from chassis import outbox
from chassis.health import Progress
from chassis.postgres import Connection
from chassis.relay import Relay
from contracts import topics
from contracts.envelope import Message, encode

LEFT: Final[LiteralString] = "SELECT count(*) FROM outbox"
TOPIC: Final = topics.RMM_EVENTS


async def relay_stage(place: Place, *, rounds: int, records: int) -> dict[str, object]:
    """Return how many records a second the relay carries, and the bare producer, in turns on the same records.

    Raises:
        RuntimeError: the relay left rows behind.
    """
    async with connected(place.writer_dsn) as writer:
        await _round(place, writer, _messages(-1, records // 10))
        pairs = [await _round(place, writer, _messages(number, records)) for number in range(rounds)]
    return {"unit": "records/s", **summary(pairs)}


def _messages(number: int, records: int) -> Sequence[Message]:
    """Return what the gateway's outbox would hold of `records` events, other ones each round."""
    first_at = state_load.START + timedelta(days=number + 2)
    told = state_load.events(state_load.ordinary, records, first_at=first_at, seed=number)
    return [encode(each, f"{each.source}/{each.subject}") for each in told]


async def _round(place: Place, writer: Connection, messages: Sequence[Message]) -> tuple[float, float]:
    """Return records per second of the relay and of the bare producer."""
    async with writer.transaction():
        await outbox.enqueue_messages(writer, TOPIC.name, messages)
    relayed = await _relayed(place)
    if left := await writer.fetchval(LEFT):
        raise RuntimeError(f"the relay left {left} rows in the outbox")
    return len(messages) / relayed, len(messages) / await produced(place.kafka, TOPIC.name, messages)


async def _relayed(place: Place) -> float:
    """Run the product's relay until the outbox is empty, and return the seconds that it took."""
    nothing_more_comes = asyncio.Event()
    nothing_more_comes.set()
    started_at = time.perf_counter()
    await Relay(dsn=place.writer_dsn, kafka=place.kafka, progress=Progress()).run(nothing_more_comes)
    return time.perf_counter() - started_at


async def produced(kafka: str, topic: str, messages: Sequence[Message]) -> float:
    """Produce the messages in whole batches, all in flight, and return the seconds that it took.

    One `send` per record is half as fast: the floor is as bare aiokafka does best.
    """
    started_at = time.perf_counter()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", max_batch_size=262_144)
    await producer.start()
    try:
        partitions = len(await producer.partitions_for(topic))
        acks = [
            await producer.send_batch(batch, topic, partition=number % partitions)
            for number, batch in enumerate(_batches(producer, messages))
        ]
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    return time.perf_counter() - started_at


def _batches(producer: AIOKafkaProducer, messages: Sequence[Message]) -> Iterator[BatchBuilder]:
    batch = producer.create_batch()
    for each in messages:
        record = {"timestamp": None, "key": each.key, "value": each.value, "headers": each.headers}
        if batch.append(**record) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**record)
    yield batch

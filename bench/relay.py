"""The relay stage: the outbox to Kafka, beside bare aiokafka that produces the same records from memory.

All are measured from before they connect until everything is acknowledged, for the relay also deleted; all in this
process, on the loop that the services run on. Bare aiokafka is measured in two ways: a `send` for each record, as it is
used nearly everywhere, and whole batches made by hand, several times as fast, which is the best that it can do.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString

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

LEFT: Final[LiteralString] = "SELECT coalesce(sum(records), 0)::bigint FROM outbox_waiting"
TOPIC: Final = topics.RMM_EVENTS
COMMIT: Final = 1000
"""So many records leave with one commit: a consumer's batch."""

Acks = Sequence["asyncio.Future[Any]"]


async def relay_stage(place: Place, *, rounds: int, records: int) -> dict[str, dict[str, object]]:
    """Return how many records a second the relay carries, by floor: a `send` for `each`, or `whole` batches; in turns.

    Raises:
        RuntimeError: the relay left records behind.
    """
    async with connected(place.writer_dsn) as writer:
        await _round(place, writer, _messages(-1, records // 10))
        found = [await _round(place, writer, _messages(number, records)) for number in range(rounds)]
    return {
        "each": {"unit": "records/s", **summary([(relayed, each) for relayed, each, _ in found])},
        "whole": {"unit": "records/s", **summary([(relayed, whole) for relayed, _, whole in found])},
    }


def _messages(number: int, records: int) -> Sequence[Message]:
    """Return what the gateway's outbox would hold of `records` events, other ones each round."""
    first_at = state_load.START + timedelta(days=number + 2)
    told = state_load.events(state_load.ordinary, records, first_at=first_at, seed=number)
    return [encode(each, f"{each.source}/{each.subject}") for each in told]


async def _round(place: Place, writer: Connection, messages: Sequence[Message]) -> tuple[float, float, float]:
    """Return records per second of the relay, of bare `send`s, and of bare batches."""
    for first in range(0, len(messages), COMMIT):
        async with writer.transaction():
            await outbox.enqueue_messages(writer, TOPIC.name, messages[first : first + COMMIT])
    relayed = await _relayed(place)
    if left := await writer.fetchval(LEFT):
        raise RuntimeError(f"the relay left {left} records in the outbox")
    each = await produced_singly(place.kafka, TOPIC.name, messages)
    whole = await produced(place.kafka, TOPIC.name, messages)
    return len(messages) / relayed, len(messages) / each, len(messages) / whole


async def _relayed(place: Place) -> float:
    """Run the product's relay until the outbox is empty, and return the seconds that it took."""
    nothing_more_comes = asyncio.Event()
    nothing_more_comes.set()
    started_at = time.perf_counter()
    await Relay(dsn=place.writer_dsn, kafka=place.kafka, progress=Progress()).run(nothing_more_comes)
    return time.perf_counter() - started_at


async def produced(kafka: str, topic: str, messages: Sequence[Message]) -> float:
    """Produce the messages in whole batches, all in flight, and return the seconds that it took."""

    async def hand_over(producer: AIOKafkaProducer) -> Acks:
        partitions = len(await producer.partitions_for(topic))
        return [
            await producer.send_batch(batch, topic, partition=number % partitions)
            for number, batch in enumerate(_batches(producer, messages))
        ]

    return await _timed(kafka, hand_over)


async def produced_singly(kafka: str, topic: str, messages: Sequence[Message]) -> float:
    """Produce the messages one `send` after the other, all in flight, and return the seconds that it took."""

    async def hand_over(producer: AIOKafkaProducer) -> Acks:
        return [await producer.send(topic, each.value, key=each.key, headers=each.headers) for each in messages]

    return await _timed(kafka, hand_over)


async def _timed(kafka: str, hand_over: Callable[[AIOKafkaProducer], Awaitable[Acks]]) -> float:
    started_at = time.perf_counter()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", max_batch_size=262_144)
    await producer.start()
    try:
        await asyncio.gather(*await hand_over(producer))
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

"""The door's second row: bodies of a hundred events, each answered once Kafka has all of it.

The floor decodes the same bytes as JSON and produces the same raw records, read back from the topic, by bare aiokafka:
no HTTP, no signature, no packing, no sealing. It is measured twice: with one `send` for each record, as bare aiokafka
is used, and with whole batches of them, which is as fast as it can be.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer
from pydantic_core import from_json

from bench.bodies import BODIES, EVENTS_IN_A_BODY, bodies
from bench.load import loaded, written_corpus
from bench.reading import ends, read_back, reading
from bench.relay import produced
from bench.report import Figure, at_least, beside, summary
from bench.webhooks import signed_requests
from contracts.envelope import Message
from contracts.topics import RMM_RAW_BULK

REACH: Final = 0.6
UNIQUE_BODIES: Final = 3 * BODIES
BODIES_A_SECOND: Final = 1_000
"""The floor has so many for each second of the stage: it takes about as long."""

CONNECTIONS: Final = 64
TOPIC: Final = RMM_RAW_BULK
"""Where nearly all of it goes: the source delivers more than it may live."""


@dataclass(frozen=True, slots=True)
class Door:
    """The process under load: where it listens, where it writes to, and for how many seconds a round loads it."""

    port: int
    kafka: str
    seconds: int

    @property
    def floor_bodies(self) -> int:
        """Return how many bodies the floor has to do in a round."""
        return self.seconds * BODIES_A_SECOND


async def door_rows(door: Door, secret: str, folder: Path, *, rounds: int) -> list[Figure]:
    """Return events per second of the door beside each floor; the stage and both floors take turns."""
    sent = [body for number in range(UNIQUE_BODIES // BODIES) for body in bodies(number)]
    corpus = written_corpus(folder / "hundreds", signed_requests(secret, sent))
    async with reading(door.kafka) as reader:
        since = await ends(reader, TOPIC)
        await _load(door, corpus)
        records = await read_back(reader, since, UNIQUE_BODIES)
    found = [await _round(door, corpus, sent, records) for _ in range(rounds)]
    singly, together = (summary([(each[0], each[place]) for each in found]) for place in (1, 2))
    name = f"door: bodies of {EVENTS_IN_A_BODY} events to 202, acks=all, one process"
    return [
        at_least(name, {"unit": "events/s", **singly}, REACH),
        beside(f"{name}; the floor in whole batches", {"unit": "events/s", **together}),
    ]


async def _round(
    door: Door, corpus: Path, sent: Sequence[bytes], records: Sequence[Message]
) -> tuple[float, float, float]:
    """Return events per second of the door, of the floor record by record, and of the floor in whole batches."""
    ours = await _load(door, corpus)
    floors = [await floor(door, sent, records) for floor in (by_record, by_batch)]
    return ours, floors[0], floors[1]


async def _load(door: Door, corpus: Path) -> float:
    load = await loaded(door.port, corpus, connections=CONNECTIONS, seconds=door.seconds)
    if load.failed:
        raise RuntimeError(f"{load.failed} deliveries were not answered 2xx")
    return load.requests_per_second * EVENTS_IN_A_BODY


async def by_record(door: Door, sent: Sequence[bytes], records: Sequence[Message]) -> float:
    """Decode each body and `send` its record, all in flight; return events per second until all are acknowledged."""
    started_at = time.perf_counter()
    producer = AIOKafkaProducer(
        bootstrap_servers=door.kafka, enable_idempotence=True, acks="all", max_batch_size=262_144
    )
    await producer.start()
    try:
        acks: list[Awaitable[object]] = []
        for number in range(door.floor_bodies):
            from_json(sent[number % len(sent)])
            record = records[number % len(records)]
            acks.append(await producer.send(TOPIC.name, value=record.value, headers=record.headers))
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    return door.floor_bodies * EVENTS_IN_A_BODY / (time.perf_counter() - started_at)


async def by_batch(door: Door, sent: Sequence[bytes], records: Sequence[Message]) -> float:
    """Decode all bodies, then produce their records in whole batches, and return events per second."""
    started_at = time.perf_counter()
    for number in range(door.floor_bodies):
        from_json(sent[number % len(sent)])
    decoded = time.perf_counter() - started_at
    many = [records[number % len(records)] for number in range(door.floor_bodies)]
    return door.floor_bodies * EVENTS_IN_A_BODY / (decoded + await produced(door.kafka, TOPIC.name, many))

"""Carries the outbox to Kafka: one relay per shard under a session lock, many in flight, deleted after the acks."""

import asyncio
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from chassis import outbox, points, producing, relay_rows
from chassis.errors import TRANSIENT
from chassis.health import Progress
from chassis.postgres import Connection
from chassis.telemetry import METERS, Count, Duration
from contracts.record_batch import RecordBatch
from contracts.records import Keyed, packed

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 0.2
LARGEST_BYTES: Final = 1_310_720
"""A dead letter of the largest body, its headers included."""

RETRY_SECONDS: Final = 1.0
IN_FLIGHT: Final = 2
"""While one portion is on its way to Kafka and back the next is read and handed over; a crash may double both."""

Place = tuple[str, int]
"""A topic's name and the number of a partition."""

_partitioner: Final = DefaultPartitioner()


@lru_cache(maxsize=32_768)
def _partition_of(key: bytes | None, count: int) -> int:
    """Return the partition of a key as every Kafka client does it: by murmur2, slow in Python, and keys come again."""
    everyone = range(count)
    return int(_partitioner(key or b"", everyone, everyone))


class Relay:
    """One process's relay. `wake` it after each commit; it looks by itself every `idle_seconds`.

    Where another process of the service carries a shard, its relay is woken too, through PostgreSQL.
    Other parts that carry out what a commit decided can be told at the same moment: `also_wake`.
    """

    name = "relay"

    def __init__(self, *, dsn: str, kafka: str, progress: Progress, idle_seconds: float = IDLE_SECONDS) -> None:
        """Relay from the outbox in the schema of `dsn`'s role to the brokers at `kafka`."""
        self._dsn = dsn
        self._kafka = kafka
        self._progress = progress
        self._idle_seconds = idle_seconds
        self._woken = asyncio.Event()
        self._is_to_be_told = False
        self._others: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Look at the outbox now: something was committed."""
        self._is_to_be_told = True
        self._woken.set()
        for other in self._others:
            other()

    def also_wake(self, other: Callable[[], None]) -> None:
        """Call `other` too at each `wake`; it must return at once."""
        self._others.append(other)

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until `stopping`, then until the outbox of our shards is empty."""
        while True:
            try:
                await self._session(stopping)
            except (KafkaError, *TRANSIENT) as error:
                log.warning("relay waits", extra={"reason": str(error) or type(error).__name__})
                self._progress.beat(self.name)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _session(self, stopping: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._dsn, command_timeout=30)
        try:
            async with producing.connected(
                self._kafka,
                linger_ms=0,
                max_request_size=LARGEST_BYTES,
                request_timeout_ms=int(relay_rows.DELIVERY_TIMEOUT_SECONDS * 1000),
            ) as producer:
                await self._relay(connection, producer, stopping)
        finally:
            await connection.close(timeout=2)

    async def _relay(self, connection: Connection, producer: AIOKafkaProducer, stopping: asyncio.Event) -> None:
        shards: list[int] = []
        flights: deque[_Flight] = deque()
        failed: set[Place] = set()
        await connection.add_listener(await connection.fetchval(relay_rows.CHANNEL), lambda *_: self._woken.set())
        looks, is_over, take_at = True, False, 0.0
        try:
            while flights or not is_over:
                self._progress.beat(self.name)
                is_last = stopping.is_set()  # before the look: what was committed by then is seen
                looks = looks or is_last or self._woken.is_set()
                self._woken.clear()
                if len(shards) < outbox.SHARDS:
                    if time.monotonic() >= take_at:
                        shards += await relay_rows.take_shards(connection, shards)
                        take_at = time.monotonic() + self._idle_seconds
                    await self._tell_others(connection, shards)
                flying = [row["id"] for flight in flights for row in flight.rows]
                rows = await relay_rows.peeked(connection, shards, flying) if looks else []
                is_over, looks = is_last and not rows, relay_rows.may_be_more(rows)
                if rows:
                    flights.append(await _handed_over(producer, rows))
                if len(flights) == IN_FLIGHT or (flights and not rows):
                    await _land(connection, flights.popleft(), failed)
                elif not rows and not is_last:
                    looks = True
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), self._idle_seconds)
            await connection.execute(relay_rows.MARK, shards, True)
        except (KafkaError, *TRANSIENT):
            async with asyncio.timeout(relay_rows.DELIVERY_TIMEOUT_SECONDS):
                for flight in flights:
                    await _land(connection, flight, failed)
            raise

    async def _tell_others(self, connection: Connection, shards: Sequence[int]) -> None:
        """Wake those who carry what is not ours, once for all that was committed here since they were told."""
        if self._is_to_be_told and len(shards) < outbox.SHARDS:
            self._is_to_be_told = False
            await connection.execute(relay_rows.TELL)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flight:
    """Rows that were handed over: for each batch its place, the acknowledgement to come, and how many records."""

    rows: Sequence[asyncpg.Record]
    partitions: dict[str, int]
    batches: Sequence[tuple[Place, asyncio.Future[Any], int]]
    started: float

    def left(self, acknowledged: Counter[Place]) -> dict[int, list[Keyed]]:
        """Return by row id the records behind the first so many of each place: that is the order they were sent in."""
        left: dict[int, list[Keyed]] = {}
        for row in self.rows:
            for key, body in outbox.keyed_of(row):
                place = row["topic"], _partition_of(key, self.partitions[row["topic"]])
                acknowledged[place] -= 1
                if acknowledged[place] < 0:
                    left.setdefault(row["id"], []).append((key, body))
        return left


async def _handed_over(producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]) -> _Flight:
    """Give the producer whole batches. A partition's records stay in the rows' order.

    A future per batch instead of one per record is half the work.
    """
    started = time.monotonic()
    partitions = {topic: len(await producer.partitions_for(topic)) for topic in {row["topic"] for row in rows}}
    filling: defaultdict[Place, list[RecordBatch]] = defaultdict(lambda: [RecordBatch(calc_crc32c)])
    for row in rows:
        topic = row["topic"]
        count = partitions[topic]
        for key, body in outbox.keyed_of(row):
            batches = filling[topic, _partition_of(key, count)]
            if not batches[-1].add(body):
                batches.append(RecordBatch(calc_crc32c))
                batches[-1].add(body)
    sent = [
        (
            place,
            await producer.send_batch(cast("BatchBuilder", batch), place[0], partition=place[1]),
            batch.record_count(),
        )
        for place, batches in filling.items()
        for batch in batches
    ]
    return _Flight(rows=rows, partitions=partitions, batches=sent, started=started)


async def _land(connection: Connection, flight: _Flight, failed: set[Place]) -> None:
    """Wait for the acknowledgements and forget what has one; of a failed place nothing that was sent after the failure.

    So a key's records are in their order in the log's end, whatever was sent twice. Raises the first failure.
    """
    outcomes = await asyncio.gather(*(ack for _, ack, _ in flight.batches), return_exceptions=True)
    points.reached("relay after the acknowledgement")
    acknowledged: Counter[Place] = Counter()
    for (place, _, count), outcome in zip(flight.batches, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            failed.add(place)
        elif place not in failed:
            acknowledged[place] += count
    METERS.add(Count.SENT, acknowledged.total())
    left = flight.left(acknowledged) if failed else {}
    await connection.execute(relay_rows.FORGET, [row["id"] for row in flight.rows if row["id"] not in left])
    if left:
        await connection.executemany(relay_rows.SHORTEN, [(row, len(each), packed(each)) for row, each in left.items()])
    points.reached("relay after the delete")
    METERS.record(Duration.SEND, time.monotonic() - flight.started)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome

"""Carries outbox rows to Kafka: one relay per shard under a session lock, many in flight, deleted after the acks."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, LiteralString

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from chassis import outbox, points
from chassis.errors import TRANSIENT
from chassis.health import Progress
from chassis.telemetry import METERS, Count, Duration

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_SECONDS: Final = 5.0
"""How long a record of a relay that died may still arrive: its successor waits that long."""

IDLE_SECONDS: Final = 0.2
LARGEST_BYTES: Final = 1_310_720
"""A dead letter of the largest body, its headers included."""

RETRY_SECONDS: Final = 1.0
ROWS: Final = 2000
BULK_ROWS: Final = 200
BULK_BYTES: Final = 4_194_304

_partitioner: Final = DefaultPartitioner()


@lru_cache(maxsize=32_768)
def _partition_of(key: bytes | None, count: int) -> int:
    """Return the partition of a key as every Kafka client does it: by murmur2, slow in Python, and keys come again."""
    everyone = range(count)
    return int(_partitioner(key or b"", everyone, everyone))


class Relay:
    """One process's relay. `wake` it after each commit; it looks by itself every `IDLE_SECONDS`.

    Other parts that carry out what a commit decided can be told at the same moment: `also_wake`.
    """

    name = "relay"

    def __init__(self, *, dsn: str, kafka: str, progress: Progress) -> None:
        """Relay from the outbox in the schema of `dsn`'s role to the brokers at `kafka`."""
        self._dsn = dsn
        self._kafka = kafka
        self._progress = progress
        self._woken = asyncio.Event()
        self._others: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Look at the outbox now: something was committed."""
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
            producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka,
                enable_idempotence=True,
                acks="all",
                linger_ms=0,
                max_batch_size=262_144,
                max_request_size=LARGEST_BYTES,
                request_timeout_ms=int(DELIVERY_TIMEOUT_SECONDS * 1000),
            )
            await producer.start()
            try:
                await self._relay(connection, producer, stopping)
            finally:
                await producer.stop()
        finally:
            await connection.close(timeout=2)

    async def _relay(
        self, connection: "asyncpg.Connection[asyncpg.Record]", producer: AIOKafkaProducer, stopping: asyncio.Event
    ) -> None:
        shards: list[int] = []
        while True:
            self._progress.beat(self.name)
            self._woken.clear()
            if len(shards) < outbox.SHARDS:
                shards += await take_shards(connection, shards)
            moved = await self._move(connection, producer, shards) if shards else 0
            if moved == 0:
                if stopping.is_set():
                    await release_shards(connection, shards)
                    return
                await self._idle(stopping)

    async def _idle(self, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _move(
        self, connection: "asyncpg.Connection[asyncpg.Record]", producer: AIOKafkaProducer, shards: Sequence[int]
    ) -> int:
        rows = await connection.fetch(PEEK, shards, ROWS, BULK_ROWS, BULK_BYTES)
        if not rows:
            return 0
        started = time.monotonic()
        batches = await _handed_over(producer, rows)
        outcomes = await asyncio.gather(*(ack for ack, _ in batches), return_exceptions=True)
        points.reached("relay after the acknowledgement")
        sent = [
            number
            for (_, numbers), outcome in zip(batches, outcomes, strict=True)
            if not isinstance(outcome, Exception)
            for number in numbers
        ]
        await connection.execute(FORGET, sent)
        points.reached("relay after the delete")
        METERS.add(Count.SENT, len(sent))
        METERS.record(Duration.SEND, time.monotonic() - started)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return len(sent)


async def _handed_over(
    producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]
) -> list[tuple[asyncio.Future[Any], list[int]]]:
    """Give the producer whole batches; return each one's acknowledgement to come, with the row ids that it covers.

    A future per batch instead of one per record is half the work, and a partition's records stay in the rows' order.
    """
    filling: dict[tuple[str, int], tuple[BatchBuilder, list[int]]] = {}
    handed: list[tuple[asyncio.Future[Any], list[int]]] = []
    partitions: dict[str, int] = {}
    for row in rows:
        topic, key = row["topic"], row["key"]
        if topic not in partitions:
            partitions[topic] = len(await producer.partitions_for(topic))
        place = topic, _partition_of(key, partitions[topic])
        record = {"timestamp": None, "key": key, "value": row["value"], "headers": outbox.headers_of(row["headers"])}
        builder, numbers = filling.get(place) or (producer.create_batch(), [])
        if builder.append(**record) is None:
            handed.append((await producer.send_batch(builder, topic, partition=place[1]), numbers))
            builder, numbers = producer.create_batch(), []
            builder.append(**record)
        numbers.append(row["id"])
        filling[place] = builder, numbers
    for (topic, partition), (builder, numbers) in filling.items():
        handed.append((await producer.send_batch(builder, topic, partition=partition), numbers))
    return handed


PEEK: Final[LiteralString] = """
    (SELECT id, topic, key, headers, value FROM outbox
     WHERE shard = ANY($1::smallint[]) AND topic NOT LIKE '%.bulk' ORDER BY id LIMIT $2)
    UNION ALL
    (SELECT id, topic, key, headers, value
     FROM (SELECT id, topic, key, headers, value,
                  coalesce(sum(octet_length(value)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                           0) AS before
           FROM (SELECT id, topic, key, headers, value FROM outbox
                 WHERE shard = ANY($1::smallint[]) AND topic LIKE '%.bulk' ORDER BY id LIMIT $3) AS first) AS sized
     WHERE before < $4 ORDER BY id)
"""
"""What is live, then a small portion of bulk: neither keeps the other waiting. A key's records of one topic stay in
their order. A first import may fill the outbox with records of nearly a megabyte each, so bulk is bounded by both.
"""
FORGET: Final[LiteralString] = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
TAKE: Final[LiteralString] = """
    SELECT shard, clean FROM relay_shard
    WHERE shard <> ALL($1::smallint[])
      AND pg_try_advisory_lock(hashtext(current_schema() || '.outbox'), shard)
"""
MARK: Final[LiteralString] = "UPDATE relay_shard SET clean = $2 WHERE shard = ANY($1::smallint[])"


async def take_shards(connection: "asyncpg.Connection[asyncpg.Record]", held: Sequence[int]) -> list[int]:
    """Lock the shards that no relay holds and return them; wait first if one's last relay did not stop cleanly."""
    rows = await connection.fetch(TAKE, held)
    taken = [row["shard"] for row in rows]
    if taken:
        await connection.execute(MARK, taken, False)
    if any(not row["clean"] for row in rows):
        log.info("relay takes over", extra={"shards": len(taken), "waits_seconds": DELIVERY_TIMEOUT_SECONDS})
        await asyncio.sleep(DELIVERY_TIMEOUT_SECONDS)
    return taken


async def release_shards(connection: "asyncpg.Connection[asyncpg.Record]", shards: Sequence[int]) -> None:
    """Mark the shards as left cleanly; closing the connection unlocks them."""
    await connection.execute(MARK, shards, True)

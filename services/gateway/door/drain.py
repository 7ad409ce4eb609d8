"""Carries the spool to Kafka: one process at a time, unordered, under the same raw ids, deleted after the acks.

Each process that translates runs this part; who holds the lease drains, and the lease ends with its connection, however
the process ends. A record that was acknowledged and not yet deleted then is sent again: `translate` knows a repeat.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
from aiokafka.errors import KafkaError

from chassis import points, producing
from chassis.errors import TRANSIENT
from chassis.health import Progress
from chassis.postgres import Connection, Pool
from chassis.telemetry import METERS, Count, Duration, Level
from contracts.topics import RAW_MAX_BYTES
from services.gateway.door import store_spool
from services.gateway.door.store_spool import Waiting

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 1.0
REFUSED_AGAIN_SECONDS: Final = 30.0
"""What Kafka refuses for good stays, is said, and is tried again so often: only a person can mend it."""

MOST_ROWS: Final = 500
MOST_BYTES: Final = 8 * 1024 * 1024
"""So much is drained, and so held in memory, at a time."""

REQUEST_TIMEOUT_MS: Final = 5_000
_FIRST: Final = UUID(int=0)


class DrainSpool:
    """A part of `translate`."""

    name = "spool drainer"

    def __init__(self, *, pool: Pool, dsn: str, kafka: str, progress: Progress) -> None:
        """Look through `pool` and drain over a connection of our own to `dsn`, to the brokers at `kafka`."""
        self._pool = pool
        self._dsn = dsn
        self._kafka = kafka
        self._progress = progress
        self._after = _FIRST
        self._rows = MOST_ROWS
        self._refused = 0
        self._trouble = ""

    async def run(self, stopping: asyncio.Event) -> None:
        """Drain what there is until `stopping`; what cannot leave now waits where it is."""
        while not stopping.is_set():
            self._progress.beat(self.name)
            pause = LOOK_EVERY_SECONDS
            try:
                if await self._standing():
                    pause = await self._drained(stopping)
            except (KafkaError, *TRANSIENT) as error:
                self._say_once(str(error) or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)

    async def _standing(self) -> int:
        async with self._pool.acquire() as connection:
            records = await store_spool.standing(connection)
        METERS.set(Level.SPOOLED, records)
        return records

    async def _drained(self, stopping: asyncio.Event) -> float:
        """Go through the spool from where trouble ended the last pass; return how long to leave it alone then.

        Nothing is done while another process holds the lease.
        """
        async with self._leased() as connection:
            if connection is None:
                return LOOK_EVERY_SECONDS
            async with producing.connected(
                self._kafka,
                linger_ms=0,
                max_batch_size=RAW_MAX_BYTES,
                max_request_size=2 * RAW_MAX_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            ) as producer:
                while not stopping.is_set():
                    self._progress.beat(self.name)
                    rows = await store_spool.peek(connection, self._after, most=self._rows, most_bytes=MOST_BYTES)
                    if not rows:
                        break
                    await self._carry(connection, producer, rows)
                    await self._standing()
        pause = REFUSED_AGAIN_SECONDS if self._refused else LOOK_EVERY_SECONDS
        self._after, self._refused, self._trouble = _FIRST, 0, ""
        return pause

    async def _carry(self, connection: Connection, producer: Any, rows: Sequence[Waiting]) -> None:
        """Send these records and delete those that Kafka has.

        Raises:
            KafkaError: it does not have all of them. Fewer at once are tried next; one that is refused alone is passed.
        """
        started = time.monotonic()
        outcomes = await _sent(producer, rows)
        points.reached("spool after the produce")
        done = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        await store_spool.forget(connection, [row.raw_id for row in done])
        points.reached("spool after the delete")
        for topic, records in Counter(row.topic for row in done).items():
            METERS.add(Count.DRAINED, records, topic=topic)
        METERS.record(Duration.SEND, time.monotonic() - started, topic=rows[0].topic)
        log.info("spool drained", extra={"records": len(done)})
        refusals = [outcome for outcome in outcomes if outcome is not None]
        if not refusals:
            self._after = rows[-1].raw_id
            self._rows = min(self._rows * 2, MOST_ROWS)
            return
        self._rows = max(1, len(rows) // 2)
        if len(rows) == 1 and not refusals[0].retriable:
            self._after = rows[0].raw_id
            self._refused += 1
            log.error("kafka refuses a spooled delivery", extra={"raw_id": str(rows[0].raw_id)})
        raise refusals[0]

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[Connection | None]:
        """Yield the connection that holds the lease; `None` while another process holds it."""
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=30)
        try:
            yield connection if await store_spool.lease(connection) else None
        finally:
            await connection.close(timeout=2)

    def _say_once(self, reason: str) -> None:
        """Log why the spool waits, once for each reason in a row."""
        if reason != self._trouble:
            self._trouble = reason
            log.warning("the spool waits", extra={"reason": reason})


async def _sent(producer: Any, rows: Sequence[Waiting]) -> list[KafkaError | None]:
    """Return, for each record, what Kafka said against it; `None`: it is there. Nothing is sent after a refusal."""
    outcomes: list[asyncio.Future[Any] | KafkaError] = []
    for row in rows:
        if outcomes and isinstance(outcomes[-1], KafkaError):
            outcomes.append(outcomes[-1])
            continue
        try:
            outcomes.append(await producer.send(row.topic, value=row.value, headers=row.headers))
        except KafkaError as error:
            outcomes.append(error)
    return [each if isinstance(each, KafkaError) else await _refusal(each) for each in outcomes]


async def _refusal(acknowledgement: asyncio.Future[Any]) -> KafkaError | None:
    try:
        await acknowledgement
    except KafkaError as error:
        return error
    return None

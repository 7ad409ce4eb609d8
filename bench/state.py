"""The state stage: Kafka to PostgreSQL with history, outbox and watermark, beside a bare upsert of the same batches.

The measured process is the real one, relay and telemetry included, from its first commit to the end of a backlog.
The floor is asyncpg alone with rows that are ready as tuples: no Kafka, no fold, no history, no row-level security.
Both write a table of the same shape and indexes, one commit per batch.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, LiteralString
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench import state_load
from bench.state_load import DEVICES, Load
from chassis import watermark
from chassis.postgres import Connection
from contracts import topics
from contracts.envelope import Envelope, encode
from services.inventory import store
from services.inventory.app import GROUP
from services.inventory.rules import Kept

BATCH: Final = 1000
EVENTS: Final = 20_000
SUSTAINED: Final = 200_000
POLL_SECONDS: Final = 0.01
LONGEST_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stage runs: a broker with all topics, and a migrated database of its own."""

    kafka: str
    admin_dsn: str
    writer_dsn: str


@dataclass(frozen=True, slots=True)
class Run:
    """How fast one run was, and how large the process was after `EVENTS` and at the end."""

    events_per_second: float
    early_mib: float
    late_mib: float


async def state_stage(place: Place, *, rounds: int = 5) -> dict[str, object]:
    """Return the figures of the stage: medians, and each ratio against the floor of its own round.

    `changing` is the same with a load of which every event changes its asset and is published.
    """
    async with _connected(place.admin_dsn) as admin, _connected(place.writer_dsn) as writer:
        await _start_at_the_end(place.kafka, writer)
        await admin.execute(MAKE_FLOOR)
        stage = _Stage(place, writer)
        await stage.round(state_load.changing, DEVICES)
        ordinary = [await stage.round(state_load.ordinary, EVENTS) for _ in range(rounds)]
        changing = [await stage.round(state_load.changing, EVENTS) for _ in range(rounds)]
        sustained = await stage.run(stage.events(state_load.ordinary, SUSTAINED))
    return {
        "stage": "state",
        "unit": "events/s",
        **_summary(ordinary),
        "changing": _summary(changing),
        "sustained": {
            "events": SUSTAINED,
            "value": round(sustained.events_per_second),
            "resident_mib_early": sustained.early_mib,
            "resident_mib_late": sustained.late_mib,
        },
    }


def _summary(rounds: Sequence[tuple[float, float]]) -> dict[str, object]:
    ratios = [value / floor for value, floor in rounds]
    return {
        "value": round(statistics.median(value for value, _ in rounds)),
        "floor": round(statistics.median(floor for _, floor in rounds)),
        "ratio": round(statistics.median(ratios), 3),
        "rounds": len(rounds),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
    }


MAKE_FLOOR: Final[LiteralString] = """
    DROP TABLE IF EXISTS inventory.bench_floor;
    CREATE TABLE inventory.bench_floor (LIKE inventory.asset INCLUDING ALL);
    GRANT SELECT, INSERT, UPDATE ON inventory.bench_floor TO inventory_writer;
"""
FLOOR: Final = store.SAVE.replace("INSERT INTO asset (", "INSERT INTO bench_floor (").rpartition("WHERE")[0]
WHERE: Final[LiteralString] = "SELECT coalesce(sum(next_offset), 0)::bigint FROM watermark WHERE consumer_group = $1"


@dataclass(slots=True)
class _Stage:
    """The rounds of one stage: each takes up where the one before ended."""

    place: Place
    writer: Connection
    next_at: datetime = state_load.START
    kept: dict[UUID, Kept] = field(default_factory=dict)

    def events(self, load: Load, count: int) -> Iterator[Envelope]:
        """Yield the next events; they are later than all before."""
        first_at = self.next_at
        self.next_at += timedelta(minutes=count // DEVICES + 1)
        return state_load.events(load, count, first_at=first_at, seed=0)

    async def round(self, load: Load, count: int) -> tuple[float, float]:
        """Return events per second of the process, and rows per second of the floor, for the same events."""
        backlog = list(self.events(load, count))
        floor = await self._floor(backlog)
        run = await self.run(backlog)
        return run.events_per_second, floor

    async def _floor(self, backlog: Sequence[Envelope]) -> float:
        batches = [backlog[start : start + BATCH] for start in range(0, len(backlog), BATCH)]
        ready = [[store.row(step) for step in state_load.steps(batch, self.kept)] for batch in batches]
        started_at = time.perf_counter()
        for rows in ready:
            await self.writer.execute(FLOOR, *zip(*rows, strict=True), store.TAG_SEPARATOR)
        return len(backlog) / (time.perf_counter() - started_at)

    async def run(self, backlog: Iterable[Envelope]) -> Run:
        """Send the events, then run the real process until its watermarks are behind all of them."""
        before = await self.writer.fetchval(WHERE, GROUP)
        count = await _send(self.place.kafka, backlog)
        with _inventory(self.place) as process:
            return await self._watched(process, before, count)

    async def _watched(self, process: "subprocess.Popen[bytes]", before: int, count: int) -> Run:
        early_mib = 0.0
        first_at, first = 0.0, 0
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            done = await self.writer.fetchval(WHERE, GROUP) - before
            now = time.perf_counter()
            if done and not first:
                first_at, first = now, done
            if done >= EVENTS and not early_mib:
                early_mib = _resident_mib(process.pid)
            if done >= count:
                return Run((count - first) / (now - first_at), early_mib, _resident_mib(process.pid))
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"inventory stopped after {done} of {count} events (exit code {process.returncode})")
            await asyncio.sleep(POLL_SECONDS)


async def _send(kafka: str, backlog: Iterable[Envelope]) -> int:
    """Put the events on `rmm.events`, keyed as the gateway does, and return how many."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=20, max_batch_size=262_144)
    await producer.start()
    try:
        messages = (encode(each, f"{each.source}/{each.subject}") for each in backlog)
        acks = [
            await producer.send(topics.RMM_EVENTS.name, key=each.key, value=each.value, headers=each.headers)
            for each in messages
        ]
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    return len(acks)


async def _start_at_the_end(kafka: str, writer: Connection) -> None:
    """Let the group begin behind whatever stands on the topic already."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        partitions = [TopicPartition(topics.RMM_EVENTS.name, number) for number in range(topics.RMM_EVENTS.partitions)]
        await watermark.ensure(writer, GROUP, await consumer.end_offsets(partitions), {})
    finally:
        await consumer.stop()


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def _inventory(place: Place) -> Iterator["subprocess.Popen[bytes]"]:
    env = {**os.environ, "PATCHLINE_KAFKA": place.kafka, "PATCHLINE_DATABASE_URL": place.writer_dsn}
    process = subprocess.Popen([sys.executable, "-m", "services.inventory"], env=env, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

"""The state stage: Kafka to PostgreSQL with history, outbox and watermark, beside a bare upsert of the same batches.

The measured process is the real one, relay and telemetry included, from its first commit to the end of a backlog.
The floor is asyncpg alone with rows that are ready as tuples: no Kafka, no fold, no history, no row-level security.
Both write a table of the same shape and indexes, one commit per batch.
"""

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from bench import state_load
from bench.by_columns import by_columns, taken
from bench.measured import Place, Worker, at_rest, connected, held, start_at_the_end
from bench.report import summary
from bench.state_load import DEVICES, Load
from chassis.postgres import Connection
from contracts import topics
from contracts.envelope import Envelope, Message, encode
from services.inventory import store
from services.inventory.app import GROUP
from services.inventory.rules import Kept

BATCH: Final = 1000


async def state_stage(place: Place, *, rounds: int, events: int) -> dict[str, dict[str, object]]:
    """Return the figures of the stage by load: an ordinary day, and one of which every event changes its asset.

    One process all the time; it stands still while the floor is measured and while its next backlog is sent.
    """
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS])
        await admin.execute(MAKE_FLOOR)
        with WORKER.running(place) as process:
            floor = await by_columns(writer, UNGUARDED, table="asset", into="bench_floor")
            stage = Stage(place, writer, process)
            await stage.round(state_load.changing, DEVICES, floor)
            ordinary = [await stage.round(state_load.ordinary, events, floor) for _ in range(rounds)]
            changing = [await stage.round(state_load.changing, events, floor) for _ in range(rounds)]
    return {
        "ordinary": {"unit": "events/s", **summary(ordinary)},
        "changing": {"unit": "events/s", **summary(changing)},
    }


MAKE_FLOOR: Final[LiteralString] = """
    DROP TABLE IF EXISTS inventory.bench_floor;
    CREATE TABLE inventory.bench_floor (LIKE inventory.asset INCLUDING ALL);
    GRANT SELECT, INSERT, UPDATE ON inventory.bench_floor TO inventory_writer;
"""
UNGUARDED: Final = store.SAVE.rpartition("WHERE")[0]
"""The upsert without its look at the revision: the floor writes the same revision again and again."""

WORKER: Final = Worker(module="services.inventory", group=GROUP)


@dataclass(slots=True)
class Stage:
    """The rounds of one process: each takes up where the one before ended."""

    place: Place
    writer: Connection
    process: "subprocess.Popen[bytes]"
    next_at: datetime = state_load.START
    kept: dict[UUID, Kept] = field(default_factory=dict)

    def events(self, load: Load, count: int) -> Iterator[Envelope]:
        """Yield the next events; they are later than all before."""
        first_at = self.next_at
        self.next_at += timedelta(minutes=count // DEVICES + 1)
        return state_load.events(load, count, first_at=first_at, seed=0)

    async def round(self, load: Load, count: int, floor: str) -> tuple[float, float]:
        """Return events per second of the process, and rows per second of the `floor` alone, for the same events."""
        backlog = list(self.events(load, count))
        await at_rest(self.process)
        with held(self.process):
            bare = await self._floor(backlog, floor)
        return await self._rate(backlog), bare

    async def rate(self, load: Load, count: int) -> float:
        """Return events per second of the process alone."""
        backlog = list(self.events(load, count))
        await at_rest(self.process)
        return await self._rate(backlog)

    async def _rate(self, backlog: Sequence[Envelope]) -> float:
        run = await WORKER.gone_on(
            [self.process], self.place, self.writer, topic=topics.RMM_EVENTS, backlog=map(message, backlog)
        )
        return run.events_per_second

    async def _floor(self, backlog: Sequence[Envelope], statement: str) -> float:
        batches = [backlog[start : start + BATCH] for start in range(0, len(backlog), BATCH)]
        ready = [list(taken(map(store.row, state_load.steps(batch, self.kept)))) for batch in batches]
        started_at = time.perf_counter()
        for rows in ready:
            await self.writer.execute(statement, *zip(*rows, strict=True))
        return len(backlog) / (time.perf_counter() - started_at)


def message(event: Envelope) -> Message:
    """Return the event as the gateway sends it: keyed by source and device."""
    return encode(event, f"{event.source}/{event.subject}")

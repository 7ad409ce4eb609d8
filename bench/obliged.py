"""Events to obligations, with many open ones in the table, beside a bare upsert of the same obligations.

The measured process is compliance's own, from its first commit to the end of a backlog, its loops and relay included:
one alone, then two of one group, as the overlay for production runs them. They stay up over all rounds, after one that
does not count, and stand still while their floor is measured, which is one connection's.
The floor is asyncpg alone with the obligations that the same events changed, as often as they changed them: no Kafka,
no decoding, no fold, no history, no row-level security, one statement and one commit for a batch of events, into a
table of the same shape, indexes and size. Both are events per second: one event changes more than one obligation, and
leaves other rows besides, of which the figure tells how many.
"""

import asyncio
import itertools
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import asyncpg

from bench.by_columns import by_columns
from bench.measured import Place, at_rest, connected, held, start_at_the_end
from bench.obligations import load
from bench.obligations.growth import COUNT, WORKER, Evenings, fill
from bench.report import summary
from chassis.postgres import Connection
from contracts import topics
from services.compliance import store_commands_catalog, store_obligations
from services.compliance.app import GROUP

BATCH: Final = 1000
"""Events that share one transaction, as in the service."""

JOINED_SECONDS: Final = 3.0
"""Until processes have shared out the partitions."""

SETTLED_SECONDS: Final = 1.2
"""PostgreSQL counts rows at most so much later than they were written."""

MAKE_FLOOR: Final[LiteralString] = """
    DROP TABLE IF EXISTS compliance.bench_floor;
    CREATE TABLE compliance.bench_floor (LIKE compliance.obligation INCLUDING ALL);
    INSERT INTO compliance.bench_floor SELECT * FROM compliance.obligation;
    GRANT SELECT, INSERT, UPDATE ON compliance.bench_floor TO compliance_writer;
"""
WRITTEN: Final[LiteralString] = """
    SELECT sum(n_tup_ins + n_tup_upd) FILTER (WHERE relname = 'obligation')::bigint AS obligations,
           sum(n_tup_ins + n_tup_upd)::bigint AS rows
    FROM pg_stat_all_tables
    WHERE schemaname = 'compliance' AND relname <> 'bench_floor'
"""

Row = asyncpg.Record
Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Written:
    """How many obligations, and rows in all, were written."""

    obligations: int
    rows: int


async def obliged_stage(
    place: Place, *, rounds: int, machines: int, devices: int, by_two: bool
) -> dict[str, dict[str, Any]]:
    """Return the rates of `one` process and `by_two` with `machines` of twenty requirements each in the table.

    In each round `devices` other machines say twenty things each. Each rate is told with how many obligations were
    `open` before, and how many `obligations` and `rows` were written for one event.
    """
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        now = datetime.now(UTC)
        await store_commands_catalog.add(admin, load.catalog(load.hour_of(now)), now)
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS])
        with ExitStack() as running:
            floor = await by_columns(writer, store_obligations.SAVE, table="obligation", into="bench_floor")
            stage = _Stage(admin, writer, Evenings(place, writer, devices=devices), floor)
            await stage.joined_by(running.enter_context(WORKER.running(place)))
            await stage.filled(machines)
            one = await stage.measured(rounds)
            if not by_two:
                return {"one": one}
            await stage.joined_by(running.enter_context(WORKER.running(place)))
            return {"one": one, "two": await stage.measured(rounds)}


@dataclass(frozen=True, slots=True)
class _Stage:
    """Processes that take turns with their floor: whoever is not measured stands still."""

    admin: Connection
    writer: Connection
    evenings: Evenings
    floor: str

    async def joined_by(self, process: Process) -> None:
        """Let one more process share the work, and all of them get warm."""
        self.evenings.processes = [*self.evenings.processes, process]
        await asyncio.sleep(JOINED_SECONDS)
        await self.evenings.round()

    async def filled(self, machines: int) -> None:
        """Let there be so many machines, and the floor's table."""
        await at_rest(*self.evenings.processes)
        with held(*self.evenings.processes):
            if machines:
                await fill(self.admin, machines, self.evenings.machines)
            await self.admin.execute(MAKE_FLOOR)
            await self.admin.execute("VACUUM ANALYZE compliance.bench_floor")
            await self.admin.execute("CHECKPOINT")

    async def measured(self, rounds: int) -> dict[str, Any]:
        """Return what so many rounds come to."""
        there = await self.admin.fetchval(COUNT)
        found = [await self._round() for _ in range(rounds)]
        events = rounds * self.evenings.devices * load.REQUIREMENTS
        return {
            "unit": "events/s",
            "open": int(there),
            "obligations": round(sum(each.obligations for _, _, each in found) / events, 1),
            "rows": round(sum(each.rows for _, _, each in found) / events, 1),
            **summary([(rate, floor) for rate, floor, _ in found]),
        }

    async def _round(self) -> tuple[float, float, Written]:
        """Return events per second of the processes and of the floor for the same machines, and what was written."""
        assets = await self.evenings.introduced()
        before = await self.writer.fetch(store_obligations.OF_ASSETS, assets)
        already = await self._written()
        rate = await self.evenings.evening()
        total = await self._written()
        after = await self.writer.fetch(store_obligations.OF_ASSETS, assets)
        written = Written(total.obligations - already.obligations, total.rows - already.rows)
        events = len(assets) * load.REQUIREMENTS
        with held(*self.evenings.processes):
            floor = await self._floored(before, after, events=events, changes=written.obligations)
        return rate, floor, written

    async def _floored(self, before: list[Row], after: list[Row], *, events: int, changes: int) -> float:
        """Upsert these obligations until `changes` of them were, from what they were to what they became and back."""
        await self.writer.execute(self.floor, *zip(*_sorted(before), strict=True))
        batch = min(len(after), round(BATCH * changes / events))
        ready = list(itertools.islice(_changing(before, after, batch), round(changes / batch)))
        started_at = time.perf_counter()
        for columns in ready:
            await self.writer.execute(self.floor, *columns)
        seconds = time.perf_counter() - started_at
        return sum(len(columns[0]) for columns in ready) / changes * events / seconds

    async def _written(self) -> Written:
        """Return what was ever written, once the processes have nothing left to do."""
        await at_rest(*self.evenings.processes)
        await asyncio.sleep(SETTLED_SECONDS)
        row = await self.admin.fetchrow(WRITTEN)
        return Written(row["obligations"] or 0, row["rows"] or 0) if row else Written(0, 0)


def _changing(before: list[Row], after: list[Row], batch: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield for ever what one statement takes: `batch` rows that are others than they were in the table."""
    for rows in itertools.cycle((_sorted(after), _sorted(before))):
        for start in range(0, len(rows) - batch + 1, batch):
            yield list(zip(*rows[start : start + batch], strict=True))


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row[0], row[1]))

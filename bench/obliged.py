"""Events to obligations, with many open ones in the table, beside a bare upsert of the same obligations.

The measured process is compliance's own, from its first commit to the end of a backlog, its loops and relay included.
It stays up over all rounds, after one that does not count, and stands still while its floor is measured.
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
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import asyncpg

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

SETTLED_SECONDS: Final = 1.2
"""PostgreSQL counts rows at most so much later than they were written."""

MAKE_FLOOR: Final[LiteralString] = """
    DROP TABLE IF EXISTS compliance.bench_floor;
    CREATE TABLE compliance.bench_floor (LIKE compliance.obligation INCLUDING ALL);
    INSERT INTO compliance.bench_floor SELECT * FROM compliance.obligation;
    ANALYZE compliance.bench_floor;
    GRANT SELECT, INSERT, UPDATE ON compliance.bench_floor TO compliance_writer;
"""
FLOOR: Final = store_obligations.SAVE.replace("INSERT INTO obligation (", "INSERT INTO bench_floor (")
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


async def obliged_stage(place: Place, *, rounds: int, machines: int, devices: int) -> dict[str, Any]:
    """Return the rate with `machines` of twenty requirements each in the table, and how many obligations are `open`.

    In each round `devices` other machines say twenty things each; `obligations` and `rows` are written for one event.
    """
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        now = datetime.now(UTC)
        await store_commands_catalog.add(admin, load.catalog(load.hour_of(now)), now)
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS])
        with WORKER.running(place) as process:
            evenings = Evenings(place, writer, devices=devices, process=process)
            await evenings.round()
            there = await _filled(evenings, process, admin, machines)
            measured = [await _round(evenings, process, admin, writer) for _ in range(rounds)]
    events = rounds * devices * load.REQUIREMENTS
    return {
        "unit": "events/s",
        "open": there,
        "obligations": round(sum(each.obligations for _, _, each in measured) / events, 1),
        "rows": round(sum(each.rows for _, _, each in measured) / events, 1),
        **summary([(rate, floor) for rate, floor, _ in measured]),
    }


async def _filled(evenings: Evenings, process: Process, admin: Connection, machines: int) -> int:
    """Let there be so many machines while the process stands still, and the floor's table; return what is owed."""
    await at_rest(process)
    with held(process):
        if machines:
            await fill(admin, machines, evenings.machines)
        await admin.execute(MAKE_FLOOR)
        return int(await admin.fetchval(COUNT))


async def _round(
    evenings: Evenings, process: Process, admin: Connection, writer: Connection
) -> tuple[float, float, Written]:
    """Return events per second of the process and of the floor for the same machines, and what the process wrote."""
    assets = await evenings.introduced()
    before = await writer.fetch(store_obligations.OF_ASSETS, assets)
    already = await _written(process, admin)
    rate = await evenings.evening()
    total = await _written(process, admin)
    after = await writer.fetch(store_obligations.OF_ASSETS, assets)
    written = Written(total.obligations - already.obligations, total.rows - already.rows)
    with held(process):
        floor = await _floor(writer, before, after, events=len(assets) * load.REQUIREMENTS, changes=written.obligations)
    return rate, floor, written


async def _written(process: Process, admin: Connection) -> Written:
    """Return what was ever written, once the process has nothing left to do."""
    await at_rest(process)
    await asyncio.sleep(SETTLED_SECONDS)
    row = await admin.fetchrow(WRITTEN)
    return Written(row["obligations"] or 0, row["rows"] or 0) if row else Written(0, 0)


async def _floor(writer: Connection, before: list[Row], after: list[Row], *, events: int, changes: int) -> float:
    """Upsert these obligations until `changes` of them were, from what they were to what they became and back."""
    await writer.execute(FLOOR, *zip(*_sorted(before), strict=True))
    batch = min(len(after), round(BATCH * changes / events))
    ready = list(itertools.islice(_changing(before, after, batch), round(changes / batch)))
    started_at = time.perf_counter()
    for columns in ready:
        await writer.execute(FLOOR, *columns)
    seconds = time.perf_counter() - started_at
    return sum(len(columns[0]) for columns in ready) / changes * events / seconds


def _changing(before: list[Row], after: list[Row], batch: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield for ever what one statement takes: `batch` rows that are others than they were in the table."""
    for rows in itertools.cycle((_sorted(after), _sorted(before))):
        for start in range(0, len(rows) - batch + 1, batch):
            yield list(zip(*rows[start : start + batch], strict=True))


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row[0], row[1]))

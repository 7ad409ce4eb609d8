"""Events to obligations, with many open ones in the table, beside a bare upsert of the same obligations.

The measured process is compliance's own, from its first commit to the end of a backlog, its loops and relay included.
The floor is asyncpg alone with the rows that came of it: no Kafka, no fold, no history, no row-level security, one
commit per batch, into a table of the same shape, indexes and size.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from bench.measured import Place, connected, start_at_the_end
from bench.obligations import load
from bench.obligations.growth import COUNT, Evenings, fill
from bench.report import summary
from chassis.postgres import Connection
from contracts import ids, topics
from services.compliance import store_commands_catalog, store_obligations
from services.compliance.app import GROUP

BATCH: Final = 1000
MAKE_FLOOR: Final[LiteralString] = """
    DROP TABLE IF EXISTS compliance.bench_floor;
    CREATE TABLE compliance.bench_floor (LIKE compliance.obligation INCLUDING ALL);
    INSERT INTO compliance.bench_floor SELECT * FROM compliance.obligation;
    ANALYZE compliance.bench_floor;
    GRANT SELECT, INSERT, UPDATE ON compliance.bench_floor TO compliance_writer;
"""
FLOOR: Final = store_obligations.SAVE.replace("INSERT INTO obligation (", "INSERT INTO bench_floor (")


async def obliged_stage(place: Place, *, rounds: int, machines: int, devices: int) -> dict[str, Any]:
    """Return the rate with `machines` of twenty requirements each in the table, and how many obligations are `open`.

    In each round `devices` other machines say twenty things each.
    """
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        now = datetime.now(UTC)
        await store_commands_catalog.add(admin, load.catalog(load.hour_of(now)), now)
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS])
        evenings = Evenings(place, writer, devices=devices)
        if machines:
            await evenings.round()
            await fill(admin, machines, evenings.machines)
        there = await admin.fetchval(COUNT)
        await admin.execute(MAKE_FLOOR)
        pairs = [await _round(evenings, writer) for _ in range(rounds)]
    return {"unit": "events/s", "open": there, **summary(pairs)}


async def _round(evenings: Evenings, writer: Connection) -> tuple[float, float]:
    """Return events per second of the process, and rows per second of the floor, for the same machines."""
    first = evenings.machines
    rate = await evenings.round()
    assets = [ids.asset_id(load.SOURCE, load.name_of(number)) for number in range(first, evenings.machines)]
    return rate, await _floor(writer, assets)


async def _floor(writer: Connection, assets: Sequence[UUID]) -> float:
    """Upsert the obligations of these machines twice, as rows that are new and as rows that change."""
    rows = sorted(await writer.fetch(store_obligations.OF_ASSETS, assets), key=lambda row: (row[0], row[1]))
    ready = [list(zip(*rows[start : start + BATCH], strict=True)) for start in range(0, len(rows), BATCH)]
    started_at = time.perf_counter()
    for columns in (*ready, *ready):
        await writer.execute(FLOOR, *columns)
    return 2 * len(rows) / (time.perf_counter() - started_at)

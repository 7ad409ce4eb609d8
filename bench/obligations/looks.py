"""How long it takes to find the machines that monitors look at now: by an index, however many are watched.

The statement is the service's own, run as its writer on a table of the same shape, indexes and row-level security.
"""

import json
import statistics
import time
from datetime import UTC, datetime
from typing import Final, LiteralString

from bench.measured import Place, connected
from bench.obligations.report import Figure
from chassis.postgres import Connection
from services.compliance.monitors import store_watch
from services.compliance.monitors.looks import MOST

MACHINES: Final = 1_000_000
RUNS: Final = 20
MOST_MS: Final = 10
MOST_RATIO: Final = 1.5
NOW: Final = datetime(2026, 11, 10, 18, tzinfo=UTC)

MAKE: Final[LiteralString] = """
    DROP SCHEMA IF EXISTS looks_bench CASCADE;
    CREATE SCHEMA looks_bench;
    CREATE TABLE looks_bench.monitor_watch (LIKE compliance.monitor_watch INCLUDING ALL);
    ALTER TABLE looks_bench.monitor_watch ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY all_tenants ON looks_bench.monitor_watch TO compliance_writer USING (true);
    GRANT USAGE ON SCHEMA looks_bench TO compliance_writer;
    GRANT SELECT, UPDATE ON looks_bench.monitor_watch TO compliance_writer;
"""
FILL: Final[LiteralString] = """
    INSERT INTO looks_bench.monitor_watch (asset_id, tenant_id, since_at, look_at)
    SELECT md5(n::text)::uuid, md5('client ' || n % 1000)::uuid, $2::timestamptz - interval '90 days',
           CASE WHEN n % ($1::integer / $3::integer) = 0 THEN $2::timestamptz
                ELSE $2::timestamptz + (1 + n::bigint * 7919 % 86400) * interval '1 second' END
    FROM generate_series(0, $1::integer - 1) AS n
"""
SETTLE: Final[LiteralString] = "VACUUM ANALYZE looks_bench.monitor_watch"
EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, FORMAT json)"
DROP: Final[LiteralString] = "DROP SCHEMA looks_bench CASCADE"
THERE: Final[LiteralString] = "SELECT set_config('search_path', 'looks_bench', false)"


async def looks(place: Place, *, machines: int = MACHINES) -> list[Figure]:
    """Return how long one look's machines take to find among `machines`, and the pages beside a tenth of them."""
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        await writer.execute(THERE)
        _, fewer = await _found_in(admin, writer, machines // 10)
        milliseconds, pages = await _found_in(admin, writer, machines)
        await admin.execute(DROP)
    ratio = round(pages / fewer, 2)
    return [
        Figure(
            figure=f"the {MOST} machines that a look takes found among {machines:,} watched ones",
            value=round(milliseconds, 2),
            unit="ms",
            reach=f"< {MOST_MS} ms",
            ok=milliseconds < MOST_MS,
        ),
        Figure(
            figure=f"pages read for them, beside those read among {machines // 10:,} watched ones",
            value=pages,
            unit="pages",
            floor=fewer,
            ratio=ratio,
            reach=f"ratio < {MOST_RATIO:g}",
            ok=ratio < MOST_RATIO,
        ),
    ]


async def _found_in(admin: Connection, writer: Connection, machines: int) -> tuple[float, int]:
    """Return the median of the milliseconds, and the pages that one search looks at.

    Raises:
        RuntimeError: other machines were found than are due.
    """
    await admin.execute(MAKE)
    await admin.execute(FILL, machines, NOW, MOST, timeout=600)
    await admin.execute(SETTLE, timeout=600)
    took: list[float] = []
    for _ in range(RUNS):
        searching = writer.transaction()
        await searching.start()
        began_at = time.perf_counter()
        found = await store_watch.due(writer, NOW, MOST + 1)
        took.append((time.perf_counter() - began_at) * 1000)
        await searching.rollback()
        if len(found) != MOST:
            raise RuntimeError(f"{len(found)} found, {MOST} are due")
    [explained] = json.loads(await writer.fetchval(f"{EXPLAIN} {store_watch.DUE}", NOW, MOST + 1))
    plan = explained["Plan"]
    return statistics.median(took), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

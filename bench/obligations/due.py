"""How long it takes to find what falls due in one minute: by the index on that moment, however many are open.

The statement is the service's own, run as its writer on a table of the same shape, indexes and row-level security. In
every table the same number of obligations is due, spread over all of it; the others are due later. That it does not
grow is told by the pages that are read, which a busy machine does not change; milliseconds it does.
"""

import json
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

from bench.measured import Place, connected
from bench.obligations.report import Figure
from chassis.postgres import Connection
from services.compliance import store_timers

OBLIGATIONS: Final = 1_000_000
DUE: Final = 500
"""As many as one transaction of the service takes up."""
RUNS: Final = 50
MOST_MS: Final = 100
MOST_RATIO: Final = 1.5
NOW: Final = datetime(2026, 11, 10, 18, tzinfo=UTC)
A_MINUTE: Final = timedelta(minutes=1)

MAKE: Final[LiteralString] = """
    DROP SCHEMA IF EXISTS due_bench CASCADE;
    CREATE SCHEMA due_bench;
    CREATE TABLE due_bench.obligation (LIKE compliance.obligation INCLUDING ALL);
    ALTER TABLE due_bench.obligation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY all_tenants ON due_bench.obligation TO compliance_writer USING (true);
    GRANT USAGE ON SCHEMA due_bench TO compliance_writer;
    GRANT SELECT ON due_bench.obligation TO compliance_writer;
"""
FILL: Final[LiteralString] = """
    INSERT INTO due_bench.obligation
        (asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state, why, since_at, release,
         clock_started_at, due_at, next_change_at, failures, moments)
    SELECT md5((n / 20)::text)::uuid, md5('train ' || n % 20)::uuid, md5('client ' || n % 1000)::uuid,
           'Bench Workstation', 'train ' || n % 20, 'windows', 'workstation', 'critical', 'MISSING_IN_SLA',
           'listed by its last scan', $2::timestamptz - interval '6 days', 'KB' || n % 20,
           $2::timestamptz - interval '7 days', at, at, 0, '{}'
    FROM generate_series(0, $1::integer - 1) AS n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n % ($1::integer / $3::integer) = 0 THEN $2::timestamptz - interval '30 seconds'
                    ELSE $2::timestamptz + interval '1 minute' + (n::bigint * 7919 % 2592000) * interval '1 second'
               END AS at
    ) AS moment
"""
SETTLE: Final[LiteralString] = "VACUUM ANALYZE due_bench.obligation"
EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, FORMAT json)"
DROP: Final[LiteralString] = "DROP SCHEMA due_bench CASCADE"
THERE: Final[LiteralString] = "SELECT set_config('search_path', 'due_bench', false)"


async def due(place: Place, *, obligations: int = OBLIGATIONS) -> list[Figure]:
    """Return how long it takes and how much is read in a table of `obligations`, beside one of a tenth of them."""
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        await writer.execute(THERE)
        fewer = await _found_in(admin, writer, obligations // 10)
        found = await _found_in(admin, writer, obligations)
        await admin.execute(DROP)
    ratio = round(found.pages / fewer.pages, 2)
    return [
        Figure(
            figure=f"the {DUE} obligations due in one minute found among {obligations:,} open ones",
            value=round(found.milliseconds, 2),
            unit="ms",
            reach=f"< {MOST_MS} ms",
            ok=found.milliseconds < MOST_MS,
        ),
        Figure(
            figure=f"pages read for them, beside those read among {obligations // 10:,} open ones",
            value=found.pages,
            unit="pages",
            floor=fewer.pages,
            ratio=ratio,
            reach=f"ratio < {MOST_RATIO:g}",
            ok=ratio < MOST_RATIO,
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Found:
    """The median of the milliseconds, and the pages of PostgreSQL that one search looks at."""

    milliseconds: float
    pages: int


async def _found_in(admin: Connection, writer: Connection, obligations: int) -> _Found:
    """Return what it takes.

    Raises:
        RuntimeError: other ones were found than are due.
    """
    await admin.execute(MAKE)
    await admin.execute(FILL, obligations, NOW, DUE, timeout=600)
    await admin.execute(SETTLE, timeout=600)
    took: list[float] = []
    for _ in range(RUNS):
        began_at = time.perf_counter()
        found = await store_timers.due(writer, NOW, DUE + 1)
        took.append((time.perf_counter() - began_at) * 1000)
        if (
            len(found) != DUE
            or max(each.at for each in found) >= NOW
            or min(each.at for each in found) < NOW - A_MINUTE
        ):
            raise RuntimeError(f"{len(found)} found, {DUE} are due")
    [explained] = json.loads(await writer.fetchval(f"{EXPLAIN} {store_timers.DUE}", NOW, DUE + 1))
    plan = explained["Plan"]
    return _Found(statistics.median(took), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

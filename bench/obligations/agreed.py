"""What it costs a batch to know which policy each client follows: a question, not a reading of documents."""

import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, LiteralString

from bench.measured import Place, connected
from bench.obligations.report import Figure
from chassis.postgres import Connection
from services.compliance.policies import store_policies
from services.compliance.policies.compile import digest_of, normalised
from services.compliance.policies.reading import policy_of
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.zones import use_shipped_zones

WHOLE: Final = Path(__file__).resolve().parents[2] / "docs" / "policies" / "whole.yaml"
CLIENTS: Final = 1_000
VERSIONS: Final = 3
RUNS: Final = 200
MOST_MS: Final = 5.0
NOW: Final = datetime(2027, 6, 1, tzinfo=UTC)

MAKE: Final[LiteralString] = """
    DROP SCHEMA IF EXISTS agreed_bench CASCADE;
    CREATE SCHEMA agreed_bench;
    CREATE TABLE agreed_bench.policy_version (LIKE compliance.policy_version INCLUDING ALL);
    CREATE TABLE agreed_bench.policy_noticed (LIKE compliance.policy_noticed INCLUDING ALL);
    GRANT USAGE ON SCHEMA agreed_bench TO compliance_writer;
    GRANT SELECT ON agreed_bench.policy_version, agreed_bench.policy_noticed TO compliance_writer;
"""
FILL: Final[LiteralString] = """
    INSERT INTO agreed_bench.policy_version
        (tenant_id, version, document, presets, digest, valid_from, recorded_at, recorded_by, reason, feasible, lint)
    SELECT md5('client ' || client)::uuid, version, $3::text::jsonb, $4::text::jsonb, $5, $6, $6, 'bench', 'agreed',
           true, '{}'
    FROM generate_series(1, $2::integer) AS version CROSS JOIN generate_series(1, $1::integer) AS client
    ORDER BY version, client
"""
NOTICED: Final[LiteralString] = """
    INSERT INTO agreed_bench.policy_noticed (number, noticed_at)
    SELECT max(number), $1 FROM agreed_bench.policy_version
"""
DROP: Final[LiteralString] = "DROP SCHEMA agreed_bench CASCADE"
THERE: Final[LiteralString] = "SELECT set_config('search_path', 'agreed_bench', false)"


async def agreed(place: Place, *, clients: int = CLIENTS) -> list[Figure]:
    """Return what a process's first look takes, each later one, and the loop's; every client has several versions.

    Raises:
        RuntimeError: not every client's policy was found, or something is news that is none.
    """
    use_shipped_zones()
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        await _fill(admin, clients)
        await writer.execute(THERE)
        first, *later = await _looks(writer, clients)
        asked = [await _asked(writer) for _ in range(RUNS)]
        await admin.execute(DROP)
    return [
        Figure(
            figure=f"{clients * VERSIONS:,} versions of policies read, those in force made ready", value=first, unit="s"
        ),
        _quick(f"which policies {clients:,} clients follow, asked by a batch", later),
        _quick("whether another came into force, asked each second", asked),
    ]


async def _fill(admin: Connection, clients: int) -> None:
    document, presets = policy_of(WHOLE.read_bytes())
    kept = json.dumps(normalised(document)), json.dumps([normalised(each) for each in presets])
    await admin.execute(MAKE)
    await admin.execute(FILL, clients, VERSIONS, *kept, digest_of(document, presets), document.valid_from)
    await admin.execute(NOTICED, NOW)


async def _looks(writer: Connection, clients: int) -> list[float]:
    """Return the seconds of a new process's first look and of the later ones."""
    shelf, took = PolicyShelf(), []
    for _ in range(RUNS + 1):
        began_at = time.perf_counter()
        async with writer.transaction():
            found = await shelf.all_at(writer, NOW)
        took.append(round(time.perf_counter() - began_at, 6))
        if len(found) != clients:
            raise RuntimeError(f"{len(found)} policies were found, not {clients}")
    return took


async def _asked(writer: Connection) -> float:
    began_at = time.perf_counter()
    if await writer.fetchval(store_policies.IS_NEWS, NOW):
        raise RuntimeError("everything was noticed, and something is news")
    return time.perf_counter() - began_at


def _quick(figure: str, seconds: list[float]) -> Figure:
    milliseconds = statistics.median(seconds) * 1000
    return Figure(
        figure=figure,
        value=round(milliseconds, 3),
        unit="ms",
        reach=f"< {MOST_MS:g} ms",
        ok=milliseconds < MOST_MS,
    )

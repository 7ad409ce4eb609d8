"""What `patchline guard`, `breaker` and `case levels` read and write, as the operator's role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import asyncpg

from chassis import commands
from chassis.postgres import Connection
from contracts.events.credential import BreakerState, Promise
from services.credentials.guard.records import EVERYONE
from services.credentials.guard.rules_levels import Kept

SEE_ALL: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants() || $1::uuid, ','), true)
"""


@asynccontextmanager
async def operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, for all clients and for what holds for all of them."""
    async with commands.operator() as connection, connection.transaction():
        await connection.execute(SEE_ALL, EVERYONE)
        yield connection


TENANT: Final[LiteralString] = "SELECT tenant_id FROM gateway.client WHERE name = $1"


async def tenant_of(tx: Connection, client: str | None) -> UUID | None:
    """Return the client of that name, `EVERYONE` for no name; `None`: there is no such client."""
    if client is None:
        return EVERYONE
    found: UUID | None = await tx.fetchval(TENANT, client)
    return found


EXCLUDE: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('credentials.guard/' || $1::text, 0))"
NEWEST: Final[LiteralString] = """
    SELECT version, document, reason, set_by, set_at FROM credentials.guard_document
    WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1
"""
ADD: Final[LiteralString] = """
    INSERT INTO credentials.guard_document (tenant_id, version, document, reason, set_by, set_at)
    VALUES ($1, $2, $3::jsonb, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who did something at the command line, why and when. `by` is the account of the machine it was typed on."""

    by: str
    reason: str
    at: datetime


async def newest(tx: Connection, tenant: UUID) -> asyncpg.Record | None:
    """Return the newest version of a client's document; `None`: nobody described it yet."""
    return await tx.fetchrow(NEWEST, tenant)


async def add(tx: Connection, tenant: UUID, document: dict[str, Any], said: Said) -> tuple[int, bool]:
    """Make `document` the client's newest; return its version, and whether it was not the newest already."""
    await tx.execute(EXCLUDE, str(tenant))
    row = await newest(tx, tenant)
    if row is not None and row["document"] == document:
        return row["version"], False
    version = row["version"] + 1 if row else 1
    await tx.execute(ADD, tenant, version, document, said.reason, said.by, said.at)
    return version, True


HISTORY: Final[LiteralString] = """
    SELECT version, set_at, set_by, reason, document FROM credentials.guard_document
    WHERE tenant_id = $1 ORDER BY version DESC
"""


async def history(tx: Connection, tenant: UUID) -> list[dict[str, Any]]:
    """Return every version of a client's document, newest first."""
    return [dict(row) for row in await tx.fetch(HISTORY, tenant)]


MOVE: Final[LiteralString] = """
    WITH moved AS (
        INSERT INTO credentials.breaker AS b (tenant_id, state, why, moved_by, moved_at, armed_at, moves)
        VALUES ($1, $2, $3, $4, $5, CASE WHEN $2 = 'armed' THEN $5::timestamptz END, 1)
        ON CONFLICT (tenant_id) DO UPDATE
        SET state = excluded.state, why = excluded.why, moved_by = excluded.moved_by, moved_at = excluded.moved_at,
            armed_at = coalesce(excluded.armed_at, b.armed_at), moves = b.moves + 1
        WHERE b.state <> excluded.state AND NOT (b.state = 'killed' AND excluded.state = 'tripped')
        RETURNING b.moves
    )
    INSERT INTO credentials.breaker_move (tenant_id, number, state, why, moved_by, moved_at)
    SELECT $1, moves, $2, $3, $4, $5 FROM moved
    RETURNING number
"""
STATE: Final[LiteralString] = "SELECT state FROM credentials.breaker WHERE tenant_id = $1"


async def move(tx: Connection, tenant: UUID, state: BreakerState, said: Said) -> BreakerState | None:
    """Move a breaker, from this transaction's end on; return the state that it stays in if it does not move.

    It does not where it stands there already, and one that is killed does not become merely tripped.
    """
    before = BreakerState(await tx.fetchval(STATE, tenant) or BreakerState.ARMED)
    if before is state:
        return before
    number = await tx.fetchval(MOVE, tenant, state.value, said.reason, said.by, said.at)
    return before if number is None else None


STATUS: Final[LiteralString] = """
    SELECT whose.tenant_id, whose.name, coalesce(b.state, 'armed') AS state, b.why, b.moved_by, b.moved_at, b.armed_at,
           acts.acted, acts.privileged, acts.failed, named.accounts AS named
    FROM (SELECT tenant_id, name FROM gateway.client UNION ALL SELECT $1::uuid, NULL) AS whose (tenant_id, name)
    LEFT JOIN credentials.breaker AS b USING (tenant_id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS acted, count(*) FILTER (WHERE a.privileged) AS privileged,
               count(*) FILTER (WHERE NOT a.succeeded) AS failed
        FROM credentials.guard_act AS a
        WHERE (a.tenant_id = whose.tenant_id OR whose.tenant_id = $1) AND a.allowed_at > $2
          AND (b.armed_at IS NULL OR a.allowed_at > b.armed_at)
    ) AS acts
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT (n.tenant_id, n.account)) AS accounts FROM credentials.guard_arrival AS n
        WHERE (n.tenant_id = whose.tenant_id OR whose.tenant_id = $1) AND n.received_at > $2
    ) AS named
    WHERE $3::uuid IS NULL OR whose.tenant_id = $3 OR whose.tenant_id = $1
    ORDER BY whose.name NULLS FIRST
"""


async def status(tx: Connection, tenant: UUID | None, hour_ago: datetime) -> list[asyncpg.Record]:
    """Return the breaker for all clients, and each client's or that of one, with the counts of the last hour."""
    return await tx.fetch(STATUS, EVERYONE, hour_ago, tenant)


PROMISES: Final[LiteralString] = """
    SELECT coalesce(c.name, p.tenant_id::text) AS client, p.promise, p.began_at, p.due_at, p.kept_at,
           p.waived_at IS NOT NULL AS waived
    FROM credentials.promise AS p
    LEFT JOIN gateway.client AS c USING (tenant_id)
    WHERE ($1::uuid IS NULL OR p.tenant_id = $1) AND p.began_at >= $2 AND p.began_at < $3
    ORDER BY client, p.began_at, p.case_id, p.promise
"""


async def promises(tx: Connection, tenant: UUID | None, since: datetime, until: datetime) -> dict[str, list[Kept]]:
    """Return by client's name what was promised about the alerts that arrived in an interval."""
    found: dict[str, list[Kept]] = {}
    for row in await tx.fetch(PROMISES, tenant, since, until):
        kept = Kept(
            promise=Promise(row["promise"]),
            began_at=row["began_at"],
            due_at=row["due_at"],
            kept_at=row["kept_at"],
            waived=row["waived"],
        )
        found.setdefault(row["client"], []).append(kept)
    return found

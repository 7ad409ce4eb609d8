"""What holds for clients now: their documents, their breakers, and what machines did in the last hour."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.credential import BreakerState
from services.credentials.directory import store_identity
from services.credentials.guard.policy import STRICT, GlobalPolicy, GuardPolicy
from services.credentials.guard.records import EVERYONE, Breaker, Counts, Everyone, Guarding

HOUR: Final = timedelta(hours=1)

LOAD: Final[LiteralString] = """
    SELECT asked.tenant_id, newest.version, newest.document,
           b.state, b.why, b.moved_by, b.moved_at, b.armed_at, b.moves,
           acts.acted, acts.privileged, acts.finished, acts.failed
    FROM unnest($1::uuid[]) AS asked (tenant_id)
    LEFT JOIN breaker AS b USING (tenant_id)
    LEFT JOIN LATERAL (
        SELECT version, document FROM guard_document AS d
        WHERE d.tenant_id = asked.tenant_id ORDER BY version DESC LIMIT 1
    ) AS newest ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS acted, count(*) FILTER (WHERE a.privileged) AS privileged,
               count(a.succeeded) AS finished, count(*) FILTER (WHERE NOT a.succeeded) AS failed
        FROM guard_act AS a
        WHERE a.tenant_id = asked.tenant_id AND a.allowed_at > $2
          AND (b.armed_at IS NULL OR a.allowed_at > b.armed_at)
    ) AS acts
"""


async def load(tx: Connection, tenants: Sequence[UUID], *, now: datetime) -> dict[UUID, Guarding]:
    """Return what holds for each of `tenants`; one that nobody described has the strictest policy."""
    everyone = await _breaker_of_all(tx)
    wanted = sorted(set(tenants))
    persons = await store_identity.enabled_persons(tx, wanted)
    rows = await tx.fetch(LOAD, wanted, now - HOUR)
    return {
        row["tenant_id"]: Guarding(
            policy=STRICT if row["version"] is None else GuardPolicy.model_validate(row["document"]),
            version=row["version"] or 0,
            tenant=_breaker(row),
            everyone=everyone,
            counts=_counts(row, persons=persons.get(row["tenant_id"], 0)),
        )
        for row in rows
    }


BREAKER_OF_ALL: Final[LiteralString] = """
    SELECT state, why, moved_by, moved_at, armed_at, moves FROM breaker WHERE tenant_id = $1
"""


async def _breaker_of_all(tx: Connection) -> Breaker:
    row = await tx.fetchrow(BREAKER_OF_ALL, EVERYONE)
    return Breaker() if row is None else _breaker(row)


LOAD_EVERYONE: Final[LiteralString] = """
    SELECT newest.document, b.state, b.why, b.moved_by, b.moved_at, b.armed_at, b.moves,
           acts.acted, acts.privileged, acts.finished, acts.failed,
           (SELECT count(*) FROM breaker AS each
            WHERE each.tenant_id <> $1 AND each.state = 'tripped' AND each.moved_at > $2
              AND (b.armed_at IS NULL OR each.moved_at > b.armed_at)) AS tripped_clients
    FROM (SELECT $1::uuid AS tenant_id) AS asked
    LEFT JOIN breaker AS b USING (tenant_id)
    LEFT JOIN LATERAL (
        SELECT document FROM guard_document AS d WHERE d.tenant_id = $1 ORDER BY version DESC LIMIT 1
    ) AS newest ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS acted, count(*) FILTER (WHERE a.privileged) AS privileged,
               count(a.succeeded) AS finished, count(*) FILTER (WHERE NOT a.succeeded) AS failed
        FROM guard_act AS a
        WHERE a.allowed_at > $2 AND (b.armed_at IS NULL OR a.allowed_at > b.armed_at)
    ) AS acts
"""


async def load_everyone(tx: Connection, *, now: datetime) -> Everyone:
    """Return what holds for all clients together."""
    row = await tx.fetchrow(LOAD_EVERYONE, EVERYONE, now - HOUR)
    if row is None:
        raise AssertionError("a query without FROM a table has one row")
    return Everyone(
        policy=GlobalPolicy() if row["document"] is None else GlobalPolicy.model_validate(row["document"]),
        breaker=_breaker(row),
        counts=_counts(row),
        tripped_clients=row["tripped_clients"],
    )


ENSURE: Final[LiteralString] = """
    INSERT INTO breaker (tenant_id, state, why, moved_by, moved_at, moves)
    SELECT tenant_id, 'armed', '', '', NULL, 0 FROM unnest($1::uuid[]) AS asked (tenant_id)
    ON CONFLICT (tenant_id) DO NOTHING
"""
LOCK: Final[LiteralString] = """
    SELECT tenant_id FROM breaker WHERE tenant_id = ANY ($1::uuid[]) ORDER BY tenant_id = $2, tenant_id FOR UPDATE
"""


async def lock(tx: Connection, tenants: Sequence[UUID]) -> None:
    """Lock the breakers of `tenants` and that of all, always in this order, until the transaction ends."""
    wanted = [*sorted(set(tenants) - {EVERYONE}), EVERYONE]
    await tx.execute(ENSURE, wanted)
    await tx.fetch(LOCK, wanted, EVERYONE)


IS_COUNTED: Final[LiteralString] = "SELECT EXISTS (SELECT FROM guard_act WHERE tenant_id = $1 AND case_id = $2)"


async def is_counted(tx: Connection, tenant: UUID, case: UUID) -> bool:
    """Return whether the account of `case` was allowed already."""
    return bool(await tx.fetchval(IS_COUNTED, tenant, case))


COUNT: Final[LiteralString] = """
    INSERT INTO guard_act (tenant_id, case_id, privileged, allowed_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant_id, case_id) DO NOTHING
"""


async def count(tx: Connection, tenant: UUID, case: UUID, *, privileged: bool, now: datetime) -> None:
    """Count the account of `case` towards the caps."""
    await tx.execute(COUNT, tenant, case, privileged, now)


NOTE_END: Final[LiteralString] = """
    UPDATE guard_act SET succeeded = $3, finished_at = $4
    WHERE tenant_id = $1 AND case_id = $2 AND succeeded IS DISTINCT FROM $3
    RETURNING case_id
"""


async def note_end(tx: Connection, tenant: UUID, case: UUID, *, succeeded: bool, now: datetime) -> bool:
    """Note how an act ended and return whether that is new."""
    return await tx.fetchval(NOTE_END, tenant, case, succeeded, now) is not None


def _breaker(row: asyncpg.Record) -> Breaker:
    if not row["moves"]:
        return Breaker()
    return Breaker(
        state=BreakerState(row["state"]),
        why=row["why"],
        moved_by=row["moved_by"],
        moved_at=row["moved_at"],
        armed_at=row["armed_at"],
        moves=row["moves"],
    )


def _counts(row: asyncpg.Record, persons: int = 0) -> Counts:
    return Counts(
        acted=row["acted"],
        privileged=row["privileged"],
        finished=row["finished"],
        failed=row["failed"],
        persons=persons,
    )

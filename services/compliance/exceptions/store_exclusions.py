"""Updates that the service level leaves out for a while."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.compliance.exceptions.records import Exclusion

UNTOLD: Final[LiteralString] = """
    SELECT exclusion_id, tenant_id, patches, reason, approver, valid_from, until, recorded_at,
           NULL::timestamptz AS ended_at
    FROM exclusion WHERE told_at IS NULL
    ORDER BY recorded_at, exclusion_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TELL: Final[LiteralString] = "UPDATE exclusion SET told_at = $2 WHERE exclusion_id = ANY($1::uuid[])"


async def take_untold(tx: Connection, *, now: datetime, most: int) -> list[Exclusion]:
    """Return exclusions that nobody told of yet, the oldest first, as told with the caller's transaction."""
    found = [_exclusion(row) for row in await tx.fetch(UNTOLD, most)]
    if found:
        await tx.execute(TELL, [each.id for each in found], now)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An exclusion that a person ended."""

    exclusion_id: UUID
    why: str
    ended_at: datetime


ENDS: Final[LiteralString] = """
    SELECT exclusion_id, why, ended_at FROM exclusion_end WHERE told_at IS NULL
    ORDER BY ended_at, exclusion_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TELL_ENDS: Final[LiteralString] = "UPDATE exclusion_end SET told_at = $2 WHERE exclusion_id = ANY($1::uuid[])"


async def take_ended(tx: Connection, *, now: datetime, most: int) -> list[Ended]:
    """Return those that people ended and nobody told of yet, as told with the caller's transaction."""
    found = [
        Ended(exclusion_id=row["exclusion_id"], why=row["why"], ended_at=row["ended_at"])
        for row in await tx.fetch(ENDS, most)
    ]
    if found:
        await tx.execute(TELL_ENDS, [each.exclusion_id for each in found], now)
    return found


LOAD: Final[LiteralString] = """
    SELECT x.exclusion_id, x.tenant_id, x.patches, x.reason, x.approver, x.valid_from, x.until, x.recorded_at,
           e.ended_at
    FROM exclusion AS x LEFT JOIN exclusion_end AS e USING (exclusion_id)
    WHERE x.exclusion_id = ANY($1::uuid[])
"""


async def load(tx: Connection, ids: Collection[UUID]) -> dict[UUID, Exclusion]:
    """Return these exclusions by id."""
    return {row["exclusion_id"]: _exclusion(row) for row in await tx.fetch(LOAD, sorted(ids))}


def _exclusion(row: asyncpg.Record) -> Exclusion:
    return Exclusion(
        id=row["exclusion_id"],
        tenant_id=row["tenant_id"],
        patches=tuple(row["patches"]),
        reason=row["reason"],
        approver=row["approver"],
        valid_from=row["valid_from"],
        until=row["until"],
        recorded_at=row["recorded_at"],
        ended_at=row["ended_at"],
    )

"""Breakers that trip, and the moves of people that were not told yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.credential import BreakerState
from services.credentials.guard import store_guard
from services.credentials.guard.records import Trip

TRIP: Final[LiteralString] = """
    WITH moved AS (
        UPDATE breaker AS b
        SET state = 'tripped', why = t.why, moved_by = 'patchline', moved_at = $4, moves = b.moves + 1
        FROM unnest($1::uuid[], $2::text[], $3::integer[]) AS t (tenant_id, why, held)
        WHERE b.tenant_id = t.tenant_id AND b.state = 'armed'
        RETURNING b.tenant_id, b.moves, t.why, t.held
    )
    INSERT INTO breaker_move (tenant_id, number, state, why, moved_by, moved_at, held, told_at)
    SELECT tenant_id, moves, 'tripped', why, 'patchline', $4, held, $4 FROM moved
    RETURNING tenant_id
"""


async def trip(tx: Connection, trips: Sequence[tuple[UUID, Trip]], now: datetime) -> list[UUID]:
    """Trip those of these breakers that are armed and return whose, in order. Whoever calls tells it.

    One that tripped before, or that a person threw, stays as it is.
    """
    if not trips:
        return []
    tenants = [tenant for tenant, _ in trips]
    await store_guard.lock(tx, tenants)
    whys, held = [each.why for _, each in trips], [each.held for _, each in trips]
    return sorted(row["tenant_id"] for row in await tx.fetch(TRIP, tenants, whys, held, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a breaker by a person."""

    tenant: UUID
    number: int
    state: BreakerState
    why: str
    moved_by: str
    moved_at: datetime


TAKE_UNTOLD: Final[LiteralString] = """
    WITH untold AS (
        SELECT tenant_id, number FROM breaker_move
        WHERE told_at IS NULL ORDER BY moved_at, tenant_id, number LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE breaker_move AS m SET told_at = $1
    FROM untold WHERE m.tenant_id = untold.tenant_id AND m.number = untold.number
    RETURNING m.tenant_id, m.number, m.state, m.why, m.moved_by, m.moved_at
"""


async def take_untold(tx: Connection, now: datetime, most: int) -> list[Move]:
    """Return the moves that nobody told yet, oldest first, as told with the caller's transaction."""
    moves = [
        Move(
            tenant=row["tenant_id"],
            number=row["number"],
            state=BreakerState(row["state"]),
            why=row["why"],
            moved_by=row["moved_by"],
            moved_at=row["moved_at"],
        )
        for row in await tx.fetch(TAKE_UNTOLD, now, most)
    ]
    return sorted(moves, key=lambda each: (each.moved_at, each.tenant, each.number))

"""Intents as the worker sees them: whose turn it is, leases, and what became of each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection, Pool
from contracts.topics import Lane
from services.ticketing.records import Act, Intent
from services.ticketing.rules_effects import Due
from services.ticketing.store import cause_of

Place = Connection | Pool
"""Where one statement can run: inside the caller's transaction, or by itself."""


class LostLease(Exception):
    """Another worker has the intent now, or it was overtaken: leave it alone. No failure."""


DUE: Final[LiteralString] = """
    WITH RECURSIVE tenant (tenant_id) AS (                 -- each tenant once, by hopping along the index
        (SELECT tenant_id FROM intent WHERE state IN ('pending', 'leased', 'uncertain') ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT i.tenant_id FROM intent AS i
                WHERE i.state IN ('pending', 'leased', 'uncertain') AND i.tenant_id > tenant.tenant_id
                ORDER BY i.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    SELECT due.tenant_id, due.ticket_key, due.number, lane.name AS lane
    FROM tenant
    JOIN client USING (tenant_id)                          -- whoever is not known yet waits
    CROSS JOIN (VALUES ('live'), ('bulk')) AS lane (name)
    CROSS JOIN LATERAL (
        SELECT i.tenant_id, i.ticket_key, i.number
        FROM intent AS i
        WHERE i.tenant_id = tenant.tenant_id AND i.lane = lane.name
          AND i.state IN ('pending', 'leased', 'uncertain') AND i.due_at <= $1
          AND i.number = (SELECT min(first.number) FROM intent AS first      -- asked of each: joined, all meet all
                          WHERE first.ticket_key = i.ticket_key AND first.state <> 'done')
        ORDER BY i.due_at                                  -- as the index has it: thousands are due at one moment
        LIMIT $2
    ) AS due
"""


async def load_due(connection: Place, now: datetime, *, per_tenant: int) -> list[Due]:
    """Return the intents that may be taken, of each tenant and lane the longest due first; of each ticket the first."""
    rows = await connection.fetch(DUE, now, per_tenant)
    return [Due(row["tenant_id"], row["ticket_key"], row["number"], Lane(row["lane"])) for row in rows]


LEASE: Final[LiteralString] = """
    WITH free AS (
        SELECT ticket_key, number
        FROM intent
        WHERE (ticket_key, number) IN (SELECT * FROM unnest($1::text[], $2::integer[]))
          AND state IN ('pending', 'leased', 'uncertain') AND due_at <= $3
        ORDER BY ticket_key, number
        FOR UPDATE SKIP LOCKED
    )
    UPDATE intent AS i
    SET state = 'leased', due_at = $4, attempts = i.attempts + 1,
        acted_at = CASE WHEN i.state = 'leased' AND i.acted_at IS NOT NULL
                        THEN greatest(i.acted_at, i.due_at - $5::interval) ELSE i.acted_at END
    FROM free
    WHERE i.ticket_key = free.ticket_key AND i.number = free.number
    RETURNING i.ticket_key, i.number, i.tenant_id, i.kind, i.attempts, i.why, i.reservation, i.acted_at,
              i.cause_id, i.occurred_at, i.received_at, i.traceparent, i.correlation
"""


async def lease(
    connection: Place, due: Sequence[Due], *, now: datetime, until: datetime, margin: timedelta
) -> list[Intent]:
    """Take these intents until a moment, and return those that nobody else has taken first.

    Whoever let a lease run out may have written until `margin` before its end, and no later.
    """
    tickets, numbers = [each.ticket for each in due], [each.number for each in due]
    rows = await connection.fetch(LEASE, tickets, numbers, now, until, margin)
    lane = {(each.ticket, each.number): each.lane for each in due}
    return [replace(intent_of(row), leased_at=now, lane=lane[row["ticket_key"], row["number"]]) for row in rows]


def intent_of(row: asyncpg.Record) -> Intent:
    """Return the intent in one row."""
    return Intent(
        ticket=row["ticket_key"],
        number=row["number"],
        tenant=row["tenant_id"],
        act=Act(row["kind"]),
        attempts=row["attempts"],
        why=row["why"],
        cause=cause_of(row),
        reservation=row["reservation"],
        acted_at=row["acted_at"],
    )


BEGIN_WRITE: Final[LiteralString] = """
    UPDATE intent SET reservation = $4, acted_at = $5
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased' AND due_at > $5
    RETURNING number
"""


async def begin_write(connection: Place, intent: Intent, *, reservation: str | None, now: datetime) -> None:
    """Note that a write may happen from now on, and with which one-time link.

    Raises:
        LostLease: do not write.
    """
    await _fenced(connection, BEGIN_WRITE, intent, reservation, now)


FORGET_WRITE: Final[LiteralString] = """
    UPDATE intent SET acted_at = $4
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased'
    RETURNING number
"""


async def forget_write(connection: Place, intent: Intent) -> None:
    """Note that the write certainly did not happen; one of an earlier lease may have.

    Raises:
        LostLease: someone else has the intent.
    """
    await _fenced(connection, FORGET_WRITE, intent, intent.acted_at)


POSTPONE: Final[LiteralString] = """
    UPDATE intent
    SET state = CASE WHEN acted_at IS NULL THEN 'pending' ELSE 'uncertain' END, due_at = $4, reason = $5,
        acted_at = CASE WHEN acted_at >= $6 THEN $7 ELSE acted_at END  -- this lease's write may have left until now
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased'
    RETURNING number
"""


async def postpone(connection: Place, intent: Intent, *, now: datetime, until: datetime, reason: str) -> None:
    """Give the lease back. Until it is known whether a write happened, the intent is uncertain.

    Raises:
        LostLease: someone else has the intent.
    """
    await _fenced(connection, POSTPONE, intent, until, reason, intent.leased_at, now)


DROP_RESERVATION: Final[LiteralString] = """
    UPDATE intent SET state = 'uncertain', reservation = NULL, due_at = $4, reason = $5
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased'
    RETURNING number
"""


async def drop_reservation(connection: Place, intent: Intent, *, until: datetime, reason: str) -> None:
    """Give the lease back after the one-time link was found used.

    Raises:
        LostLease: someone else has the intent.
    """
    await _fenced(connection, DROP_RESERVATION, intent, until, reason)


PARK: Final[LiteralString] = """
    UPDATE intent SET state = 'parked', reservation = NULL, acted_at = NULL, reason = $4
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased'
    RETURNING number
"""


async def park(tx: Connection, intent: Intent, reason: str) -> None:
    """Leave the intent, and all that follow it on its ticket, to a person.

    Raises:
        LostLease: someone else has the intent.
    """
    await _fenced(tx, PARK, intent, reason)


FINISH: Final[LiteralString] = """
    UPDATE intent SET state = 'done', reason = $4, done_at = $5
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased'
    RETURNING number
"""


async def finish(tx: Connection, intent: Intent, *, outcome: str, now: datetime) -> None:
    """Note that the intent is done.

    Raises:
        LostLease: someone else has the intent; roll back.
    """
    await _fenced(tx, FINISH, intent, outcome, now)


async def _fenced(connection: Place, statement: str, intent: Intent, *values: object) -> None:
    if await connection.fetchval(statement, intent.ticket, intent.number, intent.attempts, *values) is None:
        raise LostLease(f"{intent.marker}: the lease of attempt {intent.attempts} is over")

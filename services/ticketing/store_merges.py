"""Which tickets are to be merged, which were, and whose turn it is to look through the tracker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.ticketing.records import Cause, Ticket
from services.ticketing.store import cause_of, load_tickets
from services.ticketing.store_intents import LostLease, Place

ASK: Final[LiteralString] = """
    INSERT INTO merge (ticket_key, tenant_id, asked_at, due_at)
    SELECT t.ticket_key, t.tenant_id, $3, $3
    FROM ticket AS t
    WHERE t.ticket_key = $1
      AND EXISTS (SELECT FROM unnest($2::text[]) AS other (external)
                  WHERE NOT EXISTS (SELECT FROM merged AS m WHERE m.external = other.external))
    ON CONFLICT (ticket_key) DO NOTHING
    RETURNING ticket_key
"""


async def ask(place: Place, key: str, others: Sequence[str], now: datetime) -> bool:
    """Have `others`, the tracker's numbers, merged into the ticket of `key`; return whether that is new.

    What is no ticket of ours, was asked for before, or was merged once is left alone: a person who opens a merged
    ticket again means it.
    """
    return await place.fetchval(ASK, key, others, now) is not None


IS_OURS: Final[LiteralString] = "SELECT EXISTS (SELECT FROM ticket WHERE ticket_key = $1)"


async def is_ours(place: Place, key: str) -> bool:
    """Return whether we have a ticket of `key`."""
    return bool(await place.fetchval(IS_OURS, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A merge that is leased. `attempts` tells this lease from every other one."""

    ticket: str
    tenant: UUID
    attempts: int


TAKE: Final[LiteralString] = """
    UPDATE merge SET due_at = $2, attempts = attempts + 1
    WHERE ticket_key = (SELECT ticket_key FROM merge WHERE due_at <= $1 ORDER BY due_at, ticket_key
                        LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING ticket_key, tenant_id, attempts
"""


async def take(place: Place, now: datetime, *, until: datetime) -> Asked | None:
    """Lease the merge that waits longest; `None`: there is none."""
    row = await place.fetchrow(TAKE, now, until)
    return None if row is None else Asked(ticket=row["ticket_key"], tenant=row["tenant_id"], attempts=row["attempts"])


IS_MINE: Final[LiteralString] = "SELECT 1 FROM merge WHERE ticket_key = $1 AND attempts = $2 AND due_at > $3"


async def check_lease(place: Place, asked: Asked, now: datetime) -> None:
    """Raise unless the merge is still ours to do.

    Raises:
        LostLease: do not write.
    """
    if await place.fetchval(IS_MINE, asked.ticket, asked.attempts, now) is None:
        raise LostLease(f"merge of {asked.ticket}: the lease of attempt {asked.attempts} is over")


POSTPONE: Final[LiteralString] = "UPDATE merge SET due_at = $3, reason = $4 WHERE ticket_key = $1 AND attempts = $2"


async def postpone(place: Place, asked: Asked, *, until: datetime, reason: str) -> None:
    """Give the lease back, unless someone else has it."""
    await place.execute(POSTPONE, asked.ticket, asked.attempts, until, reason)


DONE: Final[LiteralString] = "DELETE FROM merge WHERE ticket_key = $1 AND attempts = $2 RETURNING ticket_key"


async def finish(tx: Connection, asked: Asked) -> None:
    """Note that nothing is left to merge.

    Raises:
        LostLease: someone else has it; roll back.
    """
    if await tx.fetchval(DONE, asked.ticket, asked.attempts) is None:
        raise LostLease(f"merge of {asked.ticket}: the lease of attempt {asked.attempts} is over")


BEGINNING: Final[LiteralString] = """
    SELECT cause_id, occurred_at, received_at, traceparent, correlation
    FROM intent WHERE ticket_key = $1 ORDER BY number LIMIT 1
"""
MERGED: Final[LiteralString] = "SELECT external FROM merged WHERE ticket_key = $1 ORDER BY external"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A ticket before a merge: what it follows from, and the numbers that were merged into it before."""

    ticket: Ticket
    cause: Cause
    merged: frozenset[str]


async def load(tx: Connection, key: str) -> Before:
    """Return the ticket of `key`, locked, with what a merge needs to know."""
    tickets = await load_tickets(tx, [key])
    row = await tx.fetchrow(BEGINNING, key)
    if row is None:
        raise LookupError(f"{key} follows from nothing that is kept")
    merged = frozenset(row["external"] for row in await tx.fetch(MERGED, key))
    return Before(ticket=tickets[key], cause=cause_of(row), merged=merged)


REMEMBER: Final[LiteralString] = """
    INSERT INTO merged (external, ticket_key, tenant_id, kept, merged_at)
    SELECT other.external, $1, $2, $3, $5 FROM unnest($4::text[]) AS other (external)
    ON CONFLICT (external) DO NOTHING
    RETURNING external
"""
KEEP: Final[LiteralString] = "UPDATE ticket SET external = $2 WHERE ticket_key = $1 AND external IS DISTINCT FROM $2"


async def remember(tx: Connection, ticket: Ticket, *, kept: str, others: Sequence[str], now: datetime) -> list[str]:
    """Note that `others` were merged into `kept`, which is the ticket from now on; return those that were not noted."""
    rows = await tx.fetch(REMEMBER, ticket.key, ticket.matter.tenant, kept, sorted(others), now)
    await tx.execute(KEEP, ticket.key, kept)
    return sorted(row["external"] for row in rows)


NOT_OURS: Final[LiteralString] = """
    SELECT seen.external
    FROM unnest($1::text[]) AS seen (external)
    WHERE NOT EXISTS (SELECT FROM ticket AS t WHERE t.external = seen.external)
      AND NOT EXISTS (SELECT FROM merged AS m WHERE m.external = seen.external)
"""


async def load_unknown(place: Place, numbers: Sequence[str]) -> list[str]:
    """Return those of the tracker's numbers that are no ticket of ours, nor merged into one."""
    return [row["external"] for row in await place.fetch(NOT_OURS, numbers)]


BEGIN_ROUND: Final[LiteralString] = """
    UPDATE round SET due_at = $2, holder = $3
    WHERE name = 'duplicates' AND due_at <= $1 AND (completed_at IS NULL OR completed_at <= $4)
    RETURNING name
"""
GO_ON: Final[LiteralString] = """
    UPDATE round SET due_at = $2 WHERE name = 'duplicates' AND holder = $1 RETURNING name
"""
END_ROUND: Final[LiteralString] = """
    UPDATE round SET due_at = $2, holder = NULL, completed_at = coalesce($3, completed_at)
    WHERE name = 'duplicates' AND holder = $1
"""
LAST_ROUND: Final[LiteralString] = "SELECT completed_at FROM round WHERE name = 'duplicates'"


async def begin_round(place: Place, holder: UUID, *, now: datetime, until: datetime, last_before: datetime) -> bool:
    """Begin a round under a lease, unless the last one began after `last_before` or somebody else goes one.

    Return whether it was begun.
    """
    return await place.fetchval(BEGIN_ROUND, now, until, holder, last_before) is not None


async def go_on(place: Place, holder: UUID, *, until: datetime) -> None:
    """Keep the lease of a round.

    Raises:
        LostLease: someone else goes it now.
    """
    if await place.fetchval(GO_ON, holder, until) is None:
        raise LostLease("the round through the tracker is another's now")


async def end_round(place: Place, holder: UUID, *, now: datetime, began_at: datetime | None) -> None:
    """End a round and its lease. `began_at` is when a complete one began, `None` for a broken one."""
    await place.execute(END_ROUND, holder, now, began_at)


async def last_round(place: Place) -> datetime | None:
    """Return when the last complete round began."""
    moment: datetime | None = await place.fetchval(LAST_ROUND)
    return moment

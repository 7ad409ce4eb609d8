"""What was asked for, its tickets, and what became of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.compliance.exceptions.news import TicketNews
from services.compliance.exceptions.records import Chapter, Control, ControlKind, Lane, Request

WAITING: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM exception_request WHERE told_at IS NULL)
        OR EXISTS (SELECT FROM exception_signoff WHERE state = 'pending')
        OR EXISTS (SELECT FROM exception_revocation WHERE told_at IS NULL)
        OR EXISTS (SELECT FROM exclusion WHERE told_at IS NULL)
        OR EXISTS (SELECT FROM exclusion_end WHERE told_at IS NULL)
        OR EXISTS (SELECT FROM exception_timer WHERE at <= $1)
"""


async def is_waiting(tx: Connection, now: datetime) -> bool:
    """Return whether there is anything to do: a look at six indexes that are empty most of the time."""
    return bool(await tx.fetchval(WAITING, now))


TOUCHING: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM exception_signoff WHERE state = 'pending')
        OR EXISTS (SELECT FROM exception_revocation WHERE told_at IS NULL)
"""


async def is_touching(tx: Connection) -> bool:
    """Return whether any of it bears on how machines are decided: a signature, or that one was taken back."""
    return bool(await tx.fetchval(TOUCHING))


UNTOLD: Final[LiteralString] = """
    SELECT exception_id, tenant_id, lane, requirement_id, title, asset_ids, machines, reason, controls, valid_from,
           until, renews, renewal, requested_at, requested_by
    FROM exception_request WHERE told_at IS NULL
    ORDER BY requested_at, exception_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TELL: Final[LiteralString] = "UPDATE exception_request SET told_at = $2 WHERE exception_id = ANY($1::uuid[])"


async def take_untold(tx: Connection, *, now: datetime, most: int) -> list[Request]:
    """Return what nobody has looked at yet, the oldest first, as looked at with the caller's transaction."""
    found = [request_in(row) for row in await tx.fetch(UNTOLD, most)]
    if found:
        await tx.execute(TELL, [each.id for each in found], now)
    return found


LOCK: Final[LiteralString] = """
    SELECT exception_id, tenant_id, lane, requirement_id, title, asset_ids, machines, reason, controls, valid_from,
           until, renews, renewal, requested_at, requested_by
    FROM exception_request WHERE exception_id = ANY($1::uuid[])
    ORDER BY exception_id FOR UPDATE
"""


async def lock(tx: Connection, ids: Collection[UUID]) -> dict[UUID, Request]:
    """Return these requests, locked: whoever adds a chapter to one has it locked."""
    return {row["exception_id"]: request_in(row) for row in await tx.fetch(LOCK, sorted(ids))}


CLIENTS: Final[LiteralString] = "SELECT tenant_id, name, zone FROM client WHERE tenant_id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Client:
    """A client's name and the name of its zone."""

    name: str
    zone: str | None


async def clients(tx: Connection, ids: Collection[UUID]) -> dict[UUID, Client]:
    """Return the clients by id; one that nobody told us of has its id for a name."""
    known = {each: Client(str(each), None) for each in ids}
    rows = await tx.fetch(CLIENTS, sorted(set(ids)))
    return known | {row["tenant_id"]: Client(row["name"], row["zone"]) for row in rows}


TICKETS: Final[LiteralString] = "SELECT exception_id, ticket FROM exception_ticket WHERE exception_id = ANY($1::uuid[])"
KEEP_TICKETS: Final[LiteralString] = """
    INSERT INTO exception_ticket (exception_id, tenant_id, ticket, opened_at)
    SELECT asked.exception_id, asked.tenant_id, told.ticket, told.opened_at
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
         WITH ORDINALITY AS told (exception_id, tenant_id, ticket, opened_at, place)
    JOIN exception_request AS asked USING (exception_id, tenant_id)
    ORDER BY exception_id, place
    ON CONFLICT (exception_id) DO NOTHING
    RETURNING exception_id
"""


async def tickets(tx: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the ticket of each of these requests that has one."""
    return {row["exception_id"]: row["ticket"] for row in await tx.fetch(TICKETS, sorted(ids))}


async def keep_tickets(tx: Connection, told: Sequence[TicketNews]) -> set[UUID]:
    """Keep the first ticket of each request and return which requests got one. A repeat is a no-op."""
    kept = await tx.fetch(
        KEEP_TICKETS,
        [each.exception_id for each in told],
        [each.tenant_id for each in told],
        [each.number for each in told],
        [each.opened_at for each in told],
    )
    return {row["exception_id"] for row in kept}


CHAPTERS: Final[LiteralString] = """
    SELECT exception_id, chapter FROM exception_chapter WHERE exception_id = ANY($1::uuid[])
"""
APPEND: Final[LiteralString] = """
    INSERT INTO exception_chapter (exception_id, chapter, tenant_id, at, recorded_at, why)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING
    RETURNING chapter
"""


async def chapters(tx: Connection, ids: Collection[UUID]) -> dict[UUID, set[Chapter]]:
    """Return what became of these requests so far."""
    found: dict[UUID, set[Chapter]] = {each: set() for each in ids}
    for row in await tx.fetch(CHAPTERS, sorted(ids)):
        found[row["exception_id"]].add(Chapter(row["chapter"]))
    return found


async def append(
    tx: Connection, request: Request, chapter: Chapter, *, at: datetime, recorded_at: datetime, why: str = ""
) -> bool:
    """Add a chapter and return whether it is new; each comes once."""
    row = await tx.fetchrow(APPEND, request.id, chapter, request.tenant_id, at, recorded_at, why)
    return row is not None


def request_in(row: asyncpg.Record) -> Request:
    """Return the request that a row has."""
    return Request(
        id=row["exception_id"],
        tenant_id=row["tenant_id"],
        lane=Lane(row["lane"]),
        requirement_id=row["requirement_id"],
        title=row["title"],
        asset_ids=None if row["asset_ids"] is None else tuple(row["asset_ids"]),
        machines=tuple(row["machines"]),
        reason=row["reason"],
        controls=tuple(Control(ControlKind(each["kind"]), each["text"]) for each in row["controls"]),
        valid_from=row["valid_from"],
        until=row["until"],
        renews=row["renews"],
        renewal=row["renewal"],
        requested_at=row["requested_at"],
        requested_by=row["requested_by"],
    )

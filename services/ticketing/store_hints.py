"""What ticket systems say of our tickets, until each was read again: kept, leased, and let go."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts import ids
from contracts.events.psa import TicketChange, TicketTold
from services.ticketing.records import TicketState
from services.ticketing.rules_hints import Hint, Known
from services.ticketing.store import columns
from services.ticketing.store_intents import Place

NUMBERED: Final[LiteralString] = """
    SELECT external, ticket_key, tenant_id, state FROM ticket WHERE external = ANY($1::text[])
"""


async def load_numbered(tx: Connection, numbers: Collection[str]) -> dict[str, Known]:
    """Return our tickets by the tracker's own numbers, of those numbers that are ours."""
    rows = await tx.fetch(NUMBERED, sorted(numbers))
    return {row["external"]: Known(row["ticket_key"], row["tenant_id"], TicketState(row["state"])) for row in rows}


KEEP: Final[LiteralString] = """
    INSERT INTO hint (event_id, ticket_key, tenant_id, change, by_whom, occurred_at, received_at, traceparent, due_at)
    SELECT *, $9::timestamptz
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                $8::text[])
    ON CONFLICT DO NOTHING
"""


async def keep(place: Place, hints: Sequence[Hint], now: datetime) -> None:
    """Have the tickets of these hints read again; a hint that is kept already stays as it is."""
    rows = [
        (
            each.event_id,
            each.ticket,
            each.tenant,
            each.change,
            each.by,
            each.occurred_at,
            each.received_at,
            each.traceparent,
        )
        for each in sorted(hints, key=lambda hint: hint.event_id.bytes)
    ]
    if rows:
        await place.execute(KEEP, *columns(rows, 8), now)


OTHERWISE: Final[LiteralString] = """
    SELECT t.ticket_key, t.tenant_id
    FROM ticket AS t
    WHERE t.external IS NOT NULL AND (t.state = 'open') <> (t.external = ANY($1::text[]))
      AND t.created_at < $2 AND (t.looked_at IS NULL OR t.looked_at < $2)
      AND NOT EXISTS (SELECT FROM intent AS i WHERE i.ticket_key = t.ticket_key AND i.state NOT IN ('done', 'parked'))
    ORDER BY t.ticket_key
"""


async def ask_where_otherwise(place: Place, open_numbers: Collection[str], began_at: datetime) -> int:
    """Have every ticket read again that is not as a list of all open ones, begun at a moment, has it; return how many.

    So what a webhook did not tell is found all the same.
    """
    rows = await place.fetch(OTHERWISE, sorted(open_numbers), began_at)
    hints = [
        Hint(
            event_id=ids.timer_fact_id(row["ticket_key"], TicketTold.TYPE, began_at),
            ticket=row["ticket_key"],
            tenant=row["tenant_id"],
            change=TicketChange.CHANGED,
            occurred_at=began_at,
            received_at=began_at,
        )
        for row in rows
    ]
    await keep(place, hints, began_at)
    return len(hints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was told of one ticket, leased, and the ticket as it was then; `number` is the tracker's."""

    known: Known
    number: str
    hints: tuple[Hint, ...]
    attempts: int


TAKE: Final[LiteralString] = """
    WITH next AS (
        SELECT due.ticket_key, t.external, t.state
        FROM hint AS due JOIN ticket AS t USING (ticket_key)
        WHERE due.due_at <= $1
        ORDER BY due.due_at, due.ticket_key
        LIMIT 1
        FOR UPDATE OF due SKIP LOCKED
    )
    UPDATE hint AS h
    SET due_at = $2, attempts = h.attempts + 1
    FROM next
    WHERE h.ticket_key = next.ticket_key
    RETURNING h.event_id, h.ticket_key, h.tenant_id, h.change, h.by_whom, h.occurred_at, h.received_at, h.traceparent,
              h.attempts, next.external, next.state
"""


async def take(place: Place, now: datetime, *, until: datetime) -> Taken | None:
    """Lease what was told of the ticket that waits longest; `None`: nothing waits."""
    rows = await place.fetch(TAKE, now, until)
    if not rows:
        return None
    hints = tuple(
        Hint(
            event_id=row["event_id"],
            ticket=row["ticket_key"],
            tenant=row["tenant_id"],
            change=TicketChange(row["change"]),
            by=row["by_whom"],
            occurred_at=row["occurred_at"],
            received_at=row["received_at"],
            traceparent=row["traceparent"],
        )
        for row in sorted(rows, key=lambda row: (row["received_at"], row["event_id"].bytes))
    )
    known = Known(hints[0].ticket, hints[0].tenant, TicketState(rows[0]["state"]))
    return Taken(known=known, number=rows[0]["external"], hints=hints, attempts=max(row["attempts"] for row in rows))


UNFINISHED: Final[LiteralString] = "SELECT kind, state FROM intent WHERE ticket_key = $1 AND state <> 'done'"


async def load_unfinished(tx: Connection, ticket: str) -> list[tuple[str, str]]:
    """Return the acts that are still to be done on a ticket, each with its state. Lock the ticket first."""
    return [(row["kind"], row["state"]) for row in await tx.fetch(UNFINISHED, ticket)]


DROP_PARKED: Final[LiteralString] = """
    UPDATE intent SET state = 'done', reason = 'closed by a person', done_at = $2
    WHERE ticket_key = $1 AND state = 'parked'
"""


async def drop_parked(tx: Connection, ticket: str, now: datetime) -> None:
    """End what waits for a person on a ticket that a person closed. Lock the ticket first."""
    await tx.execute(DROP_PARKED, ticket, now)


WROTE_AROUND: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM intent WHERE ticket_key = $1 AND acted_at BETWEEN $2 AND $3)
"""


async def wrote_around(tx: Connection, ticket: str, at: datetime, *, within: timedelta) -> bool:
    """Return whether we wrote on a ticket about then ourselves."""
    return bool(await tx.fetchval(WROTE_AROUND, ticket, at - within, at + within))


LET_GO: Final[LiteralString] = "DELETE FROM hint WHERE event_id = ANY($1::uuid[]) RETURNING event_id"


async def let_go(place: Place, hints: Collection[Hint]) -> set[UUID]:
    """Forget hints that are dealt with, and return those that were still there."""
    rows = await place.fetch(LET_GO, sorted(each.event_id for each in hints))
    return {row["event_id"] for row in rows}


POSTPONE: Final[LiteralString] = "UPDATE hint SET due_at = $2, reason = $3 WHERE event_id = ANY($1::uuid[])"


async def postpone(place: Place, hints: Collection[Hint], *, until: datetime, reason: str) -> None:
    """Have the ticket read again later."""
    await place.execute(POSTPONE, sorted(each.event_id for each in hints), until, reason)

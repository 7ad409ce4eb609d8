"""What one act needs and leaves: its words, fixed before they are said, and what its ticket shows afterwards."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from chassis.postgres import Connection
from services.ticketing.records import About, Client, Intent, Listing, Plan, Ticket, Told
from services.ticketing.rules_desk import Desk
from services.ticketing.store import load_all_listings, load_standings, load_tickets, load_waiting, matter_of
from services.ticketing.store_intents import LostLease, intent_of

STILL_MINE: Final[LiteralString] = """
    SELECT ticket_key, number, tenant_id, kind, attempts, why, plan, reservation, acted_at,
           cause_id, occurred_at, received_at, traceparent, correlation
    FROM intent
    WHERE ticket_key = $1 AND number = $2 AND attempts = $3 AND state = 'leased'
"""
AROUND: Final[LiteralString] = """
    SELECT m.about, c.name, c.psa_company
    FROM ticket AS t
    JOIN client AS c USING (tenant_id)
    JOIN matter AS m ON m.ticket_key = t.ticket_key
                     OR (m.tenant_id = t.tenant_id AND m.kind = t.kind AND m.subject = t.subject)
    WHERE t.ticket_key = $1
    ORDER BY (m.ticket_key = t.ticket_key) DESC NULLS LAST, m.kind DESC  -- the requirement that adopted it knows best
    LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A leased intent as it is now, with all that its words are made of. `plan`: words that were fixed before."""

    intent: Intent
    plan: Plan | None
    ticket: Ticket
    listings: list[tuple[str, Listing]]
    about: About
    client: Client


async def load_surroundings(tx: Connection, intent: Intent) -> Surroundings:
    """Return everything about a leased intent, with its ticket locked.

    Raises:
        LostLease: the intent was overtaken, or someone else has it.
    """
    tickets = await load_tickets(tx, [intent.ticket])
    row = await tx.fetchrow(STILL_MINE, intent.ticket, intent.number, intent.attempts)
    if row is None:
        raise LostLease(f"{intent.marker}: overtaken")
    listings = await load_all_listings(tx, [intent.ticket])
    around = await tx.fetchrow(AROUND, intent.ticket)
    if around is None:
        raise LookupError(f"{intent.ticket} is about nothing that is kept")
    return Surroundings(
        intent=intent_of(row),
        plan=None if row["plan"] is None else _plan_of(row["plan"]),
        ticket=tickets[intent.ticket],
        listings=sorted(((asset, each) for (_, asset), each in listings.items()), key=lambda pair: pair[0]),
        about=About(**around["about"]),
        client=Client(around["name"], around["psa_company"]),
    )


def _plan_of(kept: dict[str, Any]) -> Plan:
    return Plan(**kept | {"told": tuple(Told(**each) for each in kept["told"])})


FIX: Final[LiteralString] = "UPDATE intent SET plan = $3 WHERE ticket_key = $1 AND number = $2"


async def fix_plan(tx: Connection, intent: Intent, plan: Plan) -> None:
    """Fix the words of an intent: from now on what happens goes into the next one."""
    await tx.execute(FIX, intent.ticket, intent.number, asdict(plan))


SAW: Final[LiteralString] = """
    UPDATE ticket SET external = $2, title = coalesce(title, $3), looked_at = coalesce($4, looked_at)
    WHERE ticket_key = $1
"""


async def save_seen(tx: Connection, key: str, *, external: str, title: str, open_at: datetime | None) -> None:
    """Note what the tracker calls a ticket, and when it was seen open there (`None`: it was not)."""
    await tx.execute(SAW, key, external, title, open_at)


TELL: Final[LiteralString] = """
    UPDATE ticket_device AS d
    SET checked_failures = greatest(d.checked_failures, told.failures),
        noted_failures = CASE WHEN told.noted THEN told.failures ELSE d.noted_failures END,
        noted_cleared = d.noted_cleared OR (told.cleared AND d.cleared_as IS NOT NULL)
    FROM unnest($2::text[], $3::integer[], $4::boolean[], $5::boolean[]) AS told (asset, failures, noted, cleared)
    WHERE d.ticket_key = $1 AND d.asset = told.asset
"""


async def save_told(tx: Connection, key: str, told: Sequence[Told]) -> None:
    """Note what a ticket says of its devices now. Lock the ticket first."""
    await tx.execute(
        TELL,
        key,
        [each.asset for each in told],
        [each.failures for each in told],
        [each.noted for each in told],
        [each.cleared for each in told],
    )


async def load_waiting_of(tx: Connection, key: str) -> Desk:
    """Return the desk of one ticket with nothing on it but the intents that wait; locks the ticket."""
    return Desk(tickets=await load_tickets(tx, [key]), waiting=await load_waiting(tx, [key]))


LOCK: Final[LiteralString] = "SELECT FROM ticket WHERE ticket_key = $1 FOR UPDATE"


async def lock_ticket(tx: Connection, key: str) -> None:
    """Lock one ticket until the transaction ends."""
    await tx.execute(LOCK, key)


HOME: Final[LiteralString] = """
    SELECT tenant_id, kind, subject, about, generation, ticket_key
    FROM matter
    WHERE ticket_key = $1
    ORDER BY tenant_id, kind, subject
    FOR UPDATE
"""


async def load_desk_of(tx: Connection, key: str) -> Desk:
    """Return the desk of one ticket: what it is about, its listings, their standings, and the intents that wait."""
    matters = dict(matter_of(row) for row in await tx.fetch(HOME, key))
    tickets = await load_tickets(tx, [key])
    listings = await load_all_listings(tx, [key])
    return Desk(
        matters=matters,
        tickets=tickets,
        listings=listings,
        standings=await load_standings(tx, {(matter, asset) for matter in matters for _, asset in listings}),
        waiting=await load_waiting(tx, [key]),
    )

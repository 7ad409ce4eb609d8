"""What is kept about tickets, loaded under locks: one statement per table and batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection
from contracts.topics import Lane
from services.ticketing.records import (
    About,
    Act,
    Cause,
    Kind,
    Label,
    Listing,
    Matter,
    MatterKey,
    Ticket,
    TicketState,
    Waiting,
)
from services.ticketing.rules import Finding, Verdict
from services.ticketing.rules_cases import Chapter, Turn
from services.ticketing.rules_desk import Desk
from services.ticketing.rules_fold import Catalogued, Fact
from services.ticketing.standing import Standing


async def load_for_update(tx: Connection, facts: Sequence[Fact]) -> Desk:
    """Return all that `facts` may touch; what tickets are about is locked first, then the tickets."""
    await _ensure_matters(tx, _must_exist(facts))
    links = [fact for fact in facts if isinstance(fact, Catalogued)]
    pairs = {(fact.matter, fact.asset) for fact in facts} | {(link.home, link.asset) for link in links}
    pairs |= {(each.matter, each.continues_on) for each in facts if isinstance(each, Finding) and each.continues_on}
    matters = await _load_matters(tx, {matter for matter, _ in pairs})
    tickets = await load_tickets(tx, {each.ticket for each in matters.values() if each.ticket is not None})
    linked = {(key, fact.asset) for link in links for key in (link.matter, link.home) for fact in facts}
    touched = {
        (matter.ticket, asset)
        for key, asset in pairs | linked  # a link may make one matter's ticket the other's, for every device after it
        if (matter := matters.get(key)) is not None and matter.ticket is not None
    }
    others = {
        (other, asset)
        for key, asset in pairs | linked  # whose ticket it was, and the requirement that adopted it, have a word too
        if (matter := matters.get(key)) is not None and (ticket := tickets.get(matter.ticket or "")) is not None
        for other in (ticket.matter, ticket.home or ticket.matter)
    }
    return Desk(
        matters=matters,
        tickets=tickets,
        listings=await _load_listings(tx, touched),
        standings=await load_standings(tx, pairs | linked | others),
        waiting=await load_waiting(tx, tickets),
    )


def _must_exist(facts: Sequence[Fact]) -> dict[MatterKey, About]:
    """Return the matters that may get a ticket: they need a row that can be locked."""
    about_by_key: dict[MatterKey, About] = {}
    for fact in facts:
        match fact:
            case Finding(verdict=Verdict.FAILING):
                about_by_key[fact.matter] = fact.about
            case Catalogued():
                about_by_key[fact.home] = fact.about
            case Chapter(turn=Turn.OPEN | Turn.RAISE):
                about_by_key[fact.matter] = fact.about
            case _:
                continue
    return about_by_key


ENSURE_MATTERS: Final[LiteralString] = """
    INSERT INTO matter (tenant_id, kind, subject, about)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[])
    ON CONFLICT DO NOTHING
"""


async def _ensure_matters(tx: Connection, about_by_key: Mapping[MatterKey, About]) -> None:
    """Give each matter a row that can be locked."""
    if about_by_key:
        keys = sorted(about_by_key)
        await tx.execute(ENSURE_MATTERS, *columns(keys, 3), [asdict(about_by_key[key]) for key in keys])


LOCK_MATTERS: Final[LiteralString] = """
    SELECT tenant_id, kind, subject, about, generation, ticket_key
    FROM matter
    WHERE (tenant_id, kind, subject) IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]))
    ORDER BY tenant_id, kind, subject
    FOR UPDATE
"""


async def _load_matters(tx: Connection, keys: Collection[MatterKey]) -> dict[MatterKey, Matter]:
    rows = await tx.fetch(LOCK_MATTERS, *columns(sorted(keys), 3))
    return dict(matter_of(row) for row in rows)


def matter_of(row: asyncpg.Record) -> tuple[MatterKey, Matter]:
    """Return the matter in one row, with its key."""
    key = MatterKey(row["tenant_id"], Kind(row["kind"]), row["subject"])
    about = About(**row["about"])
    return key, Matter(about=about, generation=row["generation"], ticket=row["ticket_key"])


LOCK_TICKETS: Final[LiteralString] = """
    SELECT t.ticket_key, t.tenant_id, t.kind, t.subject, t.generation, t.state, t.adopted_by, t.external, t.title,
           t.last_number, t.looked_at, t.created_at,
           (SELECT count(*) FROM ticket_device AS d WHERE d.ticket_key = t.ticket_key AND d.cleared_as IS NULL)
               AS failing
    FROM ticket AS t
    WHERE t.ticket_key = ANY($1::text[])
    ORDER BY t.ticket_key
    FOR UPDATE OF t
"""


async def load_tickets(tx: Connection, keys: Collection[str]) -> dict[str, Ticket]:
    """Return these tickets, locked until the transaction ends."""
    rows = await tx.fetch(LOCK_TICKETS, sorted(keys))
    return {
        row["ticket_key"]: Ticket(
            key=row["ticket_key"],
            matter=MatterKey(row["tenant_id"], Kind(row["kind"]), row["subject"]),
            generation=row["generation"],
            state=TicketState(row["state"]),
            failing=row["failing"],
            last_number=row["last_number"],
            created_at=row["created_at"],
            adopted_by=row["adopted_by"],
            looked_at=row["looked_at"],
            external=row["external"],
            title=row["title"],
        )
        for row in rows
    }


STANDINGS: Final[LiteralString] = """
    SELECT tenant_id, kind, subject, asset, sequence, state, received_at, occurred_at
    FROM standing
    WHERE (tenant_id, kind, subject, asset) IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
"""


async def load_standings(
    tx: Connection, pairs: Collection[tuple[MatterKey, str]]
) -> dict[tuple[MatterKey, str], Standing]:
    """Return the newest word on each of these devices and matters, of those that have one."""
    rows = await tx.fetch(STANDINGS, *columns([(*matter, asset) for matter, asset in pairs], 4))
    return {
        (MatterKey(row["tenant_id"], Kind(row["kind"]), row["subject"]), row["asset"]): Standing(
            row["sequence"], row["state"], row["received_at"], row["occurred_at"]
        )
        for row in rows
    }


WAITING: Final[LiteralString] = """
    SELECT ticket_key, number, kind, due_at, why, cause_id, occurred_at, received_at, traceparent, correlation,
           lane
    FROM intent
    WHERE ticket_key = ANY($1::text[]) AND state <> 'done' AND plan IS NULL
    ORDER BY ticket_key, number
"""


async def load_waiting(tx: Connection, tickets: Collection[str]) -> dict[str, tuple[Waiting, ...]]:
    """Return the intents of these tickets that are not fixed yet. Lock the tickets first."""
    waiting: dict[str, tuple[Waiting, ...]] = {}
    for row in await tx.fetch(WAITING, sorted(tickets)):
        each = Waiting(
            number=row["number"],
            act=Act(row["kind"]),
            due_at=row["due_at"],
            why=row["why"],
            cause=cause_of(row),
            lane=Lane(row["lane"]),
        )
        waiting[row["ticket_key"]] = (*waiting.get(row["ticket_key"], ()), each)
    return waiting


def cause_of(row: asyncpg.Record) -> Cause:
    """Return what the intent in one row follows from."""
    return Cause(
        event_id=row["cause_id"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        traceparent=row["traceparent"],
        correlation=row["correlation"],
    )


LISTINGS: Final[LiteralString] = """
    SELECT ticket_key, asset, label, release, code, failures, noted_failures, checked_failures, listed_at, cleared_as,
           noted_cleared
    FROM ticket_device
    WHERE (ticket_key, asset) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
ALL_LISTINGS: Final[LiteralString] = """
    SELECT ticket_key, asset, label, release, code, failures, noted_failures, checked_failures, listed_at, cleared_as,
           noted_cleared
    FROM ticket_device
    WHERE ticket_key = ANY($1::text[])
"""


async def _load_listings(tx: Connection, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Listing]:
    return _listings_of(await tx.fetch(LISTINGS, *columns(pairs, 2)))


async def load_all_listings(tx: Connection, tickets: Collection[str]) -> dict[tuple[str, str], Listing]:
    """Return every device on these tickets. Lock the tickets first."""
    return _listings_of(await tx.fetch(ALL_LISTINGS, sorted(tickets)))


def _listings_of(rows: Iterable[asyncpg.Record]) -> dict[tuple[str, str], Listing]:
    return {
        (row["ticket_key"], row["asset"]): Listing(
            label=Label(**row["label"]),
            failures=row["failures"],
            listed_at=row["listed_at"],
            release=row["release"],
            code=row["code"],
            noted_failures=row["noted_failures"],
            checked_failures=row["checked_failures"],
            cleared_as=row["cleared_as"],
            noted_cleared=row["noted_cleared"],
        )
        for row in rows
    }


def columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    """Return `rows` as `width` columns, which `unnest` makes rows again."""
    kept = list(rows)
    return [[row[index] for row in kept] for index in range(width)]

"""What a batch changed, saved: one statement per table, and a repeat of it changes nothing."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection, Pool, transaction
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from services.ticketing.records import MatterKey, Waiting
from services.ticketing.rules_desk import Desk
from services.ticketing.standing import Standing
from services.ticketing.store import columns

REMEMBER: Final[LiteralString] = """
    INSERT INTO history (event_id, tenant_id, type, subject, occurred_at, received_at, causation, recorded_at)
    SELECT *, $8::timestamptz
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::uuid[])
    ON CONFLICT DO NOTHING
    RETURNING event_id
"""


async def remember(tx: Connection, envelopes: Sequence[Envelope], recorded_at: datetime) -> set[UUID]:
    """Add events to the history and return the ids of those that were not in it."""
    ordered = sorted(envelopes, key=lambda envelope: envelope.id.bytes)
    rows = [
        (each.id, each.tenant, each.data.TYPE, each.subject, each.time, each.received, each.causation)
        for each in ordered
    ]
    return {row["event_id"] for row in await tx.fetch(REMEMBER, *columns(rows, 7), recorded_at)}


SAVE_CLIENTS: Final[LiteralString] = """
    INSERT INTO client AS c (tenant_id, name, psa_company, sequence)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
    ON CONFLICT (tenant_id) DO UPDATE
    SET name = excluded.name, psa_company = excluded.psa_company, sequence = excluded.sequence
    WHERE c.sequence < excluded.sequence  -- late or repeated: a no-op
    RETURNING tenant_id
"""


async def save_clients(tx: Connection, clients: Sequence[tuple[UUID, ClientChanged, int]]) -> set[UUID]:
    """Save the newest record of each client, given with its tenant and sequence, and return whose were newer."""
    newest = {
        tenant: (tenant, client.name, client.psa_company, sequence)
        for tenant, client, sequence in sorted(clients, key=lambda each: each[2])
    }
    rows = await tx.fetch(SAVE_CLIENTS, *columns([newest[tenant] for tenant in sorted(newest)], 4))
    return {row["tenant_id"] for row in rows}


async def know_everyone(pool: Pool) -> None:
    """Let what is about all clients together have tickets too: nobody ever tells of it as of a client."""
    async with transaction(pool) as tx:
        await save_clients(tx, [(ids.EVERYONE, ClientChanged(name="All clients", zone="UTC"), 0)])


async def save(tx: Connection, before: Desk, after: Desk, *, now: datetime) -> None:
    """Save what differs between two desks."""
    await _save_matters(tx, before, after)
    await _save_tickets(tx, before, after)
    await _save_listings(tx, before, after)
    await _save_standings(tx, before, after)
    await _save_waiting(tx, before, after, now)


SAVE_MATTERS: Final[LiteralString] = """
    INSERT INTO matter (tenant_id, kind, subject, about, generation, ticket_key)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::integer[], $6::text[])
    ON CONFLICT (tenant_id, kind, subject) DO UPDATE
    SET about = excluded.about, generation = excluded.generation, ticket_key = excluded.ticket_key
"""


async def _save_matters(tx: Connection, before: Desk, after: Desk) -> None:
    rows = [
        (*key, asdict(kept.about), kept.generation, kept.ticket)
        for key, kept in sorted(after.matters.items(), key=lambda item: item[0])
        if before.matters.get(key) != kept
    ]
    if rows:
        await tx.execute(SAVE_MATTERS, *columns(rows, 6))


SAVE_TICKETS: Final[LiteralString] = """
    INSERT INTO ticket (ticket_key, tenant_id, kind, subject, generation, state, last_number, adopted_by, created_at)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::integer[],
                         $8::text[], $9::timestamptz[])
    ON CONFLICT (ticket_key) DO UPDATE
    SET state = excluded.state, last_number = excluded.last_number, adopted_by = excluded.adopted_by
"""


async def _save_tickets(tx: Connection, before: Desk, after: Desk) -> None:
    rows = [
        (key, *kept.matter, kept.generation, kept.state, kept.last_number, kept.adopted_by, kept.created_at)
        for key, kept in sorted(after.tickets.items())
        if before.tickets.get(key) != kept
    ]
    if rows:
        await tx.execute(SAVE_TICKETS, *columns(rows, 9))


SAVE_LISTINGS: Final[LiteralString] = """
    INSERT INTO ticket_device (ticket_key, asset, tenant_id, label, release, code, failures, noted_failures,
                               checked_failures, listed_at, cleared_as, noted_cleared)
    SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::jsonb[], $5::text[], $6::text[], $7::integer[],
                         $8::integer[], $9::integer[], $10::timestamptz[], $11::text[], $12::boolean[])
    ON CONFLICT (ticket_key, asset) DO UPDATE
    SET label = excluded.label, release = excluded.release, code = excluded.code, failures = excluded.failures,
        noted_failures = excluded.noted_failures, checked_failures = excluded.checked_failures,
        listed_at = excluded.listed_at, cleared_as = excluded.cleared_as, noted_cleared = excluded.noted_cleared
"""


async def _save_listings(tx: Connection, before: Desk, after: Desk) -> None:
    rows = [
        (
            *pair,
            after.tickets[pair[0]].matter.tenant,
            asdict(kept.label),
            kept.release,
            kept.code,
            kept.failures,
            kept.noted_failures,
            kept.checked_failures,
            kept.listed_at,
            kept.cleared_as,
            kept.noted_cleared,
        )
        for pair, kept in sorted(after.listings.items(), key=lambda item: item[0])
        if before.listings.get(pair) != kept
    ]
    if rows:
        await tx.execute(SAVE_LISTINGS, *columns(rows, 12))


SAVE_STANDINGS: Final[LiteralString] = """
    INSERT INTO standing AS s (tenant_id, kind, subject, asset, sequence, state, received_at, occurred_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[],
                         $8::timestamptz[])
    ON CONFLICT (asset, kind, subject, tenant_id) DO UPDATE
    SET sequence = excluded.sequence, state = excluded.state, received_at = excluded.received_at,
        occurred_at = excluded.occurred_at
    WHERE s.sequence < excluded.sequence  -- late or repeated: a no-op
"""


async def _save_standings(tx: Connection, before: Desk, after: Desk) -> None:
    rows = [
        (*matter, asset, *kept)
        for (matter, asset), kept in sorted(after.standings.items(), key=_by_asset)
        if before.standings.get((matter, asset)) != kept
    ]
    if rows:
        await tx.execute(SAVE_STANDINGS, *columns(rows, 8))


def _by_asset(item: tuple[tuple[MatterKey, str], Standing]) -> tuple[str, str, str, bytes]:
    (tenant, kind, subject), asset = item[0]
    return asset, subject, kind, tenant.bytes


ADD_INTENTS: Final[LiteralString] = """
    INSERT INTO intent (ticket_key, number, tenant_id, kind, state, due_at, why, cause_id, occurred_at, received_at,
                        traceparent, correlation, lane, created_at)
    SELECT ticket_key, number, tenant_id, kind, 'pending', due_at, why, cause_id, occurred_at, received_at,
           traceparent, correlation, lane, $13
    FROM unnest($1::text[], $2::integer[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::uuid[],
                $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::text[])
        AS added (ticket_key, number, tenant_id, kind, due_at, why, cause_id, occurred_at, received_at, traceparent,
                  correlation, lane)
    ON CONFLICT (ticket_key, number) DO UPDATE
    SET why = excluded.why, lane = excluded.lane,
        due_at = CASE intent.state WHEN 'leased' THEN intent.due_at ELSE excluded.due_at END
    WHERE intent.plan IS NULL AND intent.state <> 'done'
"""
DROP_INTENTS: Final[LiteralString] = """
    UPDATE intent SET state = 'done', reason = 'overtaken', done_at = $3
    FROM unnest($1::text[], $2::integer[]) AS dropped (ticket_key, number)
    WHERE intent.ticket_key = dropped.ticket_key AND intent.number = dropped.number
"""


async def _save_waiting(tx: Connection, before: Desk, after: Desk, now: datetime) -> None:
    """Add, hasten or drop intents whose words are not fixed yet; a lease is left as long as it is."""
    was, is_now = _numbered(before), _numbered(after)
    rows = [
        (
            *place,
            after.tickets[place[0]].matter.tenant,
            each.act,
            each.due_at,
            each.why,
            each.cause.event_id,
            each.cause.occurred_at,
            each.cause.received_at,
            each.cause.traceparent,
            each.cause.correlation,
            each.lane,
        )
        for place, each in sorted(is_now.items(), key=lambda item: item[0])
        if was.get(place) != each
    ]
    if rows:
        await tx.execute(ADD_INTENTS, *columns(rows, 12), now)
    if dropped := sorted(was.keys() - is_now.keys()):
        await tx.execute(DROP_INTENTS, *columns(dropped, 2), now)


def _numbered(desk: Desk) -> dict[tuple[str, int], Waiting]:
    return {(key, each.number): each for key, waiting in desk.waiting.items() for each in waiting}

"""What was handled before, and our own copy of the clients."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString, NamedTuple
from uuid import UUID

from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged

REMEMBER: Final[LiteralString] = """
    INSERT INTO history (event_id, tenant_id, type, subject, occurred_at, received_at, causation, recorded_at)
    SELECT *, $8::timestamptz
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::uuid[])
    ON CONFLICT DO NOTHING
    RETURNING event_id
"""


async def remember(tx: Connection, envelopes: Sequence[Envelope], recorded_at: datetime) -> set[UUID]:
    """Add events to the history and return the ids of those that were not in it."""
    rows = [
        (each.id, each.tenant, each.data.TYPE, each.subject, each.time, each.received, each.causation)
        for each in sorted(envelopes, key=lambda envelope: envelope.id.bytes)
    ]
    if not rows:
        return set()
    return {row["event_id"] for row in await tx.fetch(REMEMBER, *zip(*rows, strict=True), recorded_at)}


SAVE_CLIENTS: Final[LiteralString] = """
    INSERT INTO client AS c (tenant_id, name, zone, owner_contact, sequence)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    ON CONFLICT (tenant_id) DO UPDATE
    SET name = excluded.name, zone = excluded.zone, owner_contact = excluded.owner_contact,
        sequence = excluded.sequence
    WHERE c.sequence < excluded.sequence  -- late or repeated: a no-op
    RETURNING tenant_id
"""


async def save_clients(tx: Connection, clients: Sequence[tuple[UUID, ClientChanged, int]]) -> set[UUID]:
    """Save the newest record of each client, given with its tenant and sequence, and return whose were newer."""
    newest = {
        tenant: (tenant, client.name, client.zone, client.owner_contact, sequence)
        for tenant, client, sequence in sorted(clients, key=lambda each: each[2])
    }
    rows = await tx.fetch(SAVE_CLIENTS, *zip(*(newest[tenant] for tenant in sorted(newest)), strict=True))
    return {row["tenant_id"] for row in rows}


CLIENT: Final[LiteralString] = "SELECT name, owner_contact FROM client WHERE tenant_id = $1"


class Client(NamedTuple):
    """How people call a client, and whom the client named to be told."""

    name: str
    owner_contact: str | None


async def client(tx: Connection, tenant: UUID) -> Client | None:
    """Return a client; `None`: its record has not come yet."""
    row = await tx.fetchrow(CLIENT, tenant)
    return None if row is None else Client(row["name"], row["owner_contact"])

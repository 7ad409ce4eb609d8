"""The ledger: what the live histories recorded of each event. Stamps survive in it, and what raw records lost."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, Pool
from contracts.envelope import Envelope, decode

DEVICE_OWNERS: Final[LiteralString] = "SELECT event_id, tenant_id FROM device_fact WHERE event_id = ANY($1::uuid[])"
PATCH_OWNERS: Final[LiteralString] = "SELECT event_id, tenant_id FROM patch_fact WHERE event_id = ANY($1::uuid[])"
PAGE: Final = 1000


async def owners(inventory: Pool, compliance: Pool, event_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return whose each of these events was when it was recorded, by either service."""
    ids = list(event_ids)
    if not ids:
        return {}
    rows = await inventory.fetch(DEVICE_OWNERS, ids) + await compliance.fetch(PATCH_OWNERS, ids)
    return {row["event_id"]: row["tenant_id"] for row in rows}


DEVICE_FACTS: Final[LiteralString] = """
    SELECT event_id, tenant_id, source, device, type, occurred_at, received_at, facts::text AS facts
    FROM device_fact WHERE event_id > $1 AND (received_at < $2 OR source = ANY($3::text[]))
    ORDER BY event_id LIMIT $4
"""
PATCH_FACTS: Final[LiteralString] = """
    SELECT event_id, tenant_id, source, device, type, occurred_at, received_at, facts::text AS facts
    FROM patch_fact WHERE event_id > $1 AND (received_at < $2 OR source = ANY($3::text[]))
    ORDER BY event_id LIMIT $4
"""


async def recorded(
    tx: Connection, statement: LiteralString, *, before: datetime, sources: Collection[str]
) -> AsyncIterator[list[Envelope]]:
    """Yield every recorded event of these sources, or received before a moment, some at a time, as it was told."""
    after = UUID(int=0)
    while rows := await tx.fetch(statement, after, before, sorted(sources), PAGE):
        yield [envelope(row) for row in rows]
        after = rows[-1]["event_id"]


def envelope(row: asyncpg.Record) -> Envelope:
    """Return a recorded event. Its cause and trace are not recorded, and no state depends on them."""
    headers = {
        "ce_type": row["type"],
        "ce_id": str(row["event_id"]),
        "ce_source": row["source"],
        "ce_subject": row["device"],
        "ce_time": row["occurred_at"].isoformat(),
        "ce_receivedtime": row["received_at"].isoformat(),
        "ce_tenantid": str(row["tenant_id"]),
    }
    return decode([(name, text.encode()) for name, text in headers.items()], row["facts"].encode())

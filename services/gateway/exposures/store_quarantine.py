"""Quarantined deliveries in PostgreSQL: sealed, so that whoever reads the table learns nothing of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A delivery that could not be read. `unread`: so many of its records; `None`: the whole body."""

    raw_id: UUID
    source: str
    digest: bytes
    received_at: datetime
    unread: int | None
    reason: str
    key_id: str
    sealed: bytes


ADD: Final[LiteralString] = """
    INSERT INTO exposure_quarantine (raw_id, source, digest, received_at, unread, reason, key_id, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT DO NOTHING
"""


async def add(connection: Connection, one: Quarantined) -> None:
    """Keep a delivery; one whose body is there already is a no-op."""
    await connection.execute(
        ADD, one.raw_id, one.source, one.digest, one.received_at, one.unread, one.reason, one.key_id, one.sealed
    )


LIST: Final[LiteralString] = """
    SELECT raw_id, source, received_at, unread, reason, key_id, octet_length(sealed) AS sealed_bytes
    FROM exposure_quarantine ORDER BY raw_id
"""


async def every(connection: Connection) -> list[asyncpg.Record]:
    """Return what is quarantined, oldest first, without the bodies."""
    return await connection.fetch(LIST)


SEALED: Final[LiteralString] = "SELECT raw_id, key_id, sealed FROM exposure_quarantine WHERE raw_id = ANY($1::uuid[])"


async def sealed(connection: Connection, raw_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return the sealed bodies of those of `raw_ids` that are there."""
    return await connection.fetch(SEALED, sorted(raw_ids))


FORGET: Final[LiteralString] = "DELETE FROM exposure_quarantine WHERE raw_id = $1 RETURNING raw_id"


async def forget(tx: Connection, raw_id: UUID) -> bool:
    """Delete a delivery and return whether it was there."""
    return await tx.fetchrow(FORGET, raw_id) is not None

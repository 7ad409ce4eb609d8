"""Assets to decide anew because something other than an event about them changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection

OF_TENANTS: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at)
    SELECT asset_id, tenant_id, $2, $3 FROM asset WHERE tenant_id = ANY($1::uuid[]) ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET cause_id = excluded.cause_id, cause_at = excluded.cause_at
"""


async def of_tenants(tx: Connection, tenants: Collection[UUID], cause_id: UUID, cause_at: datetime) -> None:
    """Let all assets of these clients be decided anew."""
    await tx.execute(OF_TENANTS, sorted(tenants), cause_id, cause_at)


OF_ASSETS: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at)
    SELECT asset_id, tenant_id, $2, $3 FROM asset
    WHERE asset_id = ANY($1::uuid[])
       OR asset_id IN (SELECT asset_id FROM device WHERE device_id = ANY($1::uuid[]))  -- merged into it
    ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET cause_id = excluded.cause_id, cause_at = excluded.cause_at
"""


async def of_assets(tx: Connection, asset_ids: Collection[UUID], cause_id: UUID, cause_at: datetime) -> None:
    """Let these assets be decided anew, and those that they were merged into."""
    await tx.execute(OF_ASSETS, list(asset_ids), cause_id, cause_at)


APPLY: Final[LiteralString] = """
    UPDATE catalog_applied SET version = newest.version
    FROM (SELECT version, digest, loaded_at FROM catalog_version ORDER BY version DESC LIMIT 1) AS newest
    WHERE catalog_applied.version < newest.version
    RETURNING newest.version, newest.digest, newest.loaded_at
"""
OF_ALL: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at)
    SELECT asset_id, tenant_id, $1, $2 FROM asset ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET cause_id = excluded.cause_id, cause_at = excluded.cause_at
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A catalog version that was not applied yet."""

    version: int
    digest: str
    loaded_at: datetime


async def newly_loaded(tx: Connection) -> Loaded | None:
    """Return the newest catalog version if it was not applied yet, and note that it is; the note locks others out."""
    row = await tx.fetchrow(APPLY)
    return Loaded(row["version"], row["digest"], row["loaded_at"]) if row else None


async def of_all(tx: Connection, cause_id: UUID, cause_at: datetime) -> None:
    """Let every asset be decided anew."""
    await tx.execute(OF_ALL, cause_id, cause_at)


@dataclass(frozen=True, slots=True)
class Due:
    """An asset to decide anew, and why."""

    asset_id: UUID
    cause_id: UUID
    cause_at: datetime


PEEK: Final[LiteralString] = "SELECT asset_id, cause_id, cause_at FROM recheck ORDER BY asset_id LIMIT $1"
DONE: Final[LiteralString] = """
    DELETE FROM recheck
    WHERE (asset_id, cause_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def peek(tx: Connection, limit: int) -> list[Due]:
    """Return some assets to decide anew, without locking them."""
    return [Due(row["asset_id"], row["cause_id"], row["cause_at"]) for row in await tx.fetch(PEEK, limit)]


async def done(tx: Connection, due: Sequence[Due]) -> None:
    """Forget these; one that came due again for another cause meanwhile stays."""
    await tx.execute(DONE, [each.asset_id for each in due], [each.cause_id for each in due])

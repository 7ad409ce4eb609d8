"""Which assets are one machine, in PostgreSQL. Call with the assets locked: their rows guard what is read here."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily
from services.inventory.rules_identity import Candidate
from services.inventory.rules_labels import Basis
from services.inventory.rules_merges import Membership

OF_ASSETS: Final[LiteralString] = """
    SELECT asset_id, tenant_id, surviving_id, since_at FROM asset_merge
    WHERE surviving_id IN (SELECT surviving_id FROM asset_merge WHERE asset_id = ANY($1::uuid[]))
"""


async def memberships(tx: Connection, asset_ids: Iterable[UUID]) -> dict[UUID, Membership]:
    """Return the memberships of those of the assets that were ever merged, and of all that are one with them."""
    return {row["asset_id"]: _membership(row) for row in await tx.fetch(OF_ASSETS, list(asset_ids))}


EVERY: Final[LiteralString] = """
    SELECT asset_id, tenant_id, surviving_id, since_at FROM asset_merge
    WHERE surviving_id IN (SELECT surviving_id FROM asset_merge GROUP BY surviving_id HAVING count(*) > 1)
"""


async def every(tx: Connection) -> dict[UUID, Membership]:
    """Return the memberships of all visible assets that are one with another."""
    return {row["asset_id"]: _membership(row) for row in await tx.fetch(EVERY)}


def _membership(row: asyncpg.Record) -> Membership:
    return Membership(
        asset_id=row["asset_id"],
        tenant_id=row["tenant_id"],
        surviving_id=row["surviving_id"],
        since_at=row["since_at"],
    )


SAVE: Final[LiteralString] = """
    INSERT INTO asset_merge AS kept (asset_id, tenant_id, surviving_id, since_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])
    ON CONFLICT (asset_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, surviving_id = excluded.surviving_id, since_at = excluded.since_at
    WHERE kept.since_at < excluded.since_at
"""


async def save(tx: Connection, changed: Iterable[Membership]) -> None:
    """Set memberships; an older decision changes nothing."""
    rows = sorted(changed, key=lambda each: each.asset_id)
    await tx.execute(
        SAVE,
        [each.asset_id for each in rows],
        [each.tenant_id for each in rows],
        [each.surviving_id for each in rows],
        [each.since_at for each in rows],
    )


MOVE: Final[LiteralString] = """
    UPDATE asset_merge SET tenant_id = moved.tenant_id
    FROM unnest($1::uuid[], $2::uuid[]) AS moved (asset_id, tenant_id)
    WHERE asset_merge.asset_id = moved.asset_id AND asset_merge.tenant_id <> moved.tenant_id
"""


async def move(tx: Connection, tenant_by_asset: Mapping[UUID, UUID]) -> None:
    """Let the memberships of assets that changed hands follow them."""
    assets = sorted(tenant_by_asset)
    await tx.execute(MOVE, assets, [tenant_by_asset[each] for each in assets])


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One decision as history keeps it."""

    decision_id: UUID
    tenant_id: UUID
    kind: Literal["merged", "unmerged"]
    assets: Collection[UUID]
    surviving_id: UUID
    by_hand: bool
    who: str
    why: str
    decided_at: datetime
    recorded_at: datetime
    evidence: Mapping[str, object] = field(default_factory=dict)


APPEND: Final[LiteralString] = """
    INSERT INTO asset_merge_history (decision_id, tenant_id, kind, assets, surviving_id, by_hand, who, why, evidence,
                                     decided_at, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11)
    ON CONFLICT (decision_id) DO NOTHING
"""


async def append(tx: Connection, line: Line) -> None:
    """Keep a decision for ever."""
    await tx.execute(
        APPEND,
        line.decision_id,
        line.tenant_id,
        line.kind,
        sorted(line.assets),
        line.surviving_id,
        line.by_hand,
        line.who,
        line.why,
        json.dumps(line.evidence),
        line.decided_at,
        line.recorded_at,
    )


KEEP_APART: Final[LiteralString] = """
    INSERT INTO asset_apart (smaller_id, larger_id, tenant_id, since_at)
    SELECT least($1::uuid, other), greatest($1::uuid, other), $3, $4 FROM unnest($2::uuid[]) AS other
    ON CONFLICT (smaller_id, larger_id) DO NOTHING
"""


async def keep_apart(tx: Connection, asset_id: UUID, others: Iterable[UUID], *, tenant: UUID, at: datetime) -> None:
    """Remember that a person took an asset out of those that it was one with."""
    await tx.execute(KEEP_APART, asset_id, sorted(others), tenant, at)


APART: Final[LiteralString] = """
    SELECT smaller_id, larger_id FROM asset_apart WHERE smaller_id = ANY($1::uuid[]) AND larger_id = ANY($1::uuid[])
"""


async def apart(tx: Connection, asset_ids: Iterable[UUID]) -> set[tuple[UUID, UUID]]:
    """Return the pairs among these assets that a person took apart, the smaller id first."""
    return {(row["smaller_id"], row["larger_id"]) for row in await tx.fetch(APART, list(asset_ids))}


ALIKE: Final[LiteralString] = """
    SELECT asset.asset_id, asset.tenant_id, alike.serial, asset.source, asset.device, asset.hostname, asset.os_family,
           asset.os_family_from
    FROM (
        SELECT tenant_id, lower(serial) AS serial FROM asset WHERE serial IS NOT NULL AND removed_at IS NULL
        GROUP BY tenant_id, lower(serial) HAVING count(*) > 1 AND count(*) = count(DISTINCT source)
    ) AS alike
    JOIN asset ON lower(asset.serial) = alike.serial AND asset.tenant_id = alike.tenant_id
              AND asset.serial IS NOT NULL AND asset.removed_at IS NULL
    WHERE NOT EXISTS (
        SELECT FROM asset AS other
        WHERE lower(other.serial) = alike.serial AND other.serial IS NOT NULL AND other.removed_at IS NULL
        GROUP BY other.source HAVING count(*) > 1
    )
    ORDER BY asset.asset_id
"""


async def alike(tx: Connection) -> list[Candidate]:
    """Return the live assets that share a serial number with one of another source of their client.

    A number that two live devices of one source have, of whichever clients, tells nothing.
    """
    return [
        Candidate(
            asset_id=row["asset_id"],
            tenant_id=row["tenant_id"],
            serial=row["serial"],
            source=row["source"],
            device=row["device"],
            hostname=row["hostname"],
            os_family=OsFamily(row["os_family"]),
            os_family_from=Basis(row["os_family_from"]),
        )
        for row in await tx.fetch(ALIKE)
    ]

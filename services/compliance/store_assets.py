"""Assets and clients, as inventory and the gateway tell of them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Tier
from services.compliance.news import ClientNews
from services.compliance.rules_assets import Asset

ENSURE: Final[LiteralString] = """
    INSERT INTO asset (asset_id, tenant_id, sequence, removed_sequence, os_family, tier, products_seen)
    SELECT asset_id, tenant_id, 0, 0, 'other', 'workstation', '{}'
    FROM unnest($1::uuid[], $2::uuid[]) AS told (asset_id, tenant_id)
    ON CONFLICT (asset_id) DO NOTHING
"""


async def ensure(tx: Connection, tenant_by_asset: Mapping[UUID, UUID]) -> None:
    """Make the assets that are not there yet, so that they can be locked."""
    assets = sorted(tenant_by_asset)
    await tx.execute(ENSURE, assets, [tenant_by_asset[each] for each in assets])


LOCK: Final[LiteralString] = """
    SELECT asset_id, tenant_id, sequence, removed_sequence, removed_at, source, device, hostname, os_family, os_name,
           os_version, os_build, tier, first_seen_at, product, products_seen, tags, ephi, last_seen_at, removed_reason
    FROM asset
    WHERE asset_id = ANY($1::uuid[])
    ORDER BY asset_id
    FOR UPDATE
"""


async def lock(tx: Connection, asset_ids: Collection[UUID]) -> dict[UUID, Asset]:
    """Return those of the assets that there are, by id, locked until the transaction ends."""
    return {row["asset_id"]: _asset(row) for row in await tx.fetch(LOCK, sorted(asset_ids))}


LOCK_FREE: Final[LiteralString] = """
    SELECT asset_id, tenant_id, sequence, removed_sequence, removed_at, source, device, hostname, os_family, os_name,
           os_version, os_build, tier, first_seen_at, product, products_seen, tags, ephi, last_seen_at, removed_reason
    FROM asset
    WHERE asset_id = ANY($1::uuid[])
    ORDER BY asset_id
    FOR UPDATE SKIP LOCKED
"""


async def lock_free(tx: Connection, asset_ids: Collection[UUID]) -> dict[UUID, Asset]:
    """Return those of the assets that nobody else holds, by id, locked; the others are looked at again later."""
    return {row["asset_id"]: _asset(row) for row in await tx.fetch(LOCK_FREE, sorted(asset_ids))}


OF_TENANT: Final[LiteralString] = """
    SELECT asset_id, tenant_id, sequence, removed_sequence, removed_at, source, device, hostname, os_family, os_name,
           os_version, os_build, tier, first_seen_at, product, products_seen, tags, ephi, last_seen_at, removed_reason
    FROM asset
    WHERE tenant_id = $1 AND asset_id > $2
    ORDER BY asset_id
    LIMIT $3
"""


async def of_tenant(tx: Connection, tenant_id: UUID, after: UUID, limit: int) -> list[Asset]:
    """Return some of a client's assets, in order of their ids, those after `after`. Nothing is locked."""
    return [_asset(row) for row in await tx.fetch(OF_TENANT, tenant_id, after, limit)]


def _asset(row: asyncpg.Record) -> Asset:
    return Asset(
        asset_id=row["asset_id"],
        tenant_id=row["tenant_id"],
        sequence=row["sequence"],
        removed_sequence=row["removed_sequence"],
        removed_at=row["removed_at"],
        source=row["source"],
        device=row["device"],
        hostname=row["hostname"],
        os_family=OsFamily(row["os_family"]),
        os_name=row["os_name"],
        os_version=row["os_version"],
        os_build=row["os_build"],
        tier=Tier(row["tier"]),
        first_seen_at=row["first_seen_at"],
        product=row["product"],
        products_seen=tuple(row["products_seen"]),
        tags=tuple(row["tags"]),
        ephi=row["ephi"],
        last_seen_at=row["last_seen_at"],
        removed_reason=row["removed_reason"],
    )


SAVE: Final[LiteralString] = """
    UPDATE asset
    SET tenant_id = new.tenant_id, sequence = new.sequence, removed_sequence = new.removed_sequence,
        removed_at = new.removed_at, source = new.source, device = new.device, hostname = new.hostname,
        os_family = new.os_family, os_name = new.os_name, os_version = new.os_version, os_build = new.os_build,
        tier = new.tier, first_seen_at = new.first_seen_at, product = new.product,
        products_seen = CASE new.products_seen WHEN '' THEN '{}' ELSE string_to_array(new.products_seen, $21) END,
        tags = new.tags::jsonb, ephi = new.ephi, last_seen_at = new.last_seen_at, removed_reason = new.removed_reason
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
                $15::text[], $16::text[], $17::text[], $18::boolean[], $19::timestamptz[], $20::text[])
        AS new (asset_id, tenant_id, sequence, removed_sequence, removed_at, source, device, hostname, os_family,
                os_name, os_version, os_build, tier, first_seen_at, product, products_seen, tags, ephi, last_seen_at,
                removed_reason)
    WHERE asset.asset_id = new.asset_id
"""
_BETWEEN: Final = "\x1f"
"""unnest takes no array of arrays, so products travel as one text, and tags as JSON. No product has this character."""


async def save(tx: Connection, assets: Sequence[Asset]) -> None:
    """Save locked assets."""
    await tx.execute(
        SAVE,
        [each.asset_id for each in assets],
        [each.tenant_id for each in assets],
        [each.sequence for each in assets],
        [each.removed_sequence for each in assets],
        [each.removed_at for each in assets],
        [each.source for each in assets],
        [each.device for each in assets],
        [each.hostname for each in assets],
        [each.os_family for each in assets],
        [each.os_name for each in assets],
        [each.os_version for each in assets],
        [each.os_build for each in assets],
        [each.tier for each in assets],
        [each.first_seen_at for each in assets],
        [each.product for each in assets],
        [_BETWEEN.join(each.products_seen) for each in assets],
        [json.dumps(each.tags) for each in assets],
        [each.ephi for each in assets],
        [each.last_seen_at for each in assets],
        [each.removed_reason for each in assets],
        _BETWEEN,
    )


NOTE_RETAGGED: Final[LiteralString] = "INSERT INTO priority_retagged (tenant_id) SELECT * FROM unnest($1::uuid[])"


async def note_retagged(tx: Connection, tenants: Collection[UUID]) -> None:
    """Let the priorities of these clients be looked at: machines of theirs belong to another class now."""
    await tx.execute(NOTE_RETAGGED, sorted(tenants))


SAVE_CLIENTS: Final[LiteralString] = """
    INSERT INTO client AS kept (tenant_id, name, zone, sequence)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
    ON CONFLICT (tenant_id) DO UPDATE
    SET name = excluded.name, zone = excluded.zone, sequence = excluded.sequence
    WHERE kept.sequence < excluded.sequence  -- late or repeated: a no-op
    RETURNING tenant_id
"""


async def save_clients(tx: Connection, clients: Iterable[ClientNews]) -> set[UUID]:
    """Save records that are newer than what is kept and return whose they are."""
    newest: dict[UUID, ClientNews] = {}
    for each in clients:
        if each.tenant_id not in newest or newest[each.tenant_id].sequence < each.sequence:
            newest[each.tenant_id] = each
    rows = [newest[tenant] for tenant in sorted(newest)]
    saved = await tx.fetch(
        SAVE_CLIENTS,
        [each.tenant_id for each in rows],
        [each.name for each in rows],
        [each.zone for each in rows],
        [each.sequence for each in rows],
    )
    return {row["tenant_id"] for row in saved}


ZONES: Final[LiteralString] = "SELECT tenant_id, zone FROM client WHERE tenant_id = ANY($1::uuid[])"


async def zones(tx: Connection, tenants: Iterable[UUID]) -> dict[UUID, str]:
    """Return the zones of the clients that we know."""
    return {row["tenant_id"]: row["zone"] for row in await tx.fetch(ZONES, sorted(set(tenants)))}

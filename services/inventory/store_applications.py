"""The applications of assets in PostgreSQL. Call with the assets locked or written: their rows guard these."""

from collections.abc import Iterable, Mapping
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.inventory.rules_applications import NEVER, Change, Members, Moment, Register

LISTINGS: Final[LiteralString] = """
    SELECT asset_id, listed_at, listing, digest, added FROM application_listing WHERE asset_id = ANY($1::uuid[])
"""


async def registers(tx: Connection, asset_ids: Iterable[UUID]) -> dict[UUID, Register]:
    """Return what is kept of the listings of those assets that had any, by asset."""
    return {
        row["asset_id"]: Register(_moment(row["listed_at"], row["listing"]) or NEVER, row["digest"], row["added"])
        for row in await tx.fetch(LISTINGS, sorted(asset_ids, key=_number))
    }


MEMBERS: Final[LiteralString] = """
    SELECT asset_id, application_id, added_at, added_listing FROM application WHERE asset_id = ANY($1::uuid[])
"""


async def members(tx: Connection, asset_ids: Iterable[UUID]) -> dict[UUID, Members]:
    """Return the applications of these assets, by asset."""
    wanted = sorted(asset_ids, key=_number)
    found: dict[UUID, dict[UUID, Moment | None]] = {asset_id: {} for asset_id in wanted}
    for asset_id, application_id, added_at, added_listing in await tx.fetch(MEMBERS, wanted) if wanted else ():
        found[asset_id][application_id] = _moment(added_at, added_listing)
    return {**found}


FORGET: Final[LiteralString] = """
    DELETE FROM application USING unnest($1::uuid[], $2::uuid[]) AS gone (asset_id, application_id)
    WHERE application.asset_id = gone.asset_id AND application.application_id = gone.application_id
"""
PUT: Final[LiteralString] = """
    INSERT INTO application (asset_id, application_id, tenant_id, name, version, publisher, architecture, origin,
                             added_at, added_listing)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::timestamptz[], $10::text[])
    ON CONFLICT (asset_id, application_id) DO UPDATE
    SET added_at = excluded.added_at, added_listing = excluded.added_listing
"""
SAVE_LISTINGS: Final[LiteralString] = """
    INSERT INTO application_listing (asset_id, tenant_id, listed_at, listing, digest, added)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::bytea[], $6::integer[])
    ON CONFLICT (asset_id) DO UPDATE
    SET listed_at = excluded.listed_at, listing = excluded.listing, digest = excluded.digest, added = excluded.added
"""


async def save(tx: Connection, changes: Mapping[UUID, Change], tenants: Mapping[UUID, UUID]) -> None:
    """Write what changed, by asset; `tenants` says whose each asset is."""
    assets = sorted(changes, key=_number)
    gone = [(asset_id, application_id) for asset_id in assets for application_id in changes[asset_id].gone]
    if gone:
        await tx.execute(FORGET, *zip(*gone, strict=True))
    put = [
        (
            asset_id,
            application_id,
            tenants[asset_id],
            application.name,
            application.version,
            application.publisher,
            application.architecture,
            application.origin,
            *_columns(moment),
        )
        for asset_id in assets
        for application_id, application, moment in changes[asset_id].put
    ]
    if put:
        await tx.execute(PUT, *zip(*put, strict=True))
    kept = [(asset_id, tenants[asset_id], changes[asset_id].register) for asset_id in assets]
    rows = [
        (asset_id, tenant_id, *_columns(None if each.listed == NEVER else each.listed), each.digest, each.added)
        for asset_id, tenant_id, each in kept
    ]
    await tx.execute(SAVE_LISTINGS, *zip(*rows, strict=True))


MOVE_LISTINGS: Final[LiteralString] = """
    UPDATE application_listing SET tenant_id = moved.tenant_id
    FROM unnest($1::uuid[], $2::uuid[]) AS moved (asset_id, tenant_id)
    WHERE application_listing.asset_id = moved.asset_id AND application_listing.tenant_id <> moved.tenant_id
"""
MOVE_APPLICATIONS: Final[LiteralString] = """
    UPDATE application SET tenant_id = moved.tenant_id
    FROM unnest($1::uuid[], $2::uuid[]) AS moved (asset_id, tenant_id)
    WHERE application.asset_id = moved.asset_id AND application.tenant_id <> moved.tenant_id
"""


async def move(tx: Connection, tenant_by_asset: Mapping[UUID, UUID]) -> None:
    """Let the applications of assets that changed hands follow them."""
    if tenant_by_asset:
        assets = sorted(tenant_by_asset, key=_number)
        tenants = [tenant_by_asset[each] for each in assets]
        for statement in (MOVE_LISTINGS, MOVE_APPLICATIONS):
            await tx.execute(statement, assets, tenants)


def _moment(at: object, listing: object) -> Moment | None:
    return None if at is None else Moment(at, listing)  # type: ignore[arg-type]  # columns of these types


def _columns(moment: Moment | None) -> tuple[object, object]:
    return (None, None) if moment is None else (moment.at, moment.listing)


def _number(key: UUID) -> int:
    return key.int

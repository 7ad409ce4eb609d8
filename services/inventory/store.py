"""Assets, their history and the clients' names in PostgreSQL: one statement per batch."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString, cast
from uuid import UUID

import asyncpg

from chassis.errors import MayWorkLater
from chassis.postgres import Connection
from services.inventory.rules import Asset, Kept, Step
from services.inventory.rules_facts import Fact
from services.inventory.rules_fields import FIELDS, Said
from services.inventory.rules_labels import Basis, labels_of
from services.inventory.rules_stamp import packed, unpacked


class AssetMovedOn(MayWorkLater):
    """Another consumer made or wrote an asset of this batch since it was loaded; loading it again gives the truth."""


LOAD: Final[LiteralString] = """
    SELECT asset_id, source, device, first_seen_at, last_seen_at, retired_at, announced_seen_at, revision, stamps,
           tenant_id, hostname, CASE WHEN os_family_from = $2 THEN os_family END, os_name, os_version, os_build,
           CASE WHEN tier_from = $2 THEN tier END, owner, location, serial, tags,
           CASE WHEN ephi_from = $2 THEN ephi END, online, last_boot_at, removed_at
    FROM asset
    WHERE asset_id = ANY($1::uuid[])
    ORDER BY asset_id
    FOR UPDATE
"""


async def load_for_update(tx: Connection, asset_ids: Iterable[UUID]) -> dict[UUID, Kept]:
    """Return those of the assets that there are, by id, locked until the transaction ends."""
    return {row[0]: _kept(row) for row in await tx.fetch(LOAD, sorted(asset_ids, key=_number), Basis.STATED)}


def _number(asset_id: UUID) -> int:
    return asset_id.int


LOOK: Final[LiteralString] = """
    SELECT asset_id, source, device, first_seen_at, last_seen_at, retired_at, announced_seen_at, revision, stamps,
           tenant_id, hostname, CASE WHEN os_family_from = $2 THEN os_family END, os_name, os_version, os_build,
           CASE WHEN tier_from = $2 THEN tier END, owner, location, serial, tags,
           CASE WHEN ephi_from = $2 THEN ephi END, online, last_boot_at, removed_at
    FROM asset
    WHERE asset_id = ANY($1::uuid[])
"""


async def look(tx: Connection, asset_ids: Iterable[UUID]) -> dict[UUID, Asset]:
    """Return those of the assets that there are, by id, as they are at this moment."""
    return {row[0]: _kept(row).asset for row in await tx.fetch(LOOK, list(asset_ids), Basis.STATED)}


def _kept(row: asyncpg.Record) -> Kept:
    asset_id, source, device, first_seen_at, last_seen_at, retired_at, announced_seen_at, revision, stamps, *said = row
    by_field = dict(zip(FIELDS, said, strict=True))
    by_field["tags"] = tuple(by_field["tags"])
    asset = Asset(
        asset_id=asset_id,
        source=source,
        device=device,
        said=cast("Said", by_field),
        stamps=unpacked(stamps),
        first_seen_at=first_seen_at,
        last_seen_at=last_seen_at,
        retired_at=retired_at,
    )
    return Kept(asset, announced_seen_at, revision)


MOVE: Final[LiteralString] = """
    UPDATE asset
    SET os_build = moved.os_build, online = moved.online, last_boot_at = moved.last_boot_at,
        last_seen_at = moved.last_seen_at, announced_seen_at = moved.announced_seen_at,
        revision = moved.revision, stamps = moved.stamps
    FROM unnest($1::asset_moved_row[]) AS moved
    WHERE asset.asset_id = moved.asset_id AND asset.revision = moved.revision - 1
"""


SAVE: Final[LiteralString] = """
    INSERT INTO asset (
        asset_id, tenant_id, source, device, hostname, os_family, os_family_from, os_name, os_version, os_build,
        tier, tier_from, owner, location, serial, tags, ephi, ephi_from, online, last_boot_at, removed_at,
        first_seen_at, last_seen_at, announced_seen_at, revision, stamps
    )
    SELECT asset_id, tenant_id, source, device, hostname, os_family, os_family_from, os_name, os_version, os_build,
           tier, tier_from, owner, location, serial, tags, ephi, ephi_from, online, last_boot_at, removed_at,
           first_seen_at, last_seen_at, announced_seen_at, revision, stamps
    FROM unnest($1::asset_row[]) AS fresh
    ON CONFLICT (asset_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, hostname = excluded.hostname,
        os_family = excluded.os_family, os_family_from = excluded.os_family_from, os_name = excluded.os_name,
        os_version = excluded.os_version, os_build = excluded.os_build,
        tier = excluded.tier, tier_from = excluded.tier_from,
        owner = excluded.owner, location = excluded.location, serial = excluded.serial, tags = excluded.tags,
        ephi = excluded.ephi, ephi_from = excluded.ephi_from, online = excluded.online,
        last_boot_at = excluded.last_boot_at, removed_at = excluded.removed_at,
        first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
        announced_seen_at = excluded.announced_seen_at, revision = excluded.revision, stamps = excluded.stamps
    WHERE asset.revision = excluded.revision - 1
"""


async def save(tx: Connection, steps: Iterable[Step]) -> None:
    """Write the assets, each one revision further than it was loaded; a small step in few columns.

    Raises:
        AssetMovedOn: one of them is not at the revision before; nothing of the batch may be committed.
    """
    small: list[Step] = []
    whole: list[Step] = []
    for each in sorted((each for each in steps if not each.is_repeat), key=_asset_number):
        (small if each.is_small else whole).append(each)
    if small:
        _all_written(await tx.execute(MOVE, [_moved(each) for each in small]), len(small))
    if whole:
        _all_written(await tx.execute(SAVE, [row(each) for each in whole]), len(whole))


def _asset_number(step: Step) -> int:
    return step.after.asset_id.int


def _all_written(tag: str, count: int) -> None:
    if tag.rpartition(" ")[2] != str(count):
        raise AssetMovedOn(f"{tag} of {count} assets: another consumer wrote one of them")


def _moved(step: Step) -> tuple[object, ...]:
    return step.after.asset_id, *_daily(step.after), *_state(step)


def _daily(asset: Asset) -> tuple[object, ...]:
    return asset.said["os_build"], asset.said["online"], asset.said["last_boot_at"]


def row(step: Step) -> tuple[object, ...]:
    """Return one asset as `SAVE` takes it."""
    return _identity(step.after) + _state(step)


def _state(step: Step) -> tuple[object, ...]:
    seen_at = step.after.last_seen_at
    if step.before is None:
        return seen_at, seen_at, 1, packed(step.after.stamps)
    announced_seen_at = seen_at if step.why else step.before.announced_seen_at
    return seen_at, announced_seen_at, step.before.revision + 1, packed(step.after.stamps)


def _identity(asset: Asset) -> tuple[object, ...]:
    said = asset.said
    labels = labels_of(said)
    return (
        asset.asset_id,
        said["tenant_id"],
        asset.source,
        asset.device,
        said["hostname"],
        labels.os_family.value,
        labels.os_family.basis,
        said["os_name"],
        said["os_version"],
        said["os_build"],
        labels.tier.value,
        labels.tier.basis,
        said["owner"],
        said["location"],
        said["serial"],
        said["tags"],
        labels.ephi.value,
        labels.ephi.basis,
        said["online"],
        said["last_boot_at"],
        said["removed_at"],
        asset.first_seen_at,
    )


APPEND: Final[LiteralString] = """
    INSERT INTO device_fact (
        event_id, source, device, tenant_id, type, occurred_at, received_at, effective_at, recorded_at, facts
    )
    SELECT event_id, source, device, tenant_id, type, occurred_at, received_at, effective_at, $2, facts::jsonb
    FROM unnest($1::device_fact_row[]) AS said
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
"""


async def append_history(tx: Connection, told: Iterable[tuple[Fact, str]], recorded_at: datetime) -> set[UUID]:
    """Keep facts for ever, each with the JSON that it came as, and return the ids of those that were not there.

    One that is there stays as it was first recorded.
    """
    rows = [
        (
            fact.event.id,
            fact.event.source,
            fact.device,
            fact.event.tenant,
            fact.event.data.TYPE,
            fact.event.time,
            fact.event.received,
            fact.effective_at,
            facts_json,
        )
        for fact, facts_json in sorted(told, key=_event_number)
    ]
    if not rows:
        return set()
    return {row["event_id"] for row in await tx.fetch(APPEND, rows, recorded_at)}


def _event_number(told: tuple[Fact, str]) -> int:
    return told[0].event.id.int


@dataclass(frozen=True, slots=True)
class ClientName:
    """What a client is called, as of one change of its record."""

    tenant_id: UUID
    name: str
    sequence: int


KEEP_CLIENTS: Final[LiteralString] = """
    INSERT INTO client (tenant_id, name, sequence)
    SELECT DISTINCT ON (tenant_id) tenant_id, name, sequence
    FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS fresh (tenant_id, name, sequence)
    ORDER BY tenant_id, sequence DESC
    ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name, sequence = excluded.sequence
    WHERE client.sequence < excluded.sequence
    RETURNING tenant_id
"""


async def keep_clients(tx: Connection, clients: Iterable[ClientName]) -> set[UUID]:
    """Keep the newest name of each client and return whose it is; an older record or a repeat changes nothing."""
    rows = [(client.tenant_id, client.name, client.sequence) for client in clients]
    if not rows:
        return set()
    return {row["tenant_id"] for row in await tx.fetch(KEEP_CLIENTS, *zip(*rows, strict=True))}

"""What inventory tells the others about an asset."""

from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged, AssetMember, AssetRemoved
from services.inventory.rules import Asset
from services.inventory.rules_facts import Fact
from services.inventory.rules_labels import labels_of

SOURCE: Final = "patchline/inventory"
"""The CloudEvents source of what inventory publishes."""


def news(asset: Asset, why: Fact, members: tuple[AssetMember, ...] | None = None) -> Envelope:
    """Return the record of `asset`, whole, as an event of the time of its cause; a removed one's takes it away."""
    subject = str(asset.asset_id)
    told = _told(asset, subject, members)
    cause = why.event
    return Envelope(
        id=ids.fact_id(cause.id, told.TYPE, subject),
        source=SOURCE,
        subject=subject,
        time=cause.time,
        received=cause.received,
        tenant=asset.said["tenant_id"],  # not the cause's: a late event of a former client changes no owner
        causation=cause.id,
        correlation=cause.correlation,
        traceparent=cause.traceparent,
        lane=cause.lane,
        data=told,
    )


def regrouped(asset: Asset, members: tuple[AssetMember, ...], at: datetime) -> Envelope:
    """Return the record of `asset`, which is not removed, as a merge or an unmerge at `at` makes it."""
    subject = str(asset.asset_id)
    return _of_decision(_record(asset, subject, members), subject, asset.said["tenant_id"], at)


def merged_away(asset_id: UUID, into: UUID, tenant_id: UUID, at: datetime) -> Envelope:
    """Return the news that an asset has no record, and that its device belongs to asset `into` from `at` on."""
    return _of_decision(AssetRemoved(merged_into=str(into)), str(asset_id), tenant_id, at)


def retired(asset_id: UUID, tenant_id: UUID, at: datetime, reason: str) -> Envelope:
    """Return the news that an asset has no record, because a person retired it."""
    return _of_decision(AssetRemoved(reason=reason), str(asset_id), tenant_id, at)


def _of_decision(told: AssetChanged | AssetRemoved, subject: str, tenant_id: UUID, at: datetime) -> Envelope:
    return Envelope(
        id=ids.event_id_of_fields(SOURCE, told.TYPE, at, subject),
        source=SOURCE,
        subject=subject,
        time=at,
        received=at,
        tenant=tenant_id,
        data=told,
    )


def _told(asset: Asset, subject: str, members: tuple[AssetMember, ...] | None) -> AssetChanged | AssetRemoved:
    return AssetRemoved() if asset.is_removed else _record(asset, subject, members)


def _record(asset: Asset, subject: str, members: tuple[AssetMember, ...] | None) -> AssetChanged:
    said = asset.said
    labels = labels_of(said)
    return AssetChanged(
        asset=subject,
        source=asset.source,
        device=asset.device,
        hostname=said["hostname"],
        os_family=labels.os_family.value,
        os_name=said["os_name"],
        os_version=said["os_version"],
        os_build=said["os_build"],
        tier=labels.tier.value,
        owner=said["owner"],
        location=said["location"],
        serial=said["serial"],
        ephi=labels.ephi.value,
        tags=said["tags"],
        online=said["online"],
        first_seen_at=asset.first_seen_at,
        last_seen_at=asset.last_seen_at,
        last_boot_at=said["last_boot_at"],
        members=members,
    )

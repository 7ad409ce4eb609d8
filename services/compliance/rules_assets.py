"""Inventory's record of an asset as patch state needs it: the highest sequence wins, whatever comes first. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged, AssetRemoved
from contracts.events.event import OsFamily, Tier
from contracts.events.obligation import DeviceLabel
from services.compliance.catalog.model import Catalog, System
from services.compliance.policy import Policy
from services.compliance.rules_case import AssetView
from services.compliance.rules_tags import tagged


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One asset. `sequence` is that of its newest record, 0 while only its removal was told. `tags` are sorted."""

    asset_id: UUID
    tenant_id: UUID
    sequence: int = 0
    removed_sequence: int = 0
    removed_at: datetime | None = None
    removed_reason: str | None = None
    source: str | None = None
    device: str | None = None
    hostname: str | None = None
    os_family: OsFamily = OsFamily.OTHER
    os_name: str | None = None
    os_version: str | None = None
    os_build: str | None = None
    tier: Tier = Tier.WORKSTATION
    first_seen_at: datetime | None = None
    product: str | None = None
    products_seen: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    ephi: bool | None = None
    last_seen_at: datetime | None = None

    @property
    def gone_at(self) -> datetime | None:
        """Return when it left the inventory; `None`: it is there."""
        return self.removed_at if self.removed_sequence > self.sequence else None

    @property
    def decisive(self) -> tuple[object, ...]:
        """Return what obligations depend on: while it stays the same, a new record changes none."""
        return (
            self.tenant_id,
            self.os_family,
            self.tier,
            self.product,
            self.products_seen,
            self.gone_at,
            self.first_seen_at,
            self.hostname,
            self.tags,
            self.ephi,
        )

    @property
    def told_by_people(self) -> tuple[object, ...]:
        """Return what people say of it, by which it belongs to a class of machines."""
        return self.tier, self.tags, self.ephi

    @property
    def label(self) -> DeviceLabel:
        """Return what a person needs to find it."""
        return DeviceLabel(
            asset=str(self.asset_id),
            source=self.source or "unknown",
            device=self.device or "unknown",
            hostname=self.hostname,
            os_family=self.os_family,
            tier=self.tier,
        )


def view_of(asset: Asset, policy: Policy, *, now: datetime) -> AssetView:
    """Return what an obligation is decided from; tags mean what `policy` says."""
    said = tagged(asset.tags, policy.tags)
    return AssetView(
        tier=asset.tier,
        first_seen_at=asset.first_seen_at or now,
        removed_at=asset.gone_at,
        removed_because=asset.removed_reason,
        product=asset.product,
        hostname=asset.hostname,
        ephi=asset.ephi,
        exposed=said.exposed,
        isolated=said.isolated,
        business=said.business,
        ring=said.ring,
    )


@dataclass(frozen=True, slots=True)
class Link:
    """Inventory's word that a device belongs to `asset_id`; `since`: by a merge or unmerge of that moment.

    `source` and `device` are `None` where only the device's id is told.
    """

    device_id: UUID
    asset_id: UUID
    since: datetime | None
    source: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class AssetNews:
    """One event of inventory that can be used, and which devices it says are whose."""

    event: Envelope
    asset_id: UUID
    tenant_id: UUID
    sequence: int
    links: tuple[Link, ...]


def asset_news(event: Envelope) -> AssetNews | str:
    """Return what can be used of an event of `inventory.assets`, or why it cannot."""
    if event.tenant is None or event.sequence is None:
        return f"ce_tenantid, ce_sequence: a {event.data.TYPE} needs both"
    try:
        asset_id = UUID(event.subject)
    except ValueError:
        return "ce_subject: not the id of an asset"
    try:
        links = _links(asset_id, event)
    except ValueError:
        return "ce_mergedinto: not the id of an asset"
    return AssetNews(event, asset_id, event.tenant, event.sequence, links)


def _links(asset_id: UUID, event: Envelope) -> tuple[Link, ...]:
    """Return whose the devices are. An asset's own device has its id: both are made of the same pair."""
    match event.data:
        case AssetChanged(members=None | (), source=source, device=device):
            return (Link(ids.asset_id(source, device), asset_id, None, source, device),)
        case AssetChanged(members=tuple(members)):
            return tuple(
                Link(ids.asset_id(each.source, each.device), asset_id, each.since, each.source, each.device)
                for each in members
            )
        case AssetRemoved(merged_into=str(into)):
            return (Link(asset_id, UUID(into), event.time),)
        case _:
            return ()


def folded_asset(before: Asset | None, news: Sequence[AssetNews], catalog: Catalog) -> Asset:
    """Return the asset after `news`, at least one."""
    kept = before or Asset(asset_id=news[0].asset_id, tenant_id=news[0].tenant_id)
    for each in news:
        is_newest = each.sequence > max(kept.sequence, kept.removed_sequence)
        kept = replace(kept, tenant_id=each.tenant_id) if is_newest else kept
        match each.event.data:
            case AssetChanged() as record:
                kept = _recorded(kept, record, each.sequence, catalog)
            case _ if each.sequence > kept.removed_sequence:
                reason = each.event.data.reason if isinstance(each.event.data, AssetRemoved) else None
                kept = replace(kept, removed_sequence=each.sequence, removed_at=each.event.time, removed_reason=reason)
            case _:
                continue
    return kept


def _recorded(kept: Asset, record: AssetChanged, sequence: int, catalog: Catalog) -> Asset:
    """Return the asset with `record`; an older record only tells which product it once was."""
    system = System(
        os_family=record.os_family,
        os_name=record.os_name,
        os_version=record.os_version,
        os_build=record.os_build,
    )
    product = catalog.product_of(system)
    kept = replace(kept, products_seen=_with(kept.products_seen, product))
    if sequence <= kept.sequence:
        return kept
    return replace(
        kept,
        sequence=sequence,
        source=record.source,
        device=record.device,
        hostname=record.hostname,
        os_family=record.os_family,
        os_name=record.os_name,
        os_version=record.os_version,
        os_build=record.os_build,
        tier=record.tier,
        first_seen_at=record.first_seen_at,
        product=product,
        tags=tuple(sorted(set(record.tags))),
        ephi=record.ephi,
        last_seen_at=record.last_seen_at,
    )


def reselected(asset: Asset, catalog: Catalog) -> Asset:
    """Return the asset with the product that `catalog` makes of its newest record."""
    system = System(
        os_family=asset.os_family,
        os_name=asset.os_name,
        os_version=asset.os_version,
        os_build=asset.os_build,
    )
    product = catalog.product_of(system)
    return replace(asset, product=product, products_seen=_with(asset.products_seen, product))


def _with(products: tuple[str, ...], product: str | None) -> tuple[str, ...]:
    return products if product is None else tuple(sorted({*products, product}))

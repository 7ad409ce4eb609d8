"""Inventory's current record of each asset. Producer: inventory; consumers: compliance, analysts."""

from typing import ClassVar

from contracts.events.event import Event, Moment, Name, OsFamily, Tier


class AssetChanged(Event):
    """The record of an asset, whole. Keep the highest `sequence` of each asset. Topic: `inventory.assets`."""

    TYPE: ClassVar[str] = "asset.changed.v1"
    asset: Name
    source: Name
    device: Name
    hostname: Name | None = None
    os_family: OsFamily = OsFamily.OTHER
    os_name: Name | None = None
    os_version: Name | None = None
    os_build: Name | None = None
    tier: Tier = Tier.WORKSTATION
    owner: Name | None = None
    location: Name | None = None
    serial: Name | None = None
    ephi: bool | None = None
    tags: tuple[Name, ...] = ()
    online: bool | None = None
    first_seen_at: Moment
    last_seen_at: Moment
    last_boot_at: Moment | None = None


class AssetRemoved(Event):
    """An asset left the inventory. Travels as a null value with `ce_` headers: the compacted record goes away."""

    TYPE: ClassVar[str] = "asset.removed.v1"

"""Inventory's current record of each asset. Producer: inventory; consumers: compliance, analysts."""

from typing import ClassVar

from contracts.events.event import Event, Moment, Name, OsFamily, Tier, Value


class AssetMember(Value):
    """One (source, device) pair of an asset. `since` is the last merge or unmerge that concerned it.

    Of two records that name a pair the one with the later `since` says whose it is, whichever comes first.
    """

    source: Name
    device: Name
    hostname: Name | None = None
    serial: Name | None = None
    since: Moment
    removed_at: Moment | None = None


class AssetChanged(Event):
    """The record of an asset, whole. Keep the highest `sequence` of each asset. Topic: `inventory.assets`.

    `source` and `device` are the pair that speaks for it. `members` are all of its pairs, that one among them; without
    them the asset was never merged: it is that one pair.
    """

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
    members: tuple[AssetMember, ...] | None = None


class AssetRemoved(Event):
    """An asset left the inventory. Travels as a null value with `ce_` headers: the compacted record goes away.

    `merged_into` (the header `ce_mergedinto`) is the asset that its device belongs to from now on, where a merge or an
    unmerge decided it: another one, or its own id. `reason` (the header `ce_reason`) is why a person retired it.
    """

    TYPE: ClassVar[str] = "asset.removed.v1"
    merged_into: Name | None = None
    reason: Name | None = None

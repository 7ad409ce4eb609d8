"""Assets that are one machine: which of them are, since when, and the one record that they make together. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from contracts.events.asset import AssetMember
from services.inventory.rules import Asset
from services.inventory.rules_fields import FIELDS, Field, Said
from services.inventory.rules_stamp import NEVER, Stamp

JUST_AFTER: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Which asset an asset's pair belongs to: `surviving_id`, its own where it is alone again."""

    asset_id: UUID
    tenant_id: UUID
    surviving_id: UUID
    since_at: datetime


Memberships = Mapping[UUID, Membership]
"""By asset; one that was never merged has none."""


@dataclass(frozen=True, slots=True)
class Regrouped:
    """What a decision comes to: the memberships that it sets, all of one moment, and the assets that are gone by it.

    `gone` says of each asset whose record goes away which one it is from now on.
    """

    memberships: tuple[Membership, ...]
    gone: Mapping[UUID, UUID]

    @property
    def survivors(self) -> list[UUID]:
        """Return the assets whose records are told anew, sorted."""
        return sorted({each.surviving_id for each in self.memberships})


def survivor_of(asset_id: UUID, memberships: Memberships) -> UUID:
    """Return which asset an asset is now."""
    kept = memberships.get(asset_id)
    return asset_id if kept is None else kept.surviving_id


def groups(memberships: Memberships) -> dict[UUID, list[Membership]]:
    """Return the memberships of each surviving asset, smallest id first."""
    found: dict[UUID, list[Membership]] = {}
    for asset_id in sorted(memberships):
        found.setdefault(memberships[asset_id].surviving_id, []).append(memberships[asset_id])
    return found


def joined(assets: Mapping[UUID, Asset], memberships: Memberships, *, at: datetime) -> Regrouped:
    """Return what makes all of `assets`, of one client, one. `memberships` are all that concern them.

    The smallest id survives, whichever was known, or merged, first.
    """
    surviving_id = min(assets)
    before = {survivor_of(each, memberships) for each in assets}
    return Regrouped(
        _members(assets.values(), surviving_id, _since(assets.values(), memberships, at)),
        dict.fromkeys(sorted(before - {surviving_id}), surviving_id),
    )


def parted(asset_id: UUID, assets: Mapping[UUID, Asset], memberships: Memberships, *, at: datetime) -> Regrouped:
    """Return what takes one out of the `assets` that were one; the others stay so."""
    since_at = _since(assets.values(), memberships, at)
    rest = [each for key, each in assets.items() if key != asset_id]
    others = _members(rest, min(each.asset_id for each in rest), since_at)
    return Regrouped((*_members([assets[asset_id]], asset_id, since_at), *others), {})


def _members(assets: Iterable[Asset], surviving_id: UUID, since_at: datetime) -> tuple[Membership, ...]:
    return tuple(
        Membership(
            asset_id=each.asset_id, tenant_id=each.said["tenant_id"], surviving_id=surviving_id, since_at=since_at
        )
        for each in sorted(assets, key=_asset_id)
    )


def _since(assets: Collection[Asset], memberships: Memberships, at: datetime) -> datetime:
    """Return a moment after every earlier decision and every word on these assets: so subscribers can order them."""
    before = [each.last_seen_at for each in assets]
    before += [kept.since_at for each in assets if (kept := memberships.get(each.asset_id)) is not None]
    return max(at, max(before) + JUST_AFTER)


def merged(assets: Sequence[Asset]) -> Asset:
    """Return the one record of assets that are one: of each field the newest word of those that are not removed.

    It is online if any of them is. The smallest id that is not removed speaks for it; while one lives, it lives.
    """
    live = [each for each in assets if not each.is_removed] or assets
    speaker = min(live, key=_asset_id)
    said: dict[Field, object] = {}
    stamps: dict[Field, Stamp] = {}
    for field in FIELDS:
        newest = _newest(live, field)
        said[field] = newest.said[field]
        if field in newest.stamps:
            stamps[field] = newest.stamps[field]
    online = {each.said["online"] for each in live}
    said["online"] = True if True in online else (False if False in online else None)
    return speaker._replace(
        asset_id=min(each.asset_id for each in assets),
        said=cast("Said", said),
        stamps=stamps,
        first_seen_at=min(each.first_seen_at for each in assets),
        last_seen_at=max(each.last_seen_at for each in assets),
    )


def _newest(live: Sequence[Asset], field: Field) -> Asset:
    return max(live, key=lambda each: (each.stamps.get(field, NEVER), each.asset_id))


def told_members(assets: Iterable[Asset], since_at: datetime) -> tuple[AssetMember, ...]:
    """Return the pairs of an asset as its record names them."""
    return tuple(
        AssetMember(
            source=each.source,
            device=each.device,
            hostname=each.said["hostname"],
            serial=each.said["serial"],
            since=since_at,
            removed_at=each.said["removed_at"],
        )
        for each in sorted(assets, key=_asset_id)
    )


def by_speaker(
    assets: Mapping[UUID, Asset], memberships: Memberships
) -> dict[UUID, tuple[Asset, tuple[AssetMember, ...]]]:
    """Return the one record of those that are one, and its pairs, by the asset whose pair speaks for it."""
    found: dict[UUID, tuple[Asset, tuple[AssetMember, ...]]] = {}
    for grouped in groups(memberships).values():
        theirs = [assets[each.asset_id] for each in grouped if each.asset_id in assets]
        live = [each.asset_id for each in theirs if not each.is_removed]
        if live:
            found[min(live)] = merged(theirs), told_members(theirs, grouped[0].since_at)
    return found


def _asset_id(asset: Asset) -> UUID:
    return asset.asset_id

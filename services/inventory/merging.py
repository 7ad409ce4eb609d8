"""Merges and unmerges: lock, decide, save, tell. A person's by `patchline asset`, the automaton's by `joining`."""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from chassis import outbox
from chassis.postgres import Connection
from contracts import ids, topics
from contracts.envelope import Envelope
from services.inventory import rules_merges as rules
from services.inventory import store, store_merges
from services.inventory.rules import Asset, Kept, Step
from services.inventory.rules_facts import Fact
from services.inventory.rules_merges import Membership, Memberships, Regrouped
from services.inventory.rules_news import SOURCE, merged_away, news, regrouped
from services.inventory.store_merges import Line

CHANGED_HANDS: Final = "it belongs to another client now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decided, why, when. `serial`: in small letters, what all of them must have still."""

    who: str
    why: str
    at: datetime
    by_hand: bool
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was done."""

    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Assets that are locked, with all that are one with them, as they are stored."""

    kept: Mapping[UUID, Kept]
    memberships: Mapping[UUID, Membership]

    @property
    def assets(self) -> dict[UUID, Asset]:
        """Return the assets themselves, by id."""
        return {asset_id: each.asset for asset_id, each in self.kept.items()}


async def held(tx: Connection, asset_ids: Collection[UUID]) -> Held:
    """Return those of the assets that there are and all that are one with them, locked until the transaction ends.

    Raises:
        AssetMovedOn: they were merged or unmerged meanwhile.
    """
    return await locked(tx, asset_ids, await store_merges.memberships(tx, asset_ids))


async def locked(tx: Connection, asset_ids: Collection[UUID], expected: Memberships) -> Held:
    """Lock the assets and all that are one with them, as `expected` has it.

    Whoever merges holds the locks of all that it merges: so a second look finds what the first came too early for.

    Raises:
        AssetMovedOn: it is not as expected any more.
    """
    kept = await store.load_for_update(tx, {*asset_ids, *expected})
    if await store_merges.memberships(tx, asset_ids) != expected:
        raise store.AssetMovedOn("assets were merged or unmerged meanwhile")
    return Held(kept, expected)


async def merge(tx: Connection, asset_ids: Collection[UUID], decision: Decision) -> UUID | Refusal:
    """Make assets of one client one, and return the surviving one."""
    hand = await held(tx, asset_ids)
    assets = hand.assets
    if missing := [str(each) for each in sorted(asset_ids) if each not in assets]:
        return Refusal(f"there is no asset {', '.join(missing)}")
    if (refusal := _refused({each: assets[each] for each in asset_ids}, hand.memberships, decision)) is not None:
        return refusal
    after = rules.joined(assets, hand.memberships, at=decision.at)
    await _carry_out(tx, assets, after, decision, kind="merged", about=assets)
    return min(assets)


def _refused(wanted: Mapping[UUID, Asset], memberships: Memberships, decision: Decision) -> Refusal | None:
    if len({each.said["tenant_id"] for each in wanted.values()}) > 1:
        return Refusal("they belong to different clients, and clients are never mixed")
    if len({rules.survivor_of(each, memberships) for each in wanted}) == 1:
        return Refusal("they are one asset already")
    if decision.serial is not None and not all(_still_has(each, decision.serial) for each in wanted.values()):
        return Refusal("their serial numbers are not the same any more")
    return None


def _still_has(asset: Asset, serial: str) -> bool:
    return not asset.is_removed and (asset.said["serial"] or "").lower() == serial


async def unmerge(tx: Connection, asset_id: UUID, decision: Decision) -> UUID | Refusal:
    """Take an asset out of those that it is one with, and return which one the others are now."""
    hand = await held(tx, [asset_id])
    assets = hand.assets
    if asset_id not in assets:
        return Refusal(f"there is no asset {asset_id}")
    if len(assets) == 1:
        return Refusal("it is one with no other asset")
    after = rules.parted(asset_id, assets, hand.memberships, at=decision.at)
    await _carry_out(tx, assets, after, decision, kind="unmerged", about=[asset_id])
    rest = assets.keys() - {asset_id}
    if decision.by_hand:
        tenant = assets[asset_id].said["tenant_id"]
        await store_merges.keep_apart(tx, asset_id, rest, tenant=tenant, at=decision.at)
    return min(rest)


async def _carry_out(
    tx: Connection,
    assets: Mapping[UUID, Asset],
    after: Regrouped,
    decision: Decision,
    *,
    kind: Literal["merged", "unmerged"],
    about: Iterable[UUID],
) -> None:
    """Save what was decided, keep it in history, and tell it in one go: the new records, and which ones are gone."""
    since_at = after.memberships[0].since_at
    named = sorted(about)
    tenant_id = assets[named[0]].said["tenant_id"]
    await store_merges.save(tx, after.memberships)
    line = Line(
        decision_id=ids.event_id_of_fields(SOURCE, f"asset.{kind}", since_at, *map(str, named)),
        tenant_id=tenant_id,
        kind=kind,
        assets=named,
        surviving_id=after.survivors[-1] if kind == "merged" else min(assets.keys() - set(named)),
        by_hand=decision.by_hand,
        who=decision.who,
        why=decision.why,
        decided_at=since_at,
        recorded_at=decision.at,
        evidence=_evidence(assets.values()),
    )
    await store_merges.append(tx, line)
    told = [merged_away(gone, into, tenant_id, since_at) for gone, into in after.gone.items()]
    for theirs in _by_survivor(assets, after.memberships):
        told += _told(theirs, since_at, known=after.gone)
    await outbox.enqueue_sequenced(tx, topics.ASSETS, [(event.subject, event) for event in told])


def _told(theirs: Sequence[Asset], since_at: datetime, *, known: Container[UUID]) -> list[Envelope]:
    """Return the one record of assets that are one; if all are removed, that each is gone, and whose its device is."""
    one = rules.merged(theirs)
    if not one.is_removed:
        return [regrouped(one, rules.told_members(theirs, since_at), since_at)]
    return [
        merged_away(each.asset_id, one.asset_id, each.said["tenant_id"], since_at)
        for each in theirs
        if each.asset_id not in known
    ]


async def part_those_that_changed_hands(tx: Connection, steps: Iterable[Step], memberships: Memberships) -> bool:
    """Take out of a merge what belongs to another client now, once it is saved; return whether anything did."""
    moved = {
        step.after.asset_id: step.after
        for step in steps
        if step.before is not None
        and step.after.asset_id in memberships
        and step.after.said["tenant_id"] != step.before.asset.said["tenant_id"]
    }
    sizes = Counter(each.surviving_id for each in memberships.values())
    for asset_id, after in sorted(moved.items()):
        if sizes[rules.survivor_of(asset_id, memberships)] > 1:
            decision = Decision(who="inventory", why=CHANGED_HANDS, at=after.last_seen_at, by_hand=False)
            await unmerge(tx, asset_id, decision)
    if moved:
        await store_merges.move(tx, {asset_id: after.said["tenant_id"] for asset_id, after in moved.items()})
    return bool(moved)


def records(steps: Iterable[Step], kept: Mapping[UUID, Kept], memberships: Memberships) -> list[Envelope]:
    """Return the news of assets that were ever merged: of each whose pairs have any, its one record."""
    assets = {asset_id: each.asset for asset_id, each in kept.items()}
    why: dict[UUID, Fact] = {}
    for step in steps:
        assets[step.after.asset_id] = step.after
        if step.why is not None:
            survivor = rules.survivor_of(step.after.asset_id, memberships)
            why[survivor] = max(why.get(survivor, step.why), step.why, key=lambda each: each.stamp)
    return [
        news(rules.merged(theirs), why[survivor], rules.told_members(theirs, grouped[0].since_at))
        for survivor, grouped in rules.groups(memberships).items()
        if survivor in why and (theirs := [assets[each.asset_id] for each in grouped])
    ]


def _by_survivor(assets: Mapping[UUID, Asset], memberships: Iterable[Membership]) -> list[list[Asset]]:
    grouped = rules.groups({each.asset_id: each for each in memberships})
    return [[assets[each.asset_id] for each in grouped[survivor]] for survivor in sorted(grouped)]


def _evidence(assets: Iterable[Asset]) -> dict[str, object]:
    """Return the words by which people tell machines apart, of each pair."""
    return {
        str(each.asset_id): {
            "source": each.source,
            "device": each.device,
            "hostname": each.said["hostname"],
            "serial": each.said["serial"],
        }
        for each in assets
    }

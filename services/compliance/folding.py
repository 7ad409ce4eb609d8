"""One batch folded: devices, assets and evidence, and the scope of what must be decided because of them.

Locks are taken in one order everywhere: devices by id, then assets by id, then what belongs to those.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from chassis.batch import Fate
from chassis.postgres import Connection
from contracts.envelope import Envelope
from services.compliance import store_assets, store_evidence
from services.compliance.evaluation import InHand, evaluate
from services.compliance.news import FactNews, Patch
from services.compliance.rules_assets import Asset, AssetNews, folded_asset
from services.compliance.rules_cause import Scope, cause_of
from services.compliance.rules_fold import fold_device, fold_link, fold_patch
from services.compliance.rules_known import Bench
from services.compliance.rules_outcome import meaning
from services.compliance.rules_rows import Device, Evidence

Devices = Mapping[UUID, Device]
PatchFact = tuple[Envelope, Patch]


class Folding:
    """Folds one batch inside its transaction, round by round.

    `fates` says of which events it is not that they were applied, by their ids; `published` is what was told, `judged`
    how much was decided and looked at (`Outcome`).
    """

    def __init__(self, tx: Connection, bench: Bench) -> None:
        """Fold in `tx`, decide with `bench`."""
        self._tx = tx
        self._bench = bench
        self._scope = Scope()
        self.fates: dict[UUID, Fate] = {}
        self.published: list[Envelope] = []
        self.judged = 0

    async def fold(self, facts: Sequence[FactNews], news: Sequence[AssetNews]) -> None:
        """Fold facts that were not known before and news of inventory, then decide what they bear on."""
        self._scope = Scope()
        links = [link for each in news for link in each.links]
        only_named = {link.device_id for link in links if link.source is None}
        before = await store_evidence.lock_devices(self._tx, [*map(_told_of, facts), *_linked_by(news)], only_named)
        after = _folded_devices(before, facts, news)
        assets = await self._fold_assets(before, after, news)
        self._scope_devices(before, after, facts, news)
        changed = [after[each] for each in sorted(after) if after[each] != before[each]]
        moved = {each.device_id for each in changed if each.tenant_id != before[each.device_id].tenant_id}
        if changed:
            await store_evidence.save_devices(self._tx, changed, moved=moved)
        evidence = await self._fold_evidence(after, assets, facts)
        decided = await evaluate(self._tx, assets, self._scope, self._bench, in_hand=InHand(after, evidence))
        self.published += decided.events
        self.judged += decided.judged
        self.fates |= {fact.event.id: Fate.PARKED for fact in facts if _waits(fact, after, evidence)}

    async def _fold_assets(self, before: Devices, after: Devices, news: Sequence[AssetNews]) -> dict[UUID, Asset]:
        """Return the assets concerned, locked; those that the news changes decisively are decided as a whole."""
        by_asset: dict[UUID, list[AssetNews]] = {}
        for each in news:
            by_asset.setdefault(each.asset_id, []).append(each)
        if by_asset:
            await store_assets.ensure(self._tx, {asset: theirs[0].tenant_id for asset, theirs in by_asset.items()})
        linked = {each.asset_id for each in (*before.values(), *after.values()) if each.asset_id is not None}
        assets = await store_assets.lock(self._tx, linked | by_asset.keys())
        changed: list[Asset] = []
        retagged: set[UUID] = set()
        for asset_id, theirs in by_asset.items():
            newest = max(assets[asset_id].sequence, assets[asset_id].removed_sequence)
            self.fates |= {each.event.id: Fate.SUPERSEDED for each in theirs if each.sequence <= newest}
            known, assets[asset_id] = assets[asset_id], folded_asset(assets[asset_id], theirs, self._bench.catalog)
            if assets[asset_id] != known:
                changed.append(assets[asset_id])
            if assets[asset_id].decisive != known.decisive:
                self._scope.add_asset(asset_id, cause_of(max(theirs, key=_sequence).event))
            if known.sequence and assets[asset_id].told_by_people != known.told_by_people:
                retagged.add(assets[asset_id].tenant_id)
        if changed:
            await store_assets.save(self._tx, changed)
        if retagged:
            await store_assets.note_retagged(self._tx, retagged)
        return assets

    def _scope_devices(
        self, before: Devices, after: Devices, facts: Sequence[FactNews], news: Sequence[AssetNews]
    ) -> None:
        """Decide whole assets whose device was scanned, booted or read, or that a device came to or left."""
        signs = {device_id: each.registers.signs for device_id, each in before.items()}
        for fact in facts:
            device = after[fact.device_id]
            if device.asset_id is not None and signs[fact.device_id] != device.registers.signs:
                self._scope.add_asset(device.asset_id, cause_of(fact.event))
        for each in news:
            for device_id in (link.device_id for link in each.links if link.device_id in before):
                left, came_to = before[device_id].asset_id, after[device_id].asset_id
                if left == came_to or came_to is None:
                    continue
                self._scope.add_asset(came_to, cause_of(each.event))
                if left is not None:
                    self._scope.add_asset(left, cause_of(each.event))
                    self._scope.continues_on[left] = came_to

    async def _fold_evidence(
        self, devices: Devices, assets: Mapping[UUID, Asset], facts: Sequence[FactNews]
    ) -> dict[tuple[UUID, UUID], Evidence]:
        """Fold, save and return what was said of patches; decide the obligations that it bears on."""
        by_patch: dict[tuple[UUID, UUID], list[PatchFact]] = {}
        for fact in facts:
            if fact.patch is not None:
                by_patch.setdefault((fact.device_id, fact.patch.name.id), []).append((fact.event, fact.patch))
        if not by_patch:
            return {}
        before = await store_evidence.load(self._tx, by_patch.keys())
        after: dict[tuple[UUID, UUID], Evidence] = {}
        for key, theirs in by_patch.items():
            known = before.get(key)
            told = _folded_evidence(known, theirs, devices[key[0]])
            asset = assets.get(devices[key[0]].asset_id or key[0])
            if asset is not None:
                named = meaning(asset, told, self._bench.catalog)
                told = told._replace(requirement_id=named.requirement_id if named else None)
                self._scope_evidence(asset.asset_id, known, told, theirs)
            after[key] = told
        await store_evidence.save(self._tx, after.values())
        return after

    def _scope_evidence(
        self, asset_id: UUID, known: Evidence | None, told: Evidence, facts: Sequence[PatchFact]
    ) -> None:
        events = [event for event, _ in facts]
        cause = cause_of(events[0] if len(events) == 1 else max(events, key=lambda event: event.order))
        was = known.requirement_id if known else None
        if was is not None and was != told.requirement_id:
            self._scope.add_asset(asset_id, cause)
        if told.requirement_id is not None:
            self._scope.add_obligation(asset_id, told.requirement_id, cause)
        if was is None:
            self._scope.add_patch(asset_id, told.name.id, cause)


def _waits(fact: FactNews, devices: Devices, evidence: Mapping[tuple[UUID, UUID], Evidence]) -> bool:
    """Return whether a fact is kept, but waits for inventory to know its asset or the catalog to know its patch."""
    if devices[fact.device_id].asset_id is None:
        return True
    return fact.patch is not None and evidence[fact.device_id, fact.patch.name.id].requirement_id is None


def _sequence(news: AssetNews) -> int:
    return news.sequence


def _told_of(fact: FactNews) -> Device:
    return Device(device_id=fact.device_id, tenant_id=fact.tenant_id, source=fact.event.source, device=fact.told.device)


def _linked_by(news: Iterable[AssetNews]) -> Iterable[Device]:
    for each in news:
        for link in each.links:
            if link.source is not None and link.device is not None:
                yield Device(device_id=link.device_id, tenant_id=each.tenant_id, source=link.source, device=link.device)


def _folded_devices(before: Devices, facts: Iterable[FactNews], news: Iterable[AssetNews]) -> dict[UUID, Device]:
    """Return the devices after the batch. A device is whose its source says, else whose asset it is."""
    registers = {device_id: each.registers for device_id, each in before.items()}
    for fact in facts:
        registers[fact.device_id] = fold_device(registers[fact.device_id], fact.event, fact.tenant_id)
    tenants: dict[UUID, UUID] = {}
    for each in news:
        for link in each.links:
            if link.device_id in registers:
                known = registers[link.device_id]
                registers[link.device_id] = fold_link(known, each.event, str(link.asset_id), link.since)
                tenants[link.device_id] = each.tenant_id
    return {
        device_id: before[device_id]._replace(
            registers=kept,
            asset_id=UUID(kept.asset.id) if kept.asset else None,
            tenant_id=UUID(kept.tenant.id) if kept.tenant else tenants.get(device_id, before[device_id].tenant_id),
        )
        for device_id, kept in registers.items()
    }


def _folded_evidence(known: Evidence | None, facts: Sequence[PatchFact], device: Device) -> Evidence:
    told = known or Evidence(device_id=device.device_id, tenant_id=device.tenant_id, name=facts[0][1].name)
    registers = told.registers
    for event, patch in facts:
        registers = fold_patch(registers, event, patch.ref)
    return told._replace(registers=registers, tenant_id=device.tenant_id)

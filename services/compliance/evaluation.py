"""What follows from what is known: load all of it, decide, save, tell. Every way to a decision ends here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TypeVar
from uuid import UUID

from chassis import outbox
from chassis.postgres import Connection
from contracts import topics
from services.compliance import store_assets, store_attestations, store_evidence, store_figures, store_obligations
from services.compliance.exceptions import store_exceptions
from services.compliance.monitors import watching
from services.compliance.policy import Policy
from services.compliance.rules_assets import Asset
from services.compliance.rules_cause import Part, Scope
from services.compliance.rules_known import Bench, Known, Outcome
from services.compliance.rules_outcome import outcome
from services.compliance.rules_rows import Attestation, Device, Evidence
from services.compliance.store_catalog import CatalogShelf
from services.compliance.zones import zone_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InHand:
    """What is saved and need not be read again."""

    devices: Mapping[UUID, Device] = field(default_factory=dict)
    evidence: store_evidence.InHand = field(default_factory=dict)


async def evaluate(
    tx: Connection, assets: Mapping[UUID, Asset], scope: Scope, bench: Bench, *, in_hand: InHand | None = None
) -> Outcome:
    """Decide everything in `scope` anew, save and publish what changed, and return it. `assets` are locked."""
    every = [assets[each] for each in scope.asset_ids if each in assets]
    known = await known_of(tx, every, scope, bench, in_hand=in_hand or InHand())
    after = outcome(known, scope, bench)
    await _save(tx, after, bench)
    await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(event.subject, event) for event in after.events])
    return after


async def bench_at(tx: Connection, shelf: CatalogShelf, policy: Policy, now: datetime) -> Bench:
    """Return what decisions are made with in this transaction; `policy` is for clients who have none of their own.

    Taken before any asset is locked: it waits for whoever loads a catalog or lets another policy come into force.
    """
    catalog, own = await shelf.newest_with_policies(tx, now)
    return Bench(catalog=catalog, policy=policy, now=now, own=own)


async def known_of(
    tx: Connection, every: Sequence[Asset], scope: Scope, bench: Bench, *, in_hand: InHand
) -> list[Known]:
    """Return what is known of each asset; of an asset that is wholly in the scope, everything."""
    if not every:
        return []
    all_devices = await store_evidence.devices_of(tx, [each.asset_id for each in every], in_hand.devices)
    devices = _grouped(all_devices, _asset_of_device)
    asset_by_device = {each.device_id: asset for asset, theirs in devices.items() for each in theirs}
    evidence = _grouped(
        await _evidence(tx, devices, scope, in_hand.evidence), lambda each: asset_by_device[each.device_id]
    )
    owed = await store_obligations.load(tx, scope.assets, scope.obligations)
    obligations = _grouped(owed, lambda each: each.asset_id)
    told = await store_obligations.load_failing(tx, scope.assets, scope.patches)
    failing = _grouped(told, lambda each: each.asset_id)
    zones = await store_assets.zones(tx, (each.tenant_id for each in every))
    bereft = [each.asset_id for each in every if asset_by_device.get(each.asset_id) != each.asset_id]
    merged_into = await store_evidence.elsewhere(tx, bereft) if bereft else {}
    granted = await store_exceptions.in_force(tx, {each.tenant_id for each in every})
    attested = await _attested(tx, every, asset_by_device)
    return [
        Known(
            asset=asset,
            policy=bench.policy_of(asset.tenant_id),
            zone=_zone(bench.policy_of(asset.tenant_id).zone or zones.get(asset.tenant_id)),
            granted=granted.get(asset.tenant_id, ()),
            attested=attested.get(asset.asset_id, ()),
            devices={each.device_id: each for each in devices.get(asset.asset_id, ())},
            evidence=evidence.get(asset.asset_id, []),
            obligations={each.requirement_id: each for each in obligations.get(asset.asset_id, ())},
            failing={each.patch_id: each for each in failing.get(asset.asset_id, ())},
            merged_into=merged_into.get(asset.asset_id),
        )
        for asset in every
    ]


async def _attested(
    tx: Connection, every: Sequence[Asset], asset_by_device: Mapping[UUID, UUID | None]
) -> dict[UUID | None, list[Attestation]]:
    """Return what people attested, by asset; the word on a device goes with the asset that it belongs to now."""
    about: dict[UUID, UUID | None] = {each.asset_id: each.asset_id for each in every}
    about.update(asset_by_device)
    return _grouped(await store_attestations.of_assets(tx, about), lambda each: about[each.asset_id])


def _grouped(items: Iterable[T], key: Callable[[T], UUID | None]) -> dict[UUID | None, list[T]]:
    groups: dict[UUID | None, list[T]] = {}
    for each in items:
        groups.setdefault(key(each), []).append(each)
    return groups


def _asset_of_device(device: Device) -> UUID | None:
    return device.asset_id


def _zone(name: str | None) -> tzinfo:
    return zone_of(name) or UTC  # names are checked when a client's record arrives


async def _evidence(
    tx: Connection, devices: Mapping[UUID | None, list[Device]], scope: Scope, in_hand: store_evidence.InHand
) -> list[Evidence]:
    """Return the evidence in the scope, each once; an asset's devices speak of the same requirement and patch."""
    whole = [each.device_id for asset in scope.assets for each in devices.get(asset, ())]
    found = await store_evidence.of_devices(tx, whole, in_hand)
    found += await store_evidence.of_requirements(tx, _by_device(devices, scope, scope.obligations), in_hand)
    if patches := _by_device(devices, scope, scope.patches):
        found += (await store_evidence.load(tx, patches)).values()
    return list({(each.device_id, each.name.id): each for each in found}.values())


def _by_device(
    devices: Mapping[UUID | None, list[Device]], scope: Scope, parts: Iterable[Part]
) -> list[tuple[UUID, UUID]]:
    return [
        (each.device_id, part) for asset, part in parts if asset not in scope.assets for each in devices.get(asset, ())
    ]


async def _save(tx: Connection, after: Outcome, bench: Bench) -> None:
    if after.assets:
        await store_assets.save(tx, after.assets)
    if after.resolved:
        await store_evidence.resolve(tx, after.resolved)
    if after.withdrawn:
        await store_obligations.withdraw(tx, after.withdrawn)
    if after.obligations:
        await store_obligations.save(tx, after.obligations)
    if after.transitions:
        await store_obligations.append(tx, after.transitions, recorded_at=bench.now, catalog=bench.catalog.version)
    if after.witnesses:
        await store_obligations.keep_witnesses(tx, after.witnesses)
    if after.failing:
        await store_obligations.save_failing(tx, after.failing)
    if after.moves:
        await store_figures.move(tx, after.moves)
    if bench.own:
        await watching.decided(tx, after, bench.own.keys())

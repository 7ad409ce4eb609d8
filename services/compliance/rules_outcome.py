"""What follows for an asset from all that is known of it: its obligations, and what is told of their changes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.events.event import Event
from contracts.events.obligation import DeviceLabel, State
from services.compliance.catalog.model import Catalog, Named, Requirement
from services.compliance.exceptions.records import Granted
from services.compliance.rules import Decision, decide
from services.compliance.rules_assets import Asset, reselected, view_of
from services.compliance.rules_case import Basis, Case, Signs, SourceDevice
from services.compliance.rules_cause import Part, Scope, envelope
from services.compliance.rules_figures import Counted
from services.compliance.rules_known import Bench, Heard, Known, Outcome, Transition
from services.compliance.rules_rows import Evidence, Obligation, obligation, stands
from services.compliance.rules_told import (
    Continued,
    breach_changed,
    catalogued,
    failure_repeated,
    state_changed,
    uncatalogued_changed,
)
from services.compliance.rules_uncatalogued import NOTHING_LEFT, Failing, is_news, present
from services.compliance.rules_views import Saying, SourcePatch


def meaning(asset: Asset, evidence: Evidence, catalog: Catalog) -> Named | None:
    """Return what a vendor's patch is on this asset; `None`: the catalog does not tell."""
    if (kb := evidence.name.kb) is not None:
        return catalog.kb_meant(kb, product=asset.product, tier=asset.tier)
    return catalog.meant(catalog.named(None, evidence.names), product=asset.product, tier=asset.tier)


def outcome(every: Iterable[Known], scope: Scope, bench: Bench) -> Outcome:
    """Return what follows for all assets of the scope, in the order of `every`; where a device left one, that one last.

    So it is known how its obligations stand where they go on.
    """
    out = Outcome()
    obligations, patches = _parts(scope.obligations), _parts(scope.patches)
    for known in sorted(every, key=lambda each: each.asset.asset_id in scope.continues_on):
        asset_id = known.asset.asset_id
        judge = _Judge(known, scope, bench, out)
        judge.judge(obligations.get(asset_id, set()), patches.get(asset_id, set()))
    return out


def _parts(keys: Iterable[Part]) -> dict[UUID, set[UUID]]:
    by_asset: dict[UUID, set[UUID]] = {}
    for asset_id, part in keys:
        by_asset.setdefault(asset_id, set()).add(part)
    return by_asset


_FAILED: Final = State.FAILED
"""Named once: Python 3.11 looks a member of an enum up each time."""


class _Judge:
    """Judges one asset and adds what follows to `out`."""

    def __init__(self, known: Known, scope: Scope, bench: Bench, out: Outcome) -> None:
        self._known = known
        self._scope = scope
        self._bench = bench
        self._out = out
        self._is_whole = known.asset.asset_id in scope.assets
        self._continues_on = known.merged_into or scope.continues_on.get(known.asset.asset_id)
        self._asset = reselected(known.asset, bench.catalog) if self._is_whole else known.asset
        self._view = view_of(self._asset, known.policy, now=bench.now)
        self._about = {known.asset.asset_id, *known.devices}
        self._signs = Signs([SourceDevice(each.source, each.registers) for each in known.devices.values()])
        self._patches: dict[UUID, list[SourcePatch]] = {}
        self._parked: dict[UUID, list[Evidence]] = {}
        self._resolved: dict[UUID, UUID] = {}
        self._basis = Basis(known.policy, known.zone, risk_of=bench.catalog.risk)
        self._label: DeviceLabel | None = None

    def judge(self, obligations: set[UUID], patches: set[UUID]) -> None:
        """Judge these parts, or all there are where the whole asset is in the scope."""
        if self._asset != self._known.asset:
            self._out.assets.append(self._asset)
        self._resolve()
        catalog = self._bench.catalog
        owed: set[UUID] = set()
        if self._known.merged_into is None:
            owed = {each for product in self._asset.products_seen for each in catalog.trains_of(product)}
            owed |= self._patches.keys()
        if self._is_whole:
            obligations = {*owed, *self._known.obligations}
            patches = {*self._parked, *self._known.failing}
        for patch_id in sorted(patches):
            self._patch(patch_id)
        self._out.judged += len(obligations) + len(self._known.evidence)
        for requirement_id in sorted(obligations):
            self._obligation(requirement_id, is_owed=requirement_id in owed)

    def _resolve(self) -> None:
        """Sort the evidence by what it means on this asset."""
        for each in self._known.evidence:
            named = meaning(self._asset, each, self._bench.catalog)
            requirement_id = named.requirement_id if named else None
            if requirement_id != each.requirement_id:
                self._out.resolved.append(each._replace(requirement_id=requirement_id))
            if named is None:
                self._parked.setdefault(each.name.id, []).append(each)
                continue
            source = self._known.devices[each.device_id].source
            patch = SourcePatch(source, named.release, each.registers)
            self._patches.setdefault(named.requirement_id, []).append(patch)
            self._resolved[each.name.id] = named.requirement_id

    def _patch(self, patch_id: UUID) -> None:
        """Tell what became of a patch that no catalog knows, or did not know before."""
        told = self._known.failing.get(patch_id)
        parked = self._parked.get(patch_id)
        if parked is None:
            if told is not None and told.requirement_id is None:
                self._no_longer_parked(told)
            return
        now = present([each.registers for each in parked], is_removed=self._asset.gone_at is not None)
        if self._scope.continues_on:
            self._out.failing_now[self._asset.asset_id, patch_id] = now.failing
        if not is_news(told, now):
            return
        name = parked[0].name
        failing = Failing(
            asset_id=self._asset.asset_id,
            patch_id=patch_id,
            tenant_id=self._asset.tenant_id,
            patch=name.patch,
            kb=name.kb,
            product=name.product,
            failing=now.failing,
            failures=now.failures,
        )
        self._out.failing.append(failing)
        continued = None if now.failing else self._continued(patch_id)
        self._tell(uncatalogued_changed(self._asset, failing, now, continued=continued), part=patch_id)

    def _no_longer_parked(self, told: Failing) -> None:
        """Tell that the catalog knows it now, or that the device of which it was told belongs to another asset."""
        requirement_id = self._resolved.get(told.patch_id)
        if requirement_id is not None:
            self._out.failing.append(replace(told, failing=False, requirement_id=requirement_id))
            requirement = self._bench.catalog.requirements[requirement_id]
            self._tell(catalogued(told, requirement), part=told.patch_id)
        elif told.failing:
            ended = replace(told, failing=False)
            self._out.failing.append(ended)
            continued = self._continued(told.patch_id)
            changed = uncatalogued_changed(self._asset, ended, NOTHING_LEFT, continued=continued)
            self._tell(changed, part=told.patch_id)

    def _obligation(self, requirement_id: UUID, *, is_owed: bool) -> None:
        before = self._known.obligations.get(requirement_id)
        requirement = self._bench.catalog.requirements.get(requirement_id)
        if requirement is None or not is_owed:
            if before is not None:
                self._withdraw(before, is_known=requirement is not None)
            return
        decision = decide(self._case(requirement), self._bench.now)
        after = obligation(self._asset, requirement, decision)
        if self._scope.continues_on:
            self._out.decided[self._asset.asset_id, requirement_id] = after
        if before is not None and stands(before, after, self._bench.now):
            return
        self._out.obligations.append(after)
        self._out.witnesses += [Heard(after, saying) for saying in decision.witnesses]
        if before is not None and before.tenant_id != after.tenant_id:
            self._leave(before)
            before = None
        self._changed(before, after, decision)
        self._breach(before, after)

    def _case(self, requirement: Requirement) -> Case:
        return Case(
            asset=self._view,
            requirement=requirement,
            basis=self._basis_of(requirement.id) if self._known.granted or self._known.attested else self._basis,
            signs=self._signs,
            patches=self._patches.get(requirement.id, ()),
        )

    def _basis_of(self, requirement_id: UUID) -> Basis:
        """Return what people decided and said of one obligation beside what holds for all of the machine's."""
        granted = self._granted(requirement_id) if self._known.granted else ()
        return self._basis._replace(granted=granted, attested=self._attested(requirement_id))

    def _granted(self, requirement_id: UUID) -> list[Granted]:
        """Return the exceptions of this obligation; one for a device holds for the asset that it belongs to."""
        return [
            each for each in self._known.granted if any(each.covers(about, requirement_id) for about in self._about)
        ]

    def _attested(self, requirement_id: UUID) -> dict[str, list[Saying]]:
        found: dict[str, list[Saying]] = {}
        for each in self._known.attested:
            if each.requirement_id == requirement_id:
                found.setdefault(each.release, []).append(each.saying)
        return found

    def _changed(self, before: Obligation | None, after: Obligation, decision: Decision) -> None:
        """Tell a change of state, or that what had failed failed again, and where it counts now."""
        if before is None or before.state != after.state:
            self._transition(before, after, decision.witnesses)
        elif after.state is _FAILED and after.failures > before.failures:
            self._tell(failure_repeated(self._asset, after), part=after.requirement_id)
        came_from, comes_to = before.counted if before else None, after.counted
        if came_from != comes_to:
            if came_from is not None:
                self._moves(came_from, -1)
            self._moves(comes_to, 1)

    def _moves(self, counted: Counted, change: int) -> None:
        self._out.moves[counted] = self._out.moves.get(counted, 0) + change

    def _breach(self, before: Obligation | None, after: Obligation, about: str | None = None) -> None:
        """Tell that a deadline passed by which the client agreed to be judged, or that it is over."""
        is_breached = after.breached_at is not None
        if is_breached == (before is not None and before.breached_at is not None):
            return
        continued = None if is_breached or about else self._continued(after.requirement_id)
        policy = self._known.policy.id
        changed = breach_changed(self._asset, after, policy=policy, breached=is_breached, continued=continued)
        self._tell(changed, part=after.requirement_id, about=about, tenant_id=after.tenant_id)

    def _withdraw(self, before: Obligation, *, is_known: bool) -> None:
        """Let go of an obligation that nothing makes any more: the catalog has it no longer, or names mean another."""
        merged_into = self._known.merged_into
        if merged_into is not None:
            state, why = State.RETIRED, f"this machine goes on as asset {merged_into}"
        elif is_known:
            state, why = State.NOT_APPLICABLE, "what was said means another product"
        else:
            state, why = State.OUT_OF_SCOPE, f"not in catalog {self._bench.catalog.label}"
        after = before._replace(state=state, why=why, due_at=None, next_change_at=None, breached_at=None, proof=None)
        self._out.withdrawn.append(before)
        self._moves(before.counted, -1)
        self._transition(before, after, ())
        self._breach(before, after)

    def _leave(self, before: Obligation) -> None:
        """Tell the client that it was with until now; the obligation itself goes on at another."""
        why = "the asset belongs to another client now"
        after = before._replace(state=State.NOT_APPLICABLE, why=why, breached_at=None, proof=None)
        about = f"{before.requirement_id}/{before.tenant_id}"
        self._moves(before.counted, -1)
        self._transition(before, after, (), about=about)
        self._breach(before, after, about=about)

    def _transition(
        self, before: Obligation | None, after: Obligation, witnesses: Sequence[Saying], about: str | None = None
    ) -> None:
        cause = self._scope.cause((self._asset.asset_id, after.requirement_id))
        continued = None if after.state is _FAILED or about else self._continued(after.requirement_id)
        if self._label is None:
            self._label = self._asset.label
        changed = state_changed(self._label, before, after, witnesses, continued=continued)
        event = envelope(
            cause,
            changed,
            asset_id=after.asset_id,
            tenant_id=after.tenant_id,
            about=about or ids.spelled(after.requirement_id),
        )
        self._out.events.append(event)
        known_as = before.state if before else None
        self._out.transitions.append(Transition(event, known_as, after, cause.id, self._known.policy.id))

    def _continued(self, part: UUID) -> Continued | None:
        """Return where it goes on what was said of a requirement or patch of this asset; `None`: here."""
        if self._continues_on is None:
            return None
        there = self._continues_on, part
        decided = self._out.decided.get(there)
        return Continued(
            self._continues_on,
            state=decided.state if decided else None,
            failing=self._out.failing_now.get(there),
            breached=decided.breached_at is not None if decided else None,
        )

    def _tell(self, content: Event, *, part: UUID, about: str | None = None, tenant_id: UUID | None = None) -> None:
        """Tell something of one part, under `about` where that is not the part; to the asset's client, or another."""
        cause = self._scope.cause((self._asset.asset_id, part))
        asset = self._asset
        event = envelope(
            cause,
            content,
            asset_id=asset.asset_id,
            tenant_id=tenant_id or asset.tenant_id,
            about=about or str(part),
        )
        self._out.events.append(event)

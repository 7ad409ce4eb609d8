"""Forensic triages begin where a rule asks for one, follow what people record, and become late as time passes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids, topics
from contracts.envelope import Envelope
from services.compliance.catalog.model import Catalog
from services.compliance.policy import Policy
from services.compliance.priority import rules_told, store_triage
from services.compliance.priority.rules_asked import forensics
from services.compliance.priority.rules_priority import lacking, machines_of
from services.compliance.priority.rules_triage import Recorded, Standing, Triage, handed_on, standing, started_at
from services.compliance.priority.store_priority import OPEN
from services.compliance.priority.store_triage import Changed, Kept
from services.compliance.rules_cause import SOURCE

MOST: Final = 200


class Triages:
    """Tells, within a second, that a step of a triage is late. The late ones are found by an index on that moment."""

    def __init__(self, on: Platform, *, most: int = MOST) -> None:
        """Tell at most `most` in one transaction, by the clock of `on`."""
        self._on = on
        self._most = most

    async def ring(self) -> bool:
        """Tell what became late, and return whether more are waiting."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            kept = await store_triage.rung(tx, now, self._most)
            if not kept:
                return False
            events = await follow(tx, kept, now)
            await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(each.subject, each) for each in events])
            await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, events)
        self._on.relay.wake()
        return len(kept) == self._most


async def follow(tx: Connection, kept: Sequence[Kept], now: datetime) -> list[Envelope]:
    """Decide locked triages anew, save those that stand otherwise than they were told, and return that news."""
    recorded = await store_triage.records(tx, [each.triage for each in kept]) if kept else {}
    changed: list[Changed] = []
    events: list[Envelope] = []
    for each in kept:
        after = _stands(each, recorded, now)
        event = rules_told.triage_changed(each.triage, after, each.label)
        told = event.model_dump(mode="json", exclude={"label"})
        if told == each.told and after.next_change_at == each.next_change_at:
            continue
        changed.append(Changed(kept=each, standing=after, told=told))
        if told != each.told:
            events.append(_envelope(each, after, now))
    if changed:
        await store_triage.save(tx, changed, now)
    return events


def _stands(kept: Kept, recorded: Mapping[tuple[UUID, UUID], Sequence[Recorded]], now: datetime) -> Standing:
    triage = kept.triage
    deployed = min((at for at in kept.deployed if at >= triage.started_at), default=None)
    stood = standing(triage, recorded.get((triage.asset_id, triage.requirement_id), ()), deployed, now)
    return stood if kept.goes_on is None else handed_on(stood, kept.goes_on)


def _envelope(kept: Kept, after: Standing, now: datetime) -> Envelope:
    """Return the news. What time made true is dated with the moment that passed."""
    triage, content = kept.triage, rules_told.triage_changed(kept.triage, after, kept.label)
    passed_at = kept.next_change_at
    at = passed_at if passed_at is not None and passed_at <= now else now
    about = f"{triage.requirement_id}/{ids.moment(triage.started_at)}/{after.why}"
    return Envelope(
        id=ids.event_id_of_fields(SOURCE, content.TYPE, at, str(triage.asset_id), about),
        source=SOURCE,
        subject=str(triage.asset_id),
        time=at,
        received=at,
        tenant=triage.tenant_id,
        data=content,
    )


async def begun(
    tx: Connection, tenant: UUID, requirements: set[UUID], *, policy: Policy, catalog: Catalog, now: datetime
) -> None:
    """Let a triage begin for each of a client's machines whose rule asks for one on what it lacks."""
    found: dict[tuple[UUID, UUID, datetime], Triage] = {}
    for machine in await store_triage.machines(tx, tenant, requirements, OPEN):
        requirement = catalog.requirements.get(machine.requirement_id)
        if requirement is None:
            continue
        machines = machines_of(machine.tier, machine.tags, ephi=machine.ephi, words=policy.tags)
        for release in lacking(requirement, machine.release, machine.since):
            asked = forensics(policy, machines, release, catalog.risk(release))
            if asked is None:
                continue
            began_at = started_at(asked.kev_added_at, machine.first_seen_at)
            triage = Triage(
                tenant_id=tenant,
                asset_id=machine.asset_id,
                requirement_id=requirement.id,
                rule=asked.rule,
                product=requirement.product.name,
                train=requirement.train,
                release=release.name,
                started_at=began_at,
            )
            found.setdefault((machine.asset_id, requirement.id, began_at), triage)
    if found:
        await store_triage.begin(tx, found.values(), now)

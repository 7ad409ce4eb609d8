"""The events in which priorities and triages are told. Pure."""

from typing import Final

from contracts.events.obligation import DeviceLabel
from contracts.events.priority import (
    MachineClass,
    PriorityDecided,
    PriorityInputs,
    PriorityOverride,
    TableVerdict,
    TriageChanged,
    TriageStep,
)
from services.compliance.priority.rules_priority import Judged, Machines, Override
from services.compliance.priority.rules_trees import Verdict
from services.compliance.priority.rules_triage import Standing, Triage
from services.compliance.subjects import Risk

MOST_CVES: Final = 200
"""So many travel in an event; the log has all of them."""


def decided(judged: Judged, *, before: str | None, catalog: str) -> PriorityDecided:
    """Return the news of a decision."""
    return PriorityDecided(
        requirement=str(judged.requirement_id),
        product=judged.product,
        train=judged.train,
        release=judged.release,
        severity=judged.severity,
        machines=_machines(judged.machines),
        inputs=_inputs(judged.risk),
        policy=judged.policy,
        catalog=catalog,
        table=judged.verdict.table,
        outcome=judged.outcome,
        verdict=_verdict(judged.verdict),
        also=tuple(_verdict(each) for each in judged.also),
        override=_override(judged.override) if judged.override else None,
        before=before,
    )


def _machines(machines: Machines) -> MachineClass:
    return MachineClass(
        tier=machines.tier,
        exposed=machines.exposed,
        isolated=machines.isolated,
        business=machines.business,
        ephi=machines.ephi,
    )


def _inputs(risk: Risk) -> PriorityInputs:
    return PriorityInputs(
        cves=risk.cves[:MOST_CVES],
        kev_added_at=risk.kev_added_at,
        ransomware=risk.ransomware,
        exploitation=risk.exploitation,
        automatable=risk.automatable,
        technical_impact_total=risk.technical_impact_total,
        epss=risk.epss,
        cvss=risk.cvss,
        versions=risk.versions,
    )


def _verdict(verdict: Verdict) -> TableVerdict:
    return TableVerdict(table=verdict.table, outcome=verdict.outcome, at_best=verdict.at_best, unknown=verdict.unknown)


def _override(override: Override) -> PriorityOverride:
    return PriorityOverride(
        outcome=override.outcome or "", reason=override.reason, by=override.by, until=override.until
    )


def triage_changed(triage: Triage, standing: Standing, label: DeviceLabel) -> TriageChanged:
    """Return the news of a triage."""
    return TriageChanged(
        label=label,
        requirement=str(triage.requirement_id),
        product=triage.product,
        train=triage.train,
        release=triage.release,
        rule=triage.rule,
        started_at=triage.started_at,
        steps=tuple(
            TriageStep(step=each.step.value, due_at=each.due_at, done_at=each.done_at, late=each.is_late)
            for each in standing.steps
        ),
        deployed_at=standing.deployed_at,
        order_violated=standing.order_violated,
        finding=standing.found.value if standing.found else None,
        closed=standing.is_closed,
        why=standing.why,
    )

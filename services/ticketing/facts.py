"""What each event of compliance and of credentials means here. Pure."""

from dataclasses import dataclass
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.credential import BreakerMoved, CaseEvent, HygieneChanged
from contracts.events.obligation import (
    DeviceLabel,
    ObligationFailureRepeated,
    ObligationStateChanged,
    PatchCatalogued,
    State,
    UncataloguedFailureChanged,
)
from services.ticketing import rules, rules_cases, rules_compliance
from services.ticketing.records import About, Cause, Kind, Label, MatterKey
from services.ticketing.rules import Finding, Verdict
from services.ticketing.rules_fold import Catalogued, Fact


@dataclass(frozen=True, slots=True)
class Unusable:
    """An event that can never be handled, and why."""

    reason: str


def facts_of(envelope: Envelope) -> tuple[Fact, ...] | Unusable:
    """Return what `envelope` means for tickets, each fact of it; none: nothing."""
    if isinstance(envelope.data, CaseEvent | BreakerMoved | HygieneChanged):
        return _of_credentials(envelope)
    if isinstance(envelope.data, rules_compliance.TOLD):
        return _of_compliance(envelope)
    fact = fact_of(envelope)
    return fact if isinstance(fact, Unusable) else () if fact is None else (fact,)


def _of_credentials(envelope: Envelope) -> tuple[Fact, ...] | Unusable:
    if envelope.tenant is None:
        return () if isinstance(envelope.data, BreakerMoved) else Unusable("ce_tenantid: a case belongs to a client")
    if envelope.sequence is None:
        return Unusable("ce_sequence: without one this fact cannot be told from a late one")
    return rules_cases.facts_of(envelope.data, envelope.tenant, envelope.sequence, cause_of(envelope))


def _of_compliance(envelope: Envelope) -> tuple[Fact, ...] | Unusable:
    if envelope.tenant is None:
        return Unusable("ce_tenantid: what compliance tells of belongs to a client, this names none")
    if envelope.sequence is None:
        return Unusable("ce_sequence: without one this fact cannot be told from a late one")
    source = rules_compliance.Source(envelope.tenant, envelope.sequence, cause_of(envelope))
    return rules_compliance.facts_of(envelope.data, source)


def fact_of(envelope: Envelope) -> Fact | Unusable | None:
    """Return what `envelope` of compliance means for tickets; `None`: nothing."""
    match envelope.data:
        case (
            PatchCatalogued() | ObligationStateChanged() | ObligationFailureRepeated() | UncataloguedFailureChanged()
        ) as event:
            if envelope.tenant is None:
                return Unusable("ce_tenantid: a finding belongs to a client, this one names none")
            if envelope.sequence is None:
                return Unusable("ce_sequence: without one this finding cannot be told from a late one")
            if isinstance(event, PatchCatalogued):
                return _catalogued(envelope, event, envelope.tenant, envelope.sequence)
            return _finding(envelope, event, envelope.tenant, envelope.sequence)
        case _:
            return None


def cause_of(envelope: Envelope) -> Cause:
    """Return what later events say that they follow from."""
    return Cause(
        event_id=envelope.id,
        occurred_at=envelope.time,
        received_at=envelope.received,
        traceparent=envelope.traceparent,
        correlation=envelope.correlation,
        lane=envelope.lane,
    )


def _finding(
    envelope: Envelope,
    event: ObligationStateChanged | ObligationFailureRepeated | UncataloguedFailureChanged,
    tenant: UUID,
    sequence: int,
) -> Finding:
    matter, about, state, verdict = _meaning(event, tenant)
    return Finding(
        cause=cause_of(envelope),
        matter=matter,
        asset=event.label.asset,
        sequence=sequence,
        state=state,
        verdict=verdict,
        failures=event.failures,
        label=_label(event.label),
        about=about,
        code=event.code,
        continues_on=None if isinstance(event, ObligationFailureRepeated) else event.continues_on,
        continues_as=_continued(event),
    )


def _continued(
    event: ObligationStateChanged | ObligationFailureRepeated | UncataloguedFailureChanged,
) -> Verdict | None:
    """Return what the state means that a failure has where it goes on; `None`: it goes on here, or nobody knows yet."""
    match event:
        case ObligationStateChanged(continues_as=State() as state):
            return rules.VERDICTS[state]
        case UncataloguedFailureChanged(continues_failing=bool(failing)):
            return Verdict.FAILING if failing else Verdict.PROVEN
        case _:
            return None


def _meaning(
    event: ObligationStateChanged | ObligationFailureRepeated | UncataloguedFailureChanged, tenant: UUID
) -> tuple[MatterKey, About, str, Verdict]:
    if isinstance(event, UncataloguedFailureChanged):
        subject = ids.uncatalogued_subject(event.product, event.patch)
        about = About(product=event.product, severity=event.severity, patch=event.patch, kb=event.kb, title=event.title)
        matter = MatterKey(tenant, Kind.FAILED_UNCATALOGUED, subject)
        if event.failing:
            return matter, about, State.FAILED, Verdict.FAILING
        return matter, about, rules.NO_LONGER_FAILING, Verdict.PROVEN
    about = About(product=event.product, train=event.train, release=event.release, severity=event.severity)
    state = event.state if isinstance(event, ObligationStateChanged) else State.FAILED
    return MatterKey(tenant, Kind.PATCH_FAILED, event.requirement), about, state, rules.VERDICTS[state]


def _catalogued(envelope: Envelope, event: PatchCatalogued, tenant: UUID, sequence: int) -> Catalogued:
    subject = ids.uncatalogued_subject(event.product, event.patch)
    return Catalogued(
        cause=cause_of(envelope),
        matter=MatterKey(tenant, Kind.FAILED_UNCATALOGUED, subject),
        home=MatterKey(tenant, Kind.PATCH_FAILED, event.requirement),
        asset=envelope.subject,
        sequence=sequence,
        about=About(product=event.requirement_product, train=event.requirement_train, patch=event.patch, kb=event.kb),
    )


def _label(label: DeviceLabel) -> Label:
    return Label(
        source=label.source,
        device=label.device,
        hostname=label.hostname,
        os_family=label.os_family,
        tier=label.tier,
    )

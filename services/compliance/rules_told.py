"""The events in which changes of obligations are told. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.event import Method
from contracts.events.obligation import (
    DeviceLabel,
    ObligationAttested,
    ObligationBreached,
    ObligationFailureRepeated,
    ObligationStateChanged,
    PatchCatalogued,
    State,
    UncataloguedFailureChanged,
    Witness,
)
from services.compliance.catalog.model import Requirement
from services.compliance.rules_assets import Asset
from services.compliance.rules_cause import SOURCE
from services.compliance.rules_rows import Attestation, Obligation
from services.compliance.rules_uncatalogued import Failing, Present
from services.compliance.rules_views import Saying


@dataclass(frozen=True, slots=True)
class Continued:
    """Where evidence that left an asset goes on, and how it stands there, where that is known."""

    asset_id: UUID
    state: State | None = None
    failing: bool | None = None
    breached: bool | None = None


_METHODS: Final = frozenset(Method)


def state_changed(
    label: DeviceLabel,
    before: Obligation | None,
    after: Obligation,
    witnesses: Sequence[Saying],
    *,
    continued: Continued | None = None,
) -> ObligationStateChanged:
    """Return the news that an obligation moved between states, and if its evidence left, where it goes on."""
    return ObligationStateChanged(
        label=label,
        requirement=ids.spelled(after.requirement_id),
        product=after.product,
        train=after.train,
        release=after.release,
        severity=after.severity,
        before=before.state if before else None,
        state=after.state,
        why=after.why,
        failures=after.failures,
        code=after.code,
        due_at=after.due_at,
        witnesses=tuple(
            Witness(source=each.source, method=Method(each.method), saw=each.saw, at=each.at)
            for each in witnesses
            if each.method in _METHODS  # a person has none: `why` and `proof` tell of their word
        ),
        continues_on=str(continued.asset_id) if continued else None,
        continues_as=continued.state if continued else None,
        proof=after.proof,
    )


def breach_changed(
    asset: Asset, after: Obligation, *, policy: str, breached: bool, continued: Continued | None = None
) -> ObligationBreached:
    """Return the news that an obligation is overdue by what was agreed with its client, or is so no longer."""
    return ObligationBreached(
        label=asset.label,
        requirement=ids.spelled(after.requirement_id),
        product=after.product,
        train=after.train,
        release=after.release,
        severity=after.severity,
        breached=breached,
        since=after.breached_at if breached and after.breached_at else after.since_at,
        due_at=after.due_at,
        state=after.state,
        why=after.why,
        policy=policy,
        rule=after.rule,
        continues_on=str(continued.asset_id) if continued else None,
        continues_breached=continued.breached if continued else None,
    )


def failure_repeated(asset: Asset, after: Obligation) -> ObligationFailureRepeated:
    """Return the news that what had failed failed again."""
    return ObligationFailureRepeated(
        label=asset.label,
        requirement=ids.spelled(after.requirement_id),
        product=after.product,
        train=after.train,
        release=after.release,
        severity=after.severity,
        failures=after.failures,
        code=after.code,
    )


def uncatalogued_changed(
    asset: Asset, failing: Failing, now: Present, *, continued: Continued | None = None
) -> UncataloguedFailureChanged:
    """Return the news that a patch which no catalog knows fails, fails again, or fails no longer."""
    return UncataloguedFailureChanged(
        label=asset.label,
        patch=failing.patch,
        kb=failing.kb,
        product=failing.product,
        title=now.title,
        severity=now.severity,
        failing=failing.failing,
        failures=failing.failures,
        code=now.code,
        continues_on=str(continued.asset_id) if continued else None,
        continues_failing=continued.failing if continued else None,
    )


def catalogued(told: Failing, requirement: Requirement) -> PatchCatalogued:
    """Return the news that what failed uncatalogued belongs to a requirement."""
    return PatchCatalogued(
        patch=told.patch,
        kb=told.kb,
        product=told.product,
        requirement=str(requirement.id),
        requirement_product=requirement.product.name,
        requirement_train=requirement.train,
    )


def attested(word: Attestation, recorded_at: datetime) -> Envelope:
    """Return the news that a person attested something, whatever it is worth now."""
    return Envelope(
        id=ids.fact_id(word.id, ObligationAttested.TYPE, str(word.asset_id)),
        source=SOURCE,
        subject=str(word.asset_id),
        time=word.attested_at,
        received=recorded_at,
        tenant=word.tenant_id,
        data=ObligationAttested(
            asset=str(word.asset_id),
            requirement=str(word.requirement_id),
            release=word.release,
            attested_at=word.attested_at,
            attested_by=word.attested_by,
            reason=word.reason,
            evidence=word.evidence,
            evidence_name=word.evidence_name,
        ),
    )

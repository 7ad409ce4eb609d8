"""What compliance says, as the tests of ticketing need it; and its meaning here, for the rules."""

from datetime import datetime
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.obligation import (
    DeviceLabel,
    ObligationFailureRepeated,
    ObligationStateChanged,
    PatchCatalogued,
    State,
    UncataloguedFailureChanged,
)
from services.ticketing.facts import fact_of
from services.ticketing.rules import Finding
from services.ticketing.rules_fold import Catalogued
from tests.builders import ACME, NOON, SOURCE, event

REQUIREMENT = str(ids.requirement_id("Windows 11 24H2 x64", "cumulative"))
OTHER_REQUIREMENT = str(ids.requirement_id("Windows Server 2025", "cumulative"))


def label(device: str) -> DeviceLabel:
    return DeviceLabel(
        asset=str(ids.asset_id(SOURCE, device)), source=SOURCE, device=device, hostname=f"{device.upper()}-PC"
    )


def state_changed(
    device: str,
    state: State,
    sequence: int,
    *,
    failures: int = 1,
    requirement: str = REQUIREMENT,
    release: str | None = "2026-11",
    before: State | None = None,
    code: str | None = "0x80070643",
    tenant: UUID | None = ACME,
    at: datetime = NOON,
    continues_on: str | None = None,
    continues_as: State | None = None,
) -> Envelope:
    content = ObligationStateChanged(
        label=label(device),
        requirement=requirement,
        product="Windows 11 24H2 x64",
        train="cumulative",
        release=release,
        before=before,
        state=state,
        why="for the test",
        failures=failures,
        code=code,
        continues_on=continues_on and label(continues_on).asset,
        continues_as=continues_as,
    )
    return event(content, subject=content.label.asset, tenant=tenant, sequence=sequence, at=at)


def failed_again(
    device: str,
    sequence: int,
    *,
    failures: int,
    requirement: str = REQUIREMENT,
    tenant: UUID = ACME,
    at: datetime = NOON,
) -> Envelope:
    content = ObligationFailureRepeated(
        label=label(device),
        requirement=requirement,
        product="Windows 11 24H2 x64",
        train="cumulative",
        release="2026-11",
        failures=failures,
    )
    return event(content, subject=content.label.asset, tenant=tenant, sequence=sequence, at=at)


def uncatalogued(
    device: str,
    sequence: int,
    *,
    failing: bool = True,
    failures: int = 1,
    patch: str = "KB5099999",
    tenant: UUID = ACME,
    continues_on: str | None = None,
    continues_failing: bool | None = None,
) -> Envelope:
    content = UncataloguedFailureChanged(
        label=label(device),
        patch=patch,
        kb="5099999",
        title="Preview update",
        failing=failing,
        failures=failures,
        continues_on=continues_on and label(continues_on).asset,
        continues_failing=continues_failing,
    )
    return event(content, subject=content.label.asset, tenant=tenant, sequence=sequence)


def catalogued(
    device: str, sequence: int, *, requirement: str = REQUIREMENT, patch: str = "KB5099999", tenant: UUID = ACME
) -> Envelope:
    content = PatchCatalogued(
        patch=patch,
        kb="5099999",
        requirement=requirement,
        requirement_product="Windows 11 24H2 x64",
        requirement_train="cumulative",
    )
    return event(content, subject=label(device).asset, tenant=tenant, sequence=sequence)


def finding(envelope: Envelope) -> Finding:
    fact = fact_of(envelope)
    assert isinstance(fact, Finding)
    return fact


def fact(envelope: Envelope) -> Finding | Catalogued:
    found = fact_of(envelope)
    assert isinstance(found, Finding | Catalogued)
    return found

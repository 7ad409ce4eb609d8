"""What is told of cases: each a fact for `telling.tell`. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from contracts.events.credential import (
    CaseClosed,
    CaseDecided,
    CaseEvent,
    CaseOpened,
    CaseStep,
    CaseStepDone,
    CaseStepParked,
    ExposureAppended,
)
from contracts.events.exposure import ExposureFound
from services.credentials.cases import rules_words
from services.credentials.cases.records import Case, Sighting, Verdict
from services.credentials.records import Cause, Fact

TEXT_CHARACTERS = 2048
Evidence = Sequence[tuple[str, str]]


class Named(TypedDict):
    """What every event says of its case."""

    case: str
    login: str
    identity: str | None
    foreign: bool


def named(case: Case) -> Named:
    """Return what every event says of its case."""
    return Named(case=str(case.id), login=case.login, identity=case.object_id, foreign=case.is_foreign)


def fact(
    case: Case, event: CaseEvent, *, at: datetime, cause: Cause | None = None, by: str = "", evidence: Evidence = ()
) -> Fact:
    """Return `event` as a fact about `case`; what caused it is what opened the case, unless another cause is named."""
    return Fact(
        tenant=case.tenant,
        key=str(case.id),
        event=event,
        at=at,
        cause=cause or case.cause,
        by=by or "patchline",
        evidence=evidence,
    )


def opened(case: Case, found: ExposureFound) -> Fact:
    """Return the fact that an exposure began a case."""
    event = CaseOpened(
        **named(case),
        feed=case.feed,
        breach=case.breach,
        kind=case.kind,
        privileged=case.privileged,
        decision=case.verdict.decision,
        why=case.verdict.why[:TEXT_CHARACTERS],
        dry_run=case.dry_run,
        summary=rules_words.summary(found, case),
        exposed_at=found.exposed_at,
        arrived_at=case.cause.received_at,
    )
    return fact(case, event, at=case.opened_at, evidence=seen_in(found, case.source))


def seen_in(found: ExposureFound, source: str) -> list[tuple[str, str]]:
    """Return what of an exposure goes into the audit beside the event: where it came from and how to know it again."""
    kept = {
        "source": source,
        "origin": found.origin.value,
        "form": found.form.value,
        "document": found.document,
        "fingerprint": found.fingerprint,
    }
    return [(name, value) for name, value in kept.items() if value]


def appended(case: Case, sighting: Sighting, *, why: str, at: datetime) -> Fact:
    """Return the fact that another exposure belongs to a case."""
    found = sighting.found
    event = ExposureAppended(
        **named(case), feed=found.feed, breach=found.breach, exposures=max(case.exposures, 2), why=why
    )
    return fact(case, event, at=at, cause=sighting.cause, evidence=seen_in(found, sighting.source))


def decided(before: Verdict, case: Case, *, at: datetime, cause: Cause | None = None) -> Fact:
    """Return the fact that something else is to be done about a case than was decided before."""
    event = CaseDecided(
        **named(case),
        before=before.decision,
        decision=case.verdict.decision,
        why=case.verdict.why[:TEXT_CHARACTERS],
    )
    return fact(case, event, at=at, cause=cause, evidence=[("rule", case.verdict.rule)])


def step_done(case: Case, step: CaseStep, proof: str, *, at: datetime, cause: Cause | None = None) -> Fact:
    """Return the fact that a step was done and read back."""
    event = CaseStepDone(**named(case), step=step, proof=proof[:TEXT_CHARACTERS], done_at=at)
    return fact(case, event, at=at, cause=cause)


def parked(case: Case, step: CaseStep, reason: str, *, at: datetime) -> Fact:
    """Return the fact that a step needs a person."""
    return fact(case, CaseStepParked(**named(case), step=step, reason=reason[:TEXT_CHARACTERS]), at=at)


def closed(case: Case, proof: str, *, at: datetime) -> Fact:
    """Return the fact that a case is over."""
    event = CaseClosed(**named(case), decision=case.verdict.decision, proof=proof[:TEXT_CHARACTERS])
    return fact(case, event, at=at)

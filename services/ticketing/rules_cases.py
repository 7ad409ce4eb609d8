"""What each event of credentials means for tickets, and in which plain words. Pure.

A case has one ticket, which tells its story; a missed service level and a finding of hygiene list what they are about,
as a failed update lists its devices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

from contracts.events.credential import (
    ApprovalAsked,
    ApprovalCounted,
    BreakerMoved,
    BreakerState,
    CaseClosed,
    CaseDecided,
    CaseEvent,
    CaseOpened,
    CaseStep,
    CaseStepDone,
    CaseStepParked,
    Decision,
    ExposureAppended,
    HygieneChanged,
    Promise,
    PromiseBroken,
)
from contracts.events.event import Event, Severity
from services.ticketing import rules
from services.ticketing.records import About, Cause, Kind, Label, MatterKey
from services.ticketing.rules import Finding, Verdict

FAILING: Final = "FAILING"
ONE_STORY: Final = ""
"""What stands for the device where a ticket lists none."""


class Turn(StrEnum):
    """What a chapter does to the ticket of its story. `RAISE` opens the next one where it was closed."""

    OPEN = "open"
    TELL = "tell"
    RAISE = "raise"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What one event adds to the story of one matter, in words for its ticket."""

    cause: Cause
    matter: MatterKey
    turn: Turn
    words: str
    about: About
    asset: str = ONE_STORY
    sequence: int = 0


DONE: Final[Mapping[Decision, str]] = {
    Decision.RESET: "The password is being made invalid now, and the sessions are ended; nobody is told a new one.",
    Decision.ASK: "A machine must not decide this alone: it waits for people (see: patchline case show).",
    Decision.NOTIFY: "Nothing is reset by a machine here: a technician decides what to do, with the owner.",
    Decision.REFUSE: "A machine must never touch this account: a technician decides, with the owner.",
    Decision.REMEDIATED: "The password was changed after it was exposed: nothing is to be done.",
}

STEPS: Final[Mapping[CaseStep, str]] = {
    CaseStep.INVALIDATED: "The exposed password is invalid.",
    CaseStep.REVOKED: "Sessions and refresh tokens are ended.",
    CaseStep.NOTIFIED: "The client's owner is told.",
    CaseStep.VERIFIED: "Verified: the directory shows a later change of the password.",
}
"""The steps that a technician wants to read of; the others are in `patchline case show`."""

KEEPS: Final[Mapping[CaseStep, Promise]] = {
    CaseStep.TICKETED: Promise.TICKET,
    CaseStep.INVALIDATED: Promise.RESET,
    CaseStep.NOTIFIED: Promise.NOTICE,
    CaseStep.VERIFIED: Promise.VERIFIED,
}

LATE: Final[Mapping[Promise, str]] = {
    Promise.TICKET: "no ticket in time",
    Promise.RESET: "no reset in time",
    Promise.NOTICE: "the owner was not told in time",
    Promise.VERIFIED: "not verified in time",
}

MONITORS: Final[Mapping[str, str]] = {
    "no_mfa": "Accounts without a second factor",
    "privileged": "Privileged accounts to review",
    "shared_admin": "Shared administrator accounts",
    "break_glass_missing": "Too few break-glass accounts",
    "break_glass_untested": "Break-glass accounts that nobody tested",
    "break_glass_unmonitored": "Break-glass accounts whose use nobody would see",
    "break_glass_used": "Break-glass accounts that somebody used",
    "offboarded_alive": "People who left and whose accounts live",
    "offboarding_open": "People who left and whose offboarding is not done",
}
"""Titles by monitor; one that is not here is named as it is."""


def facts_of(event: Event, tenant: UUID, sequence: int, cause: Cause) -> tuple[Chapter | Finding, ...]:
    """Return what an event of credentials does to tickets; nothing, for the steps that nobody needs to read of."""
    match event:
        case CaseEvent():
            chapter = _chapter(event, tenant, cause)
            return (*(() if chapter is None else (chapter,)), *_promises(event, tenant, sequence, cause))
        case BreakerMoved():
            return (_breaker(event, tenant, cause),)
        case HygieneChanged():
            return (_hygiene(event, tenant, sequence, cause),)
        case _:
            return ()


def _chapter(event: CaseEvent, tenant: UUID, cause: Cause) -> Chapter | None:
    told = _told(event)
    if told is None:
        return None
    turn, words = told
    return Chapter(
        cause=cause,
        matter=MatterKey(tenant, Kind.EXPOSURE_FOREIGN if event.foreign else Kind.EXPOSURE, event.case),
        turn=turn,
        words=words,
        about=About(title=f"Exposed credential of {event.login}", severity=Severity.HIGH),
    )


def _told(event: CaseEvent) -> tuple[Turn, str] | None:
    match event:
        case CaseOpened():
            return Turn.OPEN, _opening(event)
        case ExposureAppended():
            found = f" ({event.breach})" if event.breach else ""
            return Turn.TELL, f"Reported again by {event.feed}{found}: {event.why}. {event.exposures} reports so far."
        case CaseDecided():
            return Turn.RAISE, f"Decided anew: {event.why}. {DONE[event.decision]}"
        case ApprovalAsked():
            until = moment(event.expires_at)
            return Turn.TELL, f"{event.needed} different people must agree before {until}: {event.why}."
        case ApprovalCounted():
            said = "agreed" if event.approve else "said no"
            return Turn.TELL, f"{event.approver} {said}; {event.given} of {event.needed} have agreed."
        case CaseStepDone():
            words = STEPS.get(event.step)
            return None if words is None else (Turn.TELL, f"{words} {event.proof}")
        case CaseStepParked():
            return Turn.RAISE, f"A person must act, step {event.step}: {event.reason} Then: patchline case retry."
        case CaseClosed():
            return Turn.RESOLVE, f"{event.proof} The case is closed."
        case PromiseBroken():
            return Turn.RAISE, f"SERVICE LEVEL MISSED: {LATE[event.promise]}, it was due {moment(event.due_at)}."
        case _:
            return None


def _opening(event: CaseOpened) -> str:
    whose = [
        "This account has power over others: treat it as the most urgent of its kind." if event.privileged else "",
        "The login's domain is none that the client has proven as its own: nobody there is told and nothing is reset."
        if event.foreign
        else "",
        "DRY RUN: everything below is only what would be done." if event.dry_run else "",
    ]
    when = f"Reported {moment(event.arrived_at)} by {event.feed}."
    if event.exposed_at is not None:
        when = f"Exposed {moment(event.exposed_at)}. {when}"
    return "\n".join(part for part in (event.summary, when, *whose, f"Why: {event.why}.", DONE[event.decision]) if part)


def _promises(event: CaseEvent, tenant: UUID, sequence: int, cause: Cause) -> tuple[Finding, ...]:
    """Return which service levels of the case are missed by this, or met at last."""
    match event:
        case PromiseBroken():
            due = f"due {moment(event.due_at)}"
            return (_level(event, event.promise, (tenant, sequence, cause), failing=True, code=due),)
        case CaseStepDone() if event.step in KEEPS:
            return (_level(event, KEEPS[event.step], (tenant, sequence, cause), failing=False),)
        case CaseClosed():
            return tuple(_level(event, each, (tenant, sequence, cause), failing=False) for each in Promise)
        case _:
            return ()


def _level(
    event: CaseEvent, promise: Promise, of: tuple[UUID, int, Cause], *, failing: bool, code: str | None = None
) -> Finding:
    tenant, sequence, cause = of
    return Finding(
        cause=cause,
        matter=MatterKey(tenant, Kind.EXPOSURE_LATE, promise),
        asset=event.case,
        sequence=sequence,
        state=_state(failing=failing),
        verdict=Verdict.FAILING if failing else Verdict.PROVEN,
        failures=int(failing),
        label=Label(source="credentials", device=event.login),
        about=About(title=f"Exposure response: {LATE[promise]}", severity=Severity.CRITICAL),
        code=code,
    )


def _hygiene(event: HygieneChanged, tenant: UUID, sequence: int, cause: Cause) -> Finding:
    return Finding(
        cause=cause,
        matter=MatterKey(tenant, Kind.HYGIENE, event.monitor),
        asset=event.about,
        sequence=sequence,
        state=_state(failing=event.failing),
        verdict=Verdict.FAILING if event.failing else Verdict.PROVEN,
        failures=int(event.failing),
        label=Label(source="credentials", device=event.about),
        about=About(title=MONITORS.get(event.monitor, event.monitor), severity=Severity.MODERATE),
        code=event.why,
    )


def _state(*, failing: bool) -> str:
    return FAILING if failing else rules.NO_LONGER_FAILING


def _breaker(event: BreakerMoved, tenant: UUID, cause: Cause) -> Chapter:
    held = f" {event.held} accounts wait." if event.held else ""
    match event.state:
        case BreakerState.ARMED:
            turn, words = Turn.RESOLVE, f"A person armed the breaker again: {event.why}."
        case BreakerState.TRIPPED:
            turn, words = Turn.OPEN, f"Automatic resets are stopped: {event.why}.{held}"
        case BreakerState.KILLED:
            turn, words = Turn.OPEN, f"A person stopped all automatic resets: {event.why}.{held}"
        case state:
            assert_never(state)
    return Chapter(
        cause=cause,
        matter=MatterKey(tenant, Kind.BREAKER, event.scope),
        turn=turn,
        words=words,
        about=About(title="Automatic password resets are stopped", severity=Severity.CRITICAL),
    )


def moment(at: datetime) -> str:
    """Return a moment as tickets write it: UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

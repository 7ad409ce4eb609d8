"""The story of an exception, chapter by chapter, in words for its ticket. Pure."""

from typing import Final
from uuid import UUID

from contracts.events.event import Severity
from contracts.events.exception import (
    ExceptionControl,
    ExceptionEvent,
    ExceptionExpired,
    ExceptionExpiring,
    ExceptionGranted,
    ExceptionRefused,
    ExceptionRenewed,
    ExceptionRequested,
    ExceptionRevoked,
)
from services.ticketing.records import About, Cause, Kind, MatterKey
from services.ticketing.rules_cases import Chapter, Turn, moment

AGAIN: Final = "What it covered is owed again, and due when it always was: no deadline has moved."


def chapter(event: ExceptionEvent, tenant: UUID, cause: Cause) -> Chapter | None:
    """Return what an event adds to the exception's ticket."""
    told = _told(event)
    if told is None:
        return None
    turn, words = told
    return Chapter(
        cause=cause,
        matter=MatterKey(tenant, Kind.EXCEPTION, event.exception),
        turn=turn,
        words=words,
        about=About(title=f"Exception for {event.title}", severity=Severity.MODERATE),
    )


def _told(event: ExceptionEvent) -> tuple[Turn, str] | None:
    match event:
        case ExceptionRequested():
            return Turn.OPEN, _request(event)
        case ExceptionGranted():
            signed = f"{event.owner}, the client's owner, signed it at {moment(event.signed_at)}."
            return Turn.TELL, f"{signed} It holds until {moment(event.until)}, and covers {_machines(event)}."
        case ExceptionRefused():
            return Turn.RESOLVE, f"It is not granted: {event.why}."
        case ExceptionRenewed():
            until = moment(event.renewed_until)
            return Turn.RESOLVE, f"The owner signed another one until {until}: {event.renewed_by}. It goes on there."
        case ExceptionExpiring():
            return Turn.RAISE, f"It ends at {moment(event.until)}. Patch before that, or ask for a renewal in time."
        case ExceptionExpired():
            return Turn.RESOLVE, f"It ended at {moment(event.until)}. {AGAIN}"
        case ExceptionRevoked():
            return Turn.RESOLVE, f"It was taken back at {moment(event.revoked_at)}: {event.why}. {AGAIN}"
        case _:
            return None


def _request(event: ExceptionRequested) -> str:
    again = f" It is renewal {event.renewal} of {event.renews}." if event.renews else ""
    names = f": {', '.join(event.names)}" if event.names else ""
    isolated = "The isolated lane: this can never be patched, and is kept apart.\n" if event.lane == "isolated" else ""
    return (
        f"{event.requested_by} asks to leave it undone on {_machines(event)}{names}, from {moment(event.valid_from)} "
        f"until {moment(event.until)}.{again}\n{isolated}Why: {event.reason}\n{_controls(event.controls)}"
    )


def _machines(event: ExceptionEvent) -> str:
    if event.machines is None:
        return "every machine of the client"
    return "1 machine" if event.machines == 1 else f"{event.machines} machines"


def _controls(controls: tuple[ExceptionControl, ...]) -> str:
    return "\n".join(["Done instead:", *(f"- {each.kind.replace('_', ' ')}: {each.text}" for each in controls)])

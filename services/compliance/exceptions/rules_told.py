"""What is told of exceptions and exclusions, and the ids of it: said again it is the same event. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.event import Event
from contracts.events.exception import (
    ExceptionControl,
    ExceptionExpired,
    ExceptionExpiring,
    ExceptionGranted,
    ExceptionRefused,
    ExceptionRenewed,
    ExceptionRequested,
    ExceptionRevoked,
    ExclusionEnded,
    ExclusionRecorded,
)
from services.compliance.exceptions.records import Exclusion, Granted, Request
from services.compliance.exceptions.rules_exceptions import Signed
from services.compliance.rules_cause import SOURCE

MOST_NAMES: Final = 50
TEXT_CHARACTERS: Final = 2048


class _Named(TypedDict):
    exception: str
    lane: str
    title: str
    requirement: str | None
    machines: int | None
    until: datetime


def _named(request: Request) -> _Named:
    return _Named(
        exception=str(request.id),
        lane=request.lane,
        title=request.title,
        requirement=None if request.requirement_id is None else str(request.requirement_id),
        machines=None if request.asset_ids is None else len(request.asset_ids),
        until=request.until,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A fact, whose it is, what it is about (`exception/` or `exclusion/` and an id), and since when it is true."""

    tenant_id: UUID
    about: str
    event: Event
    at: datetime


def keyed(told: Told) -> tuple[str, Envelope]:
    """Return the fact as it travels, with its key."""
    envelope = Envelope(
        id=ids.timer_fact_id(told.about, told.event.TYPE, told.at),
        source=SOURCE,
        subject=told.about,
        time=told.at,
        received=told.at,
        tenant=told.tenant_id,
        data=told.event,
    )
    return told.about, envelope


def about(exception_id: UUID) -> str:
    """Return the subject of what is told of an exception."""
    return f"exception/{exception_id}"


def requested(request: Request) -> Told:
    """Return that somebody asks for it."""
    event = ExceptionRequested(
        **_named(request),
        valid_from=request.valid_from,
        reason=request.reason[:TEXT_CHARACTERS],
        controls=_controls(request),
        names=request.machines[:MOST_NAMES],
        renews=None if request.renews is None else str(request.renews),
        renewal=request.renewal,
        requested_by=request.requested_by,
    )
    return _told(request, event, request.requested_at)


def refused(request: Request, why: str, at: datetime) -> Told:
    """Return that it is not granted, and why."""
    return _told(request, ExceptionRefused(**_named(request), why=why[:TEXT_CHARACTERS]), at)


def granted(request: Request, signed: Signed, holds: Granted, at: datetime) -> Told:
    """Return that it holds."""
    event = ExceptionGranted(
        **_named(request),
        valid_from=holds.valid_from,
        owner=signed.owner.name,
        signed_at=signed.decision.decided_at,
        ticket=signed.ticket,
        controls=_controls(request),
    )
    return _told(request, event, at)


def renewed(request: Request, by: Request, at: datetime) -> Told:
    """Return that another one goes on where it ends."""
    return _told(request, ExceptionRenewed(**_named(request), renewed_by=str(by.id), renewed_until=by.until), at)


def expiring(request: Request, at: datetime) -> Told:
    """Return that its end is near."""
    return _told(request, ExceptionExpiring(**_named(request)), at)


def expired(request: Request) -> Told:
    """Return that it ended."""
    return _told(request, ExceptionExpired(**_named(request)), request.until)


def revoked(request: Request, why: str, at: datetime) -> Told:
    """Return that it was taken back."""
    return _told(request, ExceptionRevoked(**_named(request), revoked_at=at, why=why[:TEXT_CHARACTERS]), at)


def excluded(exclusion: Exclusion) -> Told:
    """Return that updates are left out of the service level."""
    event = ExclusionRecorded(
        exclusion=str(exclusion.id),
        patches=exclusion.patches,
        reason=exclusion.reason[:TEXT_CHARACTERS],
        approver=exclusion.approver,
        valid_from=exclusion.valid_from,
        until=exclusion.until,
    )
    return _of_exclusion(exclusion, event, exclusion.recorded_at)


def exclusion_ended(exclusion: Exclusion, at: datetime, *, by_person: bool, why: str) -> Told:
    """Return that they count again."""
    event = ExclusionEnded(
        exclusion=str(exclusion.id),
        patches=exclusion.patches,
        ended_at=at,
        by_person=by_person,
        why=why[:TEXT_CHARACTERS],
    )
    return _of_exclusion(exclusion, event, at)


def _controls(request: Request) -> tuple[ExceptionControl, ...]:
    return tuple(ExceptionControl(kind=each.kind, text=each.text[:TEXT_CHARACTERS]) for each in request.controls)


def _told(request: Request, event: Event, at: datetime) -> Told:
    return Told(tenant_id=request.tenant_id, about=about(request.id), event=event, at=at)


def _of_exclusion(exclusion: Exclusion, event: Event, at: datetime) -> Told:
    return Told(tenant_id=exclusion.tenant_id, about=f"exclusion/{exclusion.id}", event=event, at=at)

"""What is told of the calendar, as events whose ids say what they are about. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.clock import (
    DeadlineMoved,
    TimezoneDataChanged,
    WindowEmptied,
    WindowMove,
    WindowMoved,
    ZoneDifference,
)
from contracts.events.event import Event
from contracts.events.obligation import DeviceLabel
from services.compliance.clocks.records import KeptRule, Moved, Tzdata
from services.compliance.rules_cause import SOURCE

MOST_MOVES: Final = 60
SUBJECT: Final = "tzdata"


def tzdata_changed(before: Tzdata, after: Tzdata, zones: Sequence[ZoneDifference]) -> Envelope:
    """Return that another version of the tz data is read now."""
    told = TimezoneDataChanged(before=before.version, after=after.version, zones=tuple(zones))
    return _envelope(told, subject=SUBJECT, tenant=ids.EVERYONE, at=after.read_at)


def window_moved(rule: KeptRule, moves: Sequence[WindowMove], was_tzdata: str, at: datetime) -> Envelope:
    """Return that windows are at other times since the tz data `rule.tzdata` is read; at least one is."""
    told = WindowMoved(
        window=rule.name,
        zone=rule.zone,
        tzdata_before=was_tzdata,
        tzdata_after=rule.tzdata,
        count=len(moves),
        moves=tuple(moves[:MOST_MOVES]),
    )
    return _envelope(told, subject=_subject(rule.tenant_id, rule.name), tenant=rule.tenant_id, at=at)


def window_emptied(told: WindowEmptied, tenant_id: UUID, at: datetime) -> Envelope:
    """Return that a window never comes, or no longer never."""
    return _envelope(told, subject=_subject(tenant_id, told.window), tenant=tenant_id, at=at)


def deadline_moved(moved: Moved) -> Envelope:
    """Return that an obligation is due at another moment."""
    told = DeadlineMoved(
        label=DeviceLabel(
            asset=str(moved.asset_id),
            source=moved.source or "unknown",
            device=moved.device or "unknown",
            hostname=moved.hostname,
            os_family=moved.os_family,
            tier=moved.tier,
        ),
        requirement=str(moved.requirement_id),
        product=moved.product,
        train=moved.train,
        was_due_at=moved.was_due_at,
        due_at=moved.due_at,
        why=moved.why,
    )
    about = str(moved.requirement_id)
    return _envelope(told, about, subject=str(moved.asset_id), tenant=moved.tenant_id, at=moved.noticed_at)


def _subject(tenant_id: UUID, window: str) -> str:
    return f"window/{tenant_id}/{window}"


def _envelope(told: Event, *about: str, subject: str, tenant: UUID, at: datetime) -> Envelope:
    """Return an event of which there is one of its kind, subject and moment."""
    return Envelope(
        id=ids.event_id_of_fields(SOURCE, told.TYPE, at, subject, *about),
        source=SOURCE,
        subject=subject,
        time=at,
        received=at,
        tenant=tenant,
        data=told,
    )

"""What a ticket system says of a ticket, and what is made of it once the ticket was read again. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.events.psa import TicketChange, TicketTold
from services.ticketing.records import Act, Cause, TicketState


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One word on one ticket. `by` is the tracker's name of who did it, where it was told."""

    event_id: UUID
    ticket: str
    tenant: UUID
    change: TicketChange
    occurred_at: datetime
    received_at: datetime
    by: str | None = None
    traceparent: str | None = None

    @property
    def cause(self) -> Cause:
        """Return what follows from it says it follows from."""
        return Cause(
            event_id=self.event_id,
            occurred_at=self.occurred_at,
            received_at=self.received_at,
            traceparent=self.traceparent,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """A ticket of ours, as far as a word on it is judged."""

    ticket: str
    tenant: UUID
    state: TicketState


def is_news(known: Known, told: TicketTold, own_names: Collection[str]) -> bool:
    """Return whether a word on a ticket is worth reading it again: not our own echo, nor what we know."""
    if told.by in own_names or told.key not in {None, known.ticket}:
        return False
    match told.change:
        case TicketChange.CREATED:
            return False
        case TicketChange.CLOSED:
            return known.state is TicketState.OPEN
        case TicketChange.REOPENED:
            return known.state is not TicketState.OPEN
        case _:
            return True


class Finding(StrEnum):
    """What a person did, as the ticket shows it. `LATER`: look again, what was told may not show yet."""

    NOTHING = "nothing"
    LATER = "later"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the tracker shows: whether the ticket is open there, and the act of our newest note on it, if any."""

    is_open: bool
    last_act: str | None


def finding(
    state: TicketState, shown: Shown, told: Collection[TicketChange], *, is_busy: bool, is_settled: bool
) -> Finding:
    """Return what a person did to a ticket that should be in `state`.

    `is_busy`: an act of ours is under way, or will close or open it. `is_settled`: what was told would show by now: a
    tracker may tell before it commits. A ticket that shows our closing as the last word, though it should be open, was
    closed by us: the database is an older one.
    """
    should_be_open = state is TicketState.OPEN
    if shown.is_open == should_be_open:
        contrary = TicketChange.CLOSED if should_be_open else TicketChange.REOPENED
        return Finding.LATER if contrary in told and not is_settled else Finding.NOTHING
    if is_busy:
        return Finding.LATER
    is_our_closing_last = shown.last_act == Act.RESOLVE
    match state:
        case TicketState.OPEN:
            return Finding.NOTHING if is_our_closing_last else Finding.CLOSED
        case TicketState.RESOLVED:
            return Finding.REOPENED if is_our_closing_last else Finding.NOTHING
        case TicketState.CLOSED:
            return Finding.REOPENED


def act_of(marker: str | None) -> str | None:
    """Return the act in the marker of a note of ours (see `Intent.marker`); `None`: it names none."""
    parts = [] if marker is None else marker.split("/")
    return parts[2] if len(parts) > 2 else None


def is_busy(acts: Collection[tuple[str, str]]) -> bool:
    """Return whether any of these unfinished acts, given with their states, is under way or will open or close."""
    return any(state in {"leased", "uncertain"} or (state == "pending" and act != Act.APPEND) for act, state in acts)

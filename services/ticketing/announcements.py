"""What becomes of tickets, as events: published only after the tracker was read back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypedDict, assert_never
from uuid import UUID

from chassis import outbox
from chassis.postgres import Connection
from contracts import ids, topics
from contracts.envelope import Envelope
from contracts.events.ticket import (
    TicketAppended,
    TicketEvent,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketParked,
    TicketReopened,
    TicketResolved,
)
from services.ticketing.records import Act, Cause, Intent, Plan, Ticket

SOURCE: Final = "patchline/ticketing"
TEXT_CHARACTERS: Final = 2048


class Named(TypedDict):
    """What every event says of its ticket."""

    ticket: str
    kind: str
    subject: str
    generation: int
    external: str | None


def done(ticket: Ticket, plan: Plan, intent: Intent) -> TicketEvent | None:
    """Return what to say of an act that was read back; `None` for a mere look."""
    match intent.act:
        case Act.OPEN:
            return TicketOpened(**named(ticket), title=plan.title, devices=plan.devices)
        case Act.APPEND if not plan.text:
            return None
        case Act.APPEND:
            return TicketAppended(**named(ticket), devices=plan.devices, failures=plan.failures)
        case Act.RESOLVE:
            return TicketResolved(**named(ticket))
        case Act.REOPEN:
            return TicketReopened(**named(ticket), why=intent.why[:TEXT_CHARACTERS])
        case _:
            assert_never(intent.act)


def parked(ticket: Ticket, reason: str) -> TicketParked:
    """Return what to say of an act that the tracker refused."""
    return TicketParked(**named(ticket), reason=reason[:TEXT_CHARACTERS])


def closed_by_person(ticket: Ticket) -> TicketResolved:
    """Return what to say of a ticket that was found closed, or gone, although we did not close it."""
    return TicketResolved(**named(ticket), by_person=True)


def reopened_by_person(ticket: Ticket) -> TicketReopened:
    """Return what to say of a ticket that a person opened again."""
    return TicketReopened(**named(ticket), why="a person opened it", by_person=True)


def noted(ticket: Ticket, by: str | None) -> TicketNoted:
    """Return what to say of a ticket that a person wrote on."""
    return TicketNoted(**named(ticket), by=by)


def merged(ticket: Ticket, *, kept: str, others: Sequence[str]) -> TicketMerged:
    """Return what to say of tickets that were closed in favour of `kept`."""
    return TicketMerged(**named(replace(ticket, external=kept)), merged=tuple(others))


def named(ticket: Ticket) -> Named:
    """Return what every event says of its ticket."""
    return Named(
        ticket=ticket.key,
        kind=ticket.matter.kind,
        subject=ticket.matter.subject,
        generation=ticket.generation,
        external=ticket.external,
    )


async def publish(tx: Connection, event: TicketEvent, intent: Intent) -> None:
    """Publish with the caller's transaction what became of `intent`. A ticket can be parked more than once."""
    about = f"{intent.marker}/{intent.attempts}" if isinstance(event, TicketParked) else intent.ticket
    await _publish(tx, event, about, tenant=intent.tenant, cause=replace(intent.cause, lane=intent.lane))


async def publish_told(tx: Connection, event: TicketEvent, ticket: Ticket, cause: Cause) -> None:
    """Publish with the caller's transaction what a person did to a ticket; `cause` is what told us to look."""
    await _publish(tx, event, ticket.key, tenant=ticket.matter.tenant, cause=cause)


async def publish_merged(tx: Connection, event: TicketMerged, ticket: Ticket, cause: Cause) -> None:
    """Publish with the caller's transaction that tickets were merged; `cause` is what opened the ticket."""
    about = "/".join((ticket.key, *event.merged))
    await _publish(tx, event, about, tenant=ticket.matter.tenant, cause=cause)


async def _publish(tx: Connection, event: TicketEvent, about: str, *, tenant: UUID, cause: Cause) -> None:
    envelope = Envelope(
        id=ids.fact_id(cause.event_id, event.TYPE, about),
        source=SOURCE,
        subject=event.ticket,
        time=cause.occurred_at,
        received=cause.received_at,
        tenant=tenant,
        causation=cause.event_id,
        correlation=cause.correlation,
        traceparent=cause.traceparent,
        lane=cause.lane,
        data=event,
    )
    await outbox.enqueue_sequenced(tx, topics.TICKETS, [(event.ticket, envelope)])

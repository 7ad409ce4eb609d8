"""What became of a ticket. Producer: ticketing; consumers: credentials, compliance, analysts. Topic: `tickets`."""

from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Name, Text


class TicketEvent(Event):
    """`ticket` is the key that the tracker knows too; `external` is the tracker's own number, once there is one."""

    ticket: Name
    kind: Name
    subject: Name
    generation: int = Field(ge=1)
    external: Name | None = None


class TicketOpened(TicketEvent):
    """A ticket exists in the tracker and was read back."""

    TYPE: ClassVar[str] = "ticket.opened.v1"
    title: Text
    devices: int = Field(ge=0)


class TicketAppended(TicketEvent):
    """A note was added to an open ticket: another device, or the count of repeats."""

    TYPE: ClassVar[str] = "ticket.appended.v1"
    devices: int = Field(ge=0)
    failures: int = Field(ge=0)


class TicketResolved(TicketEvent):
    """No listed device is failing any more, or a person closed it (`by_person`)."""

    TYPE: ClassVar[str] = "ticket.resolved.v1"
    by_person: bool = False


class TicketReopened(TicketEvent):
    """The same ticket is open again: a verification was undone, or a person opened it (`by_person`, else absent)."""

    TYPE: ClassVar[str] = "ticket.reopened.v1"
    why: Text
    by_person: bool | None = None


class TicketMerged(TicketEvent):
    """Other tickets of the same key were closed in favour of `external`; `merged` are the tracker's numbers of them."""

    TYPE: ClassVar[str] = "ticket.merged.v1"
    merged: tuple[Name, ...]


class TicketParked(TicketEvent):
    """The tracker refused: a person must look. `patchline ticket retry` tries again."""

    TYPE: ClassVar[str] = "ticket.parked.v1"
    reason: Text


class TicketNoted(TicketEvent):
    """A person wrote on the ticket; what they wrote is in the tracker alone. `by` is the tracker's name of them."""

    TYPE: ClassVar[str] = "ticket.noted.v1"
    by: Name | None = None

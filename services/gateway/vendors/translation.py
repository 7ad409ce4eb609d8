"""What a body says in our words: events, what we have no event for, and what cannot be understood."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.events.exposure import ApprovalGiven, ExposureFound
from contracts.events.psa import TicketTold
from contracts.events.rmm import RmmEvent
from contracts.ids import EventId
from contracts.raw import RawDelivery


@dataclass(frozen=True, slots=True)
class Said:
    """One event as the vendor told it. `correlation` ties it to others of the same trouble, where the vendor does."""

    id: EventId
    time: datetime
    event: RmmEvent
    correlation: str | None = None


@dataclass(frozen=True, slots=True)
class SaidOfTicket:
    """One event about a ticket, as the PSA told it."""

    id: EventId
    time: datetime
    event: TicketTold


@dataclass(frozen=True, slots=True)
class SaidOfExposure:
    """One event about an exposed credential, as a feed told it, or a person who followed a link."""

    id: EventId
    time: datetime
    event: ExposureFound | ApprovalGiven


@dataclass(frozen=True, slots=True)
class Hinted:
    """A vendor says that something of a client's tenant, which is its `organisation`, changed: to be read again."""

    id: EventId
    organisation: str
    resource: str
    change: str


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Something of which we make no event: its code verbatim, and whether we know it and let it be."""

    id: EventId
    code: str
    is_known: bool


Content = Said | SaidOfTicket | SaidOfExposure | Hinted | Unsaid
"""What a delivery can say."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Everything in one delivery. A delivery with `problems` is dead-lettered; what it says besides is kept.

    Problems that are not the sender's fault do not count against its source.
    """

    said: Sequence[Said] = ()
    unsaid: Sequence[Unsaid] = ()
    problems: Sequence[str] = ()
    is_senders_fault: bool = True
    tickets: Sequence[SaidOfTicket] = ()
    exposures: Sequence[SaidOfExposure] = ()
    hints: Sequence[Hinted] = ()


Translate = Callable[[RawDelivery], Translation]
"""One vendor's adapter: never raises, whatever the bytes are."""

"""What belongs to a rebuilt state, whose an event is, and when two states are equal. Pure."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events.rmm import RmmEvent
from services.gateway.translation import rules_translate
from services.gateway.translation.rules_translate import Ownership, Seat


@dataclass(frozen=True, slots=True)
class Claim:
    """What the gateway remembers of an id: which delivery claimed it, when, and whether an event was made of it."""

    raw_id: UUID
    is_event: bool
    recorded_at: datetime


class Standing(StrEnum):
    """How something that a delivery says today stands to the state that the service has."""

    STANDS = "stands"
    TOLD_BY_ANOTHER = "told by another delivery"
    NOT_PUBLISHED = "not published"
    WAITS = "waits for a client"
    UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class Moment:
    """What was on its way at one moment: parked for a client, or published and not consumed by the service yet.

    `claimed_before`: what was claimed later is looked at again; `None`: the memory itself is of this moment.
    """

    parked: AbstractSet[UUID]
    under_way: AbstractSet[UUID]
    claimed_before: datetime | None = None


def standing(event: Envelope, claim: Claim | None, at: Moment) -> Standing:
    """Return how an event that a delivery, its cause, says today stands to what the service had heard at a moment.

    Only what was published may enter a rebuilt state. What an adapter says today and never said before must reach
    every subscriber, through a replay: slipped into one service's tables it would never become a ticket.
    """
    if claim is None or not claim.is_event:
        return Standing.NOT_PUBLISHED
    if claim.raw_id != event.causation:
        return Standing.TOLD_BY_ANOTHER
    if event.id in at.parked:
        return Standing.WAITS
    is_late = at.claimed_before is not None and claim.recorded_at >= at.claimed_before
    return Standing.UNDER_WAY if event.id in at.under_way or is_late else Standing.STANDS


def seat_of(event: Envelope, seats: Mapping[tuple[str, str], Seat]) -> Seat | None:
    """Return the organisation and site that an event of an RMM names, else the last known ones of its device."""
    told = event.data
    if isinstance(told, RmmEvent) and told.organisation is not None:
        return Seat(told.organisation, told.site)
    return seats.get((event.source, event.subject))


def names_organisation(event: Envelope) -> bool:
    """Return whether an event itself says where its device belongs."""
    return isinstance(event.data, RmmEvent) and event.data.organisation is not None


def tenant_of(
    event: Envelope, seat: Seat | None, ownerships: Iterable[Ownership], recorded: UUID | None
) -> UUID | None:
    """Return whose an event is: by the mapping of the organisation that it names; else whose it was when it was told.

    Where nothing is recorded, its device's last known seat decides; `None`: nobody's.
    """
    if seat is None or (recorded is not None and not names_organisation(event)):
        return recorded
    owner = rules_translate.tenant_of(ownerships, seat.site, event.order.effective_at)
    return owner if isinstance(owner, UUID) else recorded


class What(StrEnum):
    """In which way a row differs."""

    DIFFERS = "differs"
    ONLY_LIVE = "only live"
    ONLY_REBUILT = "only rebuilt"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that the live and the rebuilt state do not agree on; `columns` are those that differ."""

    table: str
    key: Mapping[str, object]
    what: What
    columns: tuple[str, ...] = ()

    def row(self) -> dict[str, object]:
        """Return what a report shows; never a value, which may be a customer's."""
        return {"table": self.table, "key": dict(self.key), "what": str(self.what), "columns": list(self.columns)}


@dataclass(frozen=True, slots=True)
class Compared:
    """One table: how many rows each side has, and how many differ."""

    table: str
    live: int
    rebuilt: int
    differences: int


@dataclass(slots=True)
class Counts:
    """What a rebuild read, and what became of it."""

    raw_records: int = 0
    undecodable: int = 0
    unreadable: int = 0
    events: int = 0
    told_by_another: int = 0
    not_published: int = 0
    waiting: int = 0
    under_way: int = 0
    refused_events: int = 0
    recovered: int = 0
    carried: int = 0

    def add(self, found: Iterable[Standing]) -> None:
        """Count events that do not belong to the rebuilt state (yet)."""
        for each in found:
            match each:
                case Standing.TOLD_BY_ANOTHER:
                    self.told_by_another += 1
                case Standing.NOT_PUBLISHED:
                    self.not_published += 1
                case Standing.WAITS:
                    self.waiting += 1
                case Standing.UNDER_WAY:
                    self.under_way += 1
                case Standing.STANDS:
                    self.events += 1


@dataclass(slots=True, kw_only=True)
class Report:
    """What a rebuild found and did. `listed` are at most so many differences as a person reads; `compared` has all."""

    service: str
    counts: Counts = field(default_factory=Counts)
    compared: list[Compared] = field(default_factory=list)
    listed: list[Difference] = field(default_factory=list)
    unreadable_sources: list[str] = field(default_factory=list)
    build_seconds: float = 0.0
    locked_seconds: float = 0.0
    clock: datetime | None = None
    is_swapped: bool = False

    @property
    def differences(self) -> int:
        """Return how many rows differ."""
        return sum(each.differences for each in self.compared)

    @property
    def is_equal(self) -> bool:
        """Return whether live and rebuilt state are the same, row by row."""
        return self.differences == 0

    def may_swap(self, *, compare_only: bool, accept_differences: bool) -> bool:
        """Return whether the rebuilt tables may take the live ones' place."""
        return not compare_only and (self.is_equal or accept_differences)

    def is_success(self, *, accept_differences: bool) -> bool:
        """Return whether the command did what it was asked for: an accepted difference is no failure."""
        return self.is_equal or (accept_differences and self.is_swapped)

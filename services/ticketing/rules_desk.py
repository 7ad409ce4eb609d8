"""What is kept about tickets while a batch is decided, and the few ways to change it. Pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from contracts import ids
from contracts.topics import Lane
from services.ticketing.records import (
    About,
    Act,
    Cause,
    Listing,
    Matter,
    MatterKey,
    Ticket,
    TicketState,
    Waiting,
)
from services.ticketing.standing import Standing

BULK_PATIENCE: Final = timedelta(seconds=30)
"""A resync that lists a thousand devices is a few long notes then, not a thousand short ones."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """All that a batch touches, by its keys; a listing's is ticket and asset.

    `waiting` has, of each ticket, the intents whose words are not fixed yet, oldest first.
    """

    matters: dict[MatterKey, Matter] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    listings: dict[tuple[str, str], Listing] = field(default_factory=dict)
    standings: dict[tuple[MatterKey, str], Standing] = field(default_factory=dict)
    waiting: dict[str, tuple[Waiting, ...]] = field(default_factory=dict)

    def copy(self) -> "Desk":
        """Return a desk of its own with the same records."""
        return Desk(
            matters=dict(self.matters),
            tickets=dict(self.tickets),
            listings=dict(self.listings),
            standings=dict(self.standings),
            waiting=dict(self.waiting),
        )

    def newest_ticket(self, matter: MatterKey) -> Ticket | None:
        """Return the newest ticket of `matter`."""
        kept = self.matters.get(matter)
        return None if kept is None or kept.ticket is None else self.tickets[kept.ticket]

    def listings_of(self, ticket: str) -> list[tuple[str, Listing]]:
        """Return the devices on `ticket` with their assets, in one order."""
        return sorted((asset, listing) for (key, asset), listing in self.listings.items() if key == ticket)


@dataclass(slots=True)
class Clerk:
    """Changes a desk that is its own, at one moment."""

    desk: Desk
    now: datetime

    def open_next(self, matter: MatterKey, about: About, cause: Cause, *, why: str = "") -> Ticket:
        """Open the next generation of tickets for `matter` and return it, with nobody on it yet."""
        kept = self.desk.matters.get(matter, Matter(about=about))
        generation = kept.generation + 1
        ticket = Ticket(
            key=ids.ticket_key(matter.tenant, matter.kind, matter.subject, generation),
            matter=matter,
            generation=generation,
            state=TicketState.OPEN,
            failing=0,
            last_number=0,
            created_at=self.now,
        )
        self.desk.matters[matter] = replace(kept, about=about, generation=generation, ticket=ticket.key)
        self.desk.tickets[ticket.key] = ticket
        self._add(ticket.key, Act.OPEN, cause, why=why)
        return ticket

    def adopt(self, matter: MatterKey, about: About, key: str) -> None:
        """Make a ticket that is there the newest one of `matter`."""
        self.desk.matters[matter] = replace(self.desk.matters.get(matter, Matter(about=about)), about=about, ticket=key)
        self.desk.tickets[key] = replace(self.desk.tickets[key], adopted_by=matter.subject)

    def follow(self, matter: MatterKey, key: str) -> None:
        """Make a ticket the newest one of `matter` too."""
        self.desk.matters[matter] = replace(self.desk.matters[matter], ticket=key)

    def put_on(self, key: str, asset: str, listing: Listing) -> None:
        """List a device as failing, not told yet."""
        before = self.desk.listings.get((key, asset))
        if before is None or before.cleared_as is not None:
            self._count_failing(key, 1)
        fresh = replace(listing, noted_failures=None, cleared_as=None, noted_cleared=False, listed_at=self.now)
        self.desk.listings[key, asset] = fresh

    def take_off(self, key: str, asset: str, *, cleared_as: str, release: str | None) -> None:
        """Note that a listed device is not failing any more, as of `release`."""
        listing = self.desk.listings[key, asset]
        if listing.cleared_as is None:
            self._count_failing(key, -1)
        self.desk.listings[key, asset] = replace(listing, cleared_as=cleared_as, release=release)

    def hand_over(self, key: str, asset: str, other: str, *, cleared_as: str) -> None:
        """Let `other` be listed in the place of `asset`; the ticket has told of it already."""
        listing = self.desk.listings[key, asset]
        self.take_off(key, asset, cleared_as=cleared_as, release=listing.release)
        there = self.desk.listings.get((key, other))
        if there is None or there.cleared_as is not None:
            self._count_failing(key, 1)
            self.desk.listings[key, other] = replace(listing, listed_at=self.now)

    def tell(self, key: str, cause: Cause, *, why: str = "", not_before: datetime | None = None) -> None:
        """Have the tracker looked at, and told what is new, not before a moment (`None`: now, or soon for bulk)."""
        due_at = not_before or (self.now if cause.lane is Lane.LIVE else self.now + BULK_PATIENCE)
        waiting = self.desk.waiting.get(key, ())
        if not waiting or waiting[-1].act is Act.RESOLVE:
            self._add(key, Act.APPEND, cause, why=why, due_at=due_at)
            return
        last = waiting[-1]
        told = "\n".join(part for part in (last.why, why) if part)
        lane = last.lane if cause.lane is Lane.BULK else Lane.LIVE
        self.desk.waiting[key] = (*waiting[:-1], replace(last, due_at=min(last.due_at, due_at), why=told, lane=lane))

    def resolve(self, key: str, cause: Cause, *, why: str = "") -> None:
        """Have the ticket resolved."""
        self._set_state(key, TicketState.RESOLVED)
        if not self._drop_last(key, Act.REOPEN):
            self._add(key, Act.RESOLVE, cause, why=why)

    def reopen(self, key: str, cause: Cause, *, why: str) -> None:
        """Have the ticket open again."""
        self._set_state(key, TicketState.OPEN)
        if self._drop_last(key, Act.RESOLVE):
            self.tell(key, cause, why=why)
        else:
            self._add(key, Act.REOPEN, cause, why=why)

    def close(self, key: str) -> None:
        """Note that a person closed the ticket: nothing that waits for it makes sense any more."""
        self._set_state(key, TicketState.CLOSED)
        self.desk.waiting[key] = ()

    def open_again(self, key: str) -> None:
        """Note that a person opened the ticket: what happens from now on goes into it."""
        self._set_state(key, TicketState.OPEN)

    def _add(self, key: str, act: Act, cause: Cause, *, why: str = "", due_at: datetime | None = None) -> None:
        ticket = self.desk.tickets[key]
        number = ticket.last_number + 1
        intent = Waiting(number=number, act=act, due_at=due_at or self.now, why=why, cause=cause, lane=cause.lane)
        self.desk.tickets[key] = replace(ticket, last_number=number)
        self.desk.waiting[key] = (*self.desk.waiting.get(key, ()), intent)

    def _drop_last(self, key: str, act: Act) -> bool:
        """Forget the last intent if it is an `act` that nobody has begun, and return whether it was."""
        waiting = self.desk.waiting.get(key, ())
        if not waiting or waiting[-1].act is not act:
            return False
        self.desk.waiting[key] = waiting[:-1]
        return True

    def _set_state(self, key: str, state: TicketState) -> None:
        self.desk.tickets[key] = replace(self.desk.tickets[key], state=state)

    def _count_failing(self, key: str, change: int) -> None:
        ticket = self.desk.tickets[key]
        self.desk.tickets[key] = replace(ticket, failing=ticket.failing + change)

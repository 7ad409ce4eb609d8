"""What a tracker must be able to do, and the ways in which it can say no."""

from datetime import datetime
from typing import Protocol

from chassis.errors import MayWorkLater, NeverWorks
from services.ticketing.records import Draft, Note, TicketRef


class ReservationUsed(MayWorkLater):
    """The one-time link was used or has expired: look whether it made the ticket."""


class ChangedMeanwhile(MayWorkLater):
    """A person changed the ticket between our look and our act. Nothing was written: look again."""


class NothingSent(NeverWorks):
    """The ticket system has no place for what is to be written. Nothing was: a person must make one, then try again."""


class NotAsWritten(NeverWorks):
    """The tracker accepted a write and shows something else: a person must look, and a second try would do harm."""


class Tracker(Protocol):
    """A ticket system. Every write is read back before it counts as done.

    All raise `chassis.http.Refused` for what will never work and `chassis.http.Unavailable` for what may work later;
    `ambiguous` tells that a write may have happened all the same.
    """

    async def find(self, key: str) -> list[TicketRef]:
        """Return the tickets that carry our `key`, oldest first."""
        ...

    async def reserve(self) -> str | None:
        """Return a token that creates one ticket and no second one; `None` where the tracker has no such thing."""
        ...

    async def say_first(self, note: Note) -> str | None:
        """Return a token of a new ticket's first words, kept where no ticket shows them yet; for `Draft.said`.

        `None` where the tracker has no such thing: `create` says them. Words that no ticket comes to show are nothing
        that anyone sees, so this may be done before it is known that the ticket is wanted.
        """
        ...

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        """Create a ticket and return it as read back.

        Raises:
            ReservationUsed: `reservation` was used before, or is too old.
            NothingSent: there is no place for it, such as a company for the client.
            NotAsWritten: the tracker dropped our key, or the client.
        """
        ...

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        """Return whether the ticket carries the note with this marker."""
        ...

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        """Return the marker of the newest note of ours on the ticket with our `key`; `None` where there is none."""
        ...

    async def words(self, ref: TicketRef, key: str) -> str:
        """Return all that we have said on the ticket with our `key`, its first words included."""
        ...

    async def append(self, ref: TicketRef, note: Note) -> None:
        """Add a note and leave the status alone.

        Raises:
            ChangedMeanwhile: a person opened or closed the ticket since `ref` was found.
        """
        ...

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        """Close the ticket with a note.

        Raises:
            ChangedMeanwhile: a person opened or closed the ticket since `ref` was found.
        """
        ...

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        """Open the ticket again with a note.

        Raises:
            ChangedMeanwhile: a person opened or closed the ticket since `ref` was found.
        """
        ...

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        """Return the tracker's numbers of a page of tickets with a key like ours; none beyond the last page.

        The open ones, or with a moment all that changed since then. Pages count from 1; while tickets are closed
        one may be passed over: the next round sees it.
        """
        ...

    async def key_of(self, number: str) -> str | None:
        """Return the key of the ticket with the tracker's own `number`; `None`: no ticket, or no key."""
        ...

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        """Show on `kept` what people wrote on `other`, and a note, each once: nothing that is there is added again.

        Raises:
            ChangedMeanwhile: someone changed `kept` at the same moment.
        """
        ...

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        """Close `other` in favour of `kept`, with a note, once; never deletes it.

        Raises:
            ChangedMeanwhile: a person wrote on `other` what `kept` does not show, or changed it at the same moment.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...

"""What is done to a ticket that is there: a note that is said once, and a status that is seen to land."""

from collections.abc import Mapping
from typing import Final

from chassis.http import Refused
from services.ticketing.adapters import rules_connectwise as rules
from services.ticketing.adapters.connectwise_places import Places, Words
from services.ticketing.adapters.connectwise_wire import Ticket, Wire, Written
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Note, TicketRef

TRIES: Final = 2
"""A status that did not land is set once more: workflow rules are known to swallow one. Source: reference, E."""


class Acts:
    """Writes to tickets, and looks at what became of it."""

    def __init__(self, wire: Wire, places: Places, words: Words) -> None:
        """Share the connection and what is known of the boards."""
        self.wire = wire
        self._places = places
        self._words = words

    async def as_found(self, ref: TicketRef) -> Ticket:
        """Return the ticket, if it is as it was found.

        Raises:
            ChangedMeanwhile: a person opened, closed or deleted it since.
        """
        try:
            ticket = await self.wire.ticket(ref.id)
        except Refused as error:
            if error.status == 404:
                raise ChangedMeanwhile(f"ticket {ref.id} is gone") from error
            raise
        if ticket.closed_flag == ref.is_open:
            raise ChangedMeanwhile(f"ticket {ref.id} was {'open' if ref.is_open else 'closed'} when we looked")
        return ticket

    async def say(self, number: str, note: Note, *, flags: Mapping[str, bool] | None = None) -> None:
        """Add a note; `flags` are who sees it, as the settings have it where none are given."""
        kinds = flags or {
            "internalAnalysisFlag": self._words.notes == "internal",
            "detailDescriptionFlag": self._words.notes == "discussion",
        }
        text = rules.marked(note.text, note.marker)
        fields = {"text": text, "processNotifications": self._words.is_announced, **kinds}
        await self.wire.say(number, note.marker, fields)

    async def say_once(self, number: str, note: Note) -> None:
        """Add a note, unless it is there."""
        if await self.said(number, note.marker) is None:
            await self.say(number, note)

    async def said(self, number: str, marker: str) -> Written | None:
        """Return our note with this marker on a ticket; `None`: it is not there."""
        return next((each for each in await self.wire.notes(number) if self.wire.marker_of(each) == marker), None)

    async def move(self, ticket: Ticket, *, is_open: bool) -> None:
        """Set a status that opens or closes a ticket, unless it is so.

        Raises:
            ChangedMeanwhile: a person set another status at the same moment.
            NotAsWritten: the status does not land.
        """
        for _ in range(TRIES):
            if ticket.closed_flag != is_open:
                return
            status = await self._places.status(ticket.board.id, is_open=is_open)
            try:
                await self.wire.patch(ticket.id, "status", {"id": status})
            except Refused:
                self._places.forget()  # the board's statuses may be others by now
                raise
            before, ticket = ticket, await self.wire.read_back(ticket.id)
            if ticket.closed_flag == is_open and self._is_moved_by_a_person(before, ticket):
                raise ChangedMeanwhile(f"a person set the status of ticket {ticket.id} while we did")
        if ticket.closed_flag == is_open:
            raise NotAsWritten(
                f"ticket {ticket.id} is {'closed' if is_open else 'open'} after it was set otherwise, {TRIES} times; "
                "look at the workflow rules of its board"
            )

    def _is_moved_by_a_person(self, before: Ticket, after: Ticket) -> bool:
        member = self.wire.login.member
        return after.status.id != before.status.id and not rules.is_by(after.stamp.updated_by, member)

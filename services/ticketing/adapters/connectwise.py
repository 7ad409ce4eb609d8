"""ConnectWise PSA (Manage), over its REST API. Our key is a ticket's `externalXRef`.

A note and a status are two writes, and nothing here is conditional on what was read. So the note comes first and says
what is meant, and an act counts as done once its note is there and its status has followed (ADR 0029).
"""

from datetime import datetime
from typing import Final

import httpx
from pydantic import TypeAdapter

from chassis.http import Outbound, Policy, Refused
from services.ticketing.adapters import connectwise_merge
from services.ticketing.adapters import rules_connectwise as rules
from services.ticketing.adapters.connectwise_acts import Acts
from services.ticketing.adapters.connectwise_places import Places, Words
from services.ticketing.adapters.connectwise_wire import Found, Login, Reference, Wire, read
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Draft, Note, TicketRef

__all__ = ["ConnectWise", "Login", "Words", "connect"]

VERSION: Final = "2025.16"
MOST_OF_A_KEY: Final = 100
PAGE_TICKETS: Final = 500
KEY_BEGINS: Final = "pl-"
"""Every ticket key begins so. Source: `contracts.ids.ticket_key`."""

_FOUND: Final = TypeAdapter(list[Found])
_MADE: Final = TypeAdapter(Reference)


def connect(
    url: str,
    *,
    login: Login,
    policy: Policy,
    words: Words,
    version: str = VERSION,
    transport: httpx.AsyncBaseTransport | None = None,
) -> "ConnectWise":
    """Return the tracker whose page is at `url`; `version` is the API's, to which answers are pinned.

    Raises:
        WrongSetting: `url` is not an https address, nor one of this machine.
    """
    headers = {"clientId": login.client_id, "Accept": f"application/vnd.connectwise.com+json; version={version}"}
    auth = httpx.BasicAuth(f"{login.company}+{login.public_key}", login.private_key.get_secret_value())
    outbound = Outbound(rules.site_of(url), policy, headers=headers, auth=auth, transport=transport)
    return ConnectWise(Wire(outbound, login), words)


class ConnectWise:
    """One company's ConnectWise PSA as a `Tracker`."""

    def __init__(self, wire: Wire, words: Words) -> None:
        """Act as the member of `wire`."""
        self._wire = wire
        self._words = words
        self._places = Places(wire, words)
        self._acts = Acts(wire, self._places, words)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def find(self, key: str) -> list[TicketRef]:
        """Return the tickets that carry our `key`, oldest first."""
        value = rules.quoted(key)
        if value is None:
            return []
        found = await self._list(f"externalXRef={value}", page=1, size=MOST_OF_A_KEY)
        mine = (each for each in found if each.external_x_ref == key)  # the search does not look at case, we do
        return [
            TicketRef(id=str(each.id), is_open=not each.closed_flag) for each in sorted(mine, key=lambda one: one.id)
        ]

    async def reserve(self) -> str | None:
        """Return `None`: ConnectWise knows no token that creates one ticket only."""
        return None

    async def say_first(self, note: Note) -> str | None:  # noqa: ARG002 - as the protocol has it
        """Return `None`: ConnectWise has no note without a ticket."""
        return None

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:  # noqa: ARG002 - there is none here
        """Create a ticket with its first note and return it as read back.

        Raises:
            UnknownCompany: ConnectWise has no company for the client.
            NotAsWritten: the ticket does not show our key, the client, or that it is open.
        """
        company, board = await self._places.company(draft), await self._places.board()
        initial = "initialInternalAnalysis" if self._words.notes == "internal" else "initialDescription"
        fields: dict[str, object] = {
            "summary": rules.summary_of(draft.title, draft.key),
            "company": {"id": company},
            "board": {"id": board},
            "externalXRef": draft.key,
            initial: rules.marked(draft.text, draft.marker),
            "processNotifications": self._words.is_announced,
        }
        if (status := await self._places.new_status(board)) is not None:
            fields["status"] = {"id": status}
        if (priority := await self._places.priority(draft.severity)) is not None:
            fields["priority"] = {"id": priority}
        if self._words.skips_callbacks:
            fields["skipCallback"] = True
        try:
            made = read(_MADE, await self._wire.call("POST", "service/tickets", json=fields))
        except Refused:
            self._places.forget()  # a company or a board may have gone: the next one asks again
            raise
        after = await self._wire.read_back(made.id)
        if after.external_x_ref != draft.key or after.company is None or after.company.id != company:
            raise NotAsWritten(f"ticket {made.id} was created without its key, or for another company")
        if after.closed_flag:
            raise NotAsWritten(f"ticket {made.id} is closed although it was only just created")
        return TicketRef(id=str(made.id), is_open=True)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        """Return whether the ticket carries the note with this marker, and what the note announces has been done.

        A note that came when a person had closed the ticket was said to nobody, and a closing by a person is not ours.
        """
        if not rules.has_taken_effect(marker, is_open=ref.is_open):
            return False
        note = await self._acts.said(ref.id, marker)
        if note is None or ref.is_open:
            return note is not None
        ticket = await self._wire.ticket(ref.id)
        if rules.is_by(ticket.closed_by, self._wire.login.member):
            return True
        return not rules.is_closing(marker) and not rules.is_late(note.date_created, ticket.closed_date)

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        """Return the marker of our newest note of an act; a closing that a person did in the end is none of ours."""
        markers = [self._wire.marker_of(each) for each in await self._wire.notes(ref.id)]
        acts = [each for each in markers if each is not None and rules.is_of_an_act(each, key)]
        if acts and rules.is_closing(acts[-1]):
            ticket = await self._wire.ticket(ref.id)
            if ticket.closed_flag and not rules.is_by(ticket.closed_by, self._wire.login.member):
                acts = [each for each in acts if not rules.is_closing(each)]
        return acts[-1] if acts else None

    async def words(self, ref: TicketRef, key: str) -> str:
        """Return our notes on the ticket."""
        notes = [(each, self._wire.marker_of(each)) for each in await self._wire.notes(ref.id)]
        ours = [each for each, marker in notes if marker is not None and rules.is_of_an_act(marker, key)]
        return "\n\n".join(each.text or "" for each in ours)

    async def append(self, ref: TicketRef, note: Note) -> None:
        """Add a note and leave the status alone."""
        await self._acts.as_found(ref)
        await self._acts.say(ref.id, note)
        if (await self._wire.read_back(ref.id)).closed_flag:
            raise ChangedMeanwhile(f"a person closed ticket {ref.id} while a note was added to it")

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        """Add a note, and set a status that closes the ticket."""
        await self._change(ref, note, is_open=False)

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        """Add a note, and set a status that opens the ticket."""
        await self._change(ref, note, is_open=True)

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        """Return the numbers of a page of tickets with a key like ours: open ones, or changed since."""
        which = "closedFlag=false" if changed_since is None else f"lastUpdated>{rules.since(changed_since)}"
        found = await self._list(f'externalXRef contains "{KEY_BEGINS}" and {which}', page=page, size=PAGE_TICKETS)
        return [str(each.id) for each in found]

    async def key_of(self, number: str) -> str | None:
        """Return the key of a ticket; `None`: no ticket, or no key."""
        if not number.isdecimal():
            return None
        try:
            return (await self._wire.ticket(number)).external_x_ref
        except Refused as error:
            if error.status in {403, 404, 410}:
                return None
            raise

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        """Copy to `kept` the notes that people wrote on `other`, and add a note."""
        await connectwise_merge.take_over(self._acts, kept, other, key=key, note=note)

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        """Close `other`, and say in a note which ticket is kept."""
        await connectwise_merge.give_way(self._acts, other, kept, key=key, note=note)

    async def _change(self, ref: TicketRef, note: Note, *, is_open: bool) -> None:
        """Say what is meant, once, and then do it; a second try says nothing again."""
        ticket = await self._acts.as_found(ref)
        await self._acts.say_once(ref.id, note)
        await self._acts.move(ticket, is_open=is_open)

    async def _list(self, conditions: str, *, page: int, size: int) -> list[Found]:
        params: dict[str, str | int] = {
            "conditions": conditions,
            "fields": "id,externalXRef,closedFlag",
            "orderBy": "id asc",
            "pageSize": size,
            "page": page,
        }
        return read(_FOUND, await self._wire.call("GET", "service/tickets", params=params))

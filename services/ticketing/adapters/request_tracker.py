"""Request Tracker 5, over REST 2.0. Needs a queue with two custom fields: our key and the client.

RT has no protection against creating twice, so `reserve` gives none: intents, the settle time and the reconciler are
what keeps one ticket per key. Source: RT 5.0, `lib/RT/REST2` and its documentation; quirks found by running it.
"""

from datetime import datetime
from typing import Final

import httpx
from pydantic import SecretStr

from chassis.http import Outbound, Policy, Refused
from services.ticketing.adapters import request_tracker_merge as merge
from services.ticketing.adapters import request_tracker_query as query
from services.ticketing.adapters.answers import reading_back
from services.ticketing.adapters.request_tracker_proof import FRESH_SECONDS, Proof
from services.ticketing.adapters.request_tracker_wire import Made, Names, Ticket, Wire, read
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Draft, Note, TicketRef

__all__ = ["Names", "RequestTracker", "connect"]

PRIORITY_BY_SEVERITY: Final = {"critical": 100, "high": 50}
"""RT's own words for them are High and Medium; everything else is 0, Low."""


def connect(
    url: str,
    *,
    token: SecretStr,
    policy: Policy,
    names: Names,
    transport: httpx.AsyncBaseTransport | None = None,
) -> "RequestTracker":
    """Return the Request Tracker whose page is at `url`.

    Raises:
        WrongSetting: `url` is not an https address, nor one of this machine.
    """
    headers = {
        "Authorization": f"token {token.get_secret_value()}",
        "User-Agent": "patchline",  # what looks like a browser is sent to the page to log in
        "Accept-Encoding": "identity",  # web servers in front of RT change the ETag of what they compress
    }
    outbound = Outbound(f"{url.rstrip('/')}/REST/2.0", policy, headers=headers, transport=transport)
    return RequestTracker(Wire(outbound, names))


class RequestTracker:
    """A Request Tracker as a `Tracker`."""

    def __init__(self, wire: Wire) -> None:
        """Act as the user of the token of `wire`."""
        self._wire = wire
        self._names = wire.names
        self._proof = Proof(wire)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def find(self, key: str) -> list[TicketRef]:
        """Return the tickets that carry our `key`, oldest first; that there is none is proven."""
        await self._proof.hold()
        found = await self._found(key)
        if not found:
            await self._proof.hold(seconds=FRESH_SECONDS)
        return found

    async def reserve(self) -> str | None:
        """Return `None`: RT has nothing that creates one ticket and no second one."""
        return None

    async def say_first(self, note: Note) -> str | None:  # noqa: ARG002 - as the protocol has it
        """Return `None`: RT has no words without a ticket."""
        return None

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:  # noqa: ARG002 - RT has no such thing
        """Create a ticket and return it as read back, and as found by its key.

        Raises:
            NotAsWritten: the ticket does not show our key, the client, the queue, or that it is open.
        """
        queue = await self._proof.hold()
        self._proof.check_creation()
        fields = {self._names.key_field: draft.key, self._names.client_field: draft.company}
        ticket = {
            "Queue": self._names.queue,
            "Subject": draft.title,
            "Content": draft.text,
            "ContentType": "text/plain",
            "Priority": PRIORITY_BY_SEVERITY.get(draft.severity, 0),
            "CustomFields": fields,
        }
        number = read(Made, await self._wire.call("POST", "/ticket", json=ticket)).id
        with reading_back(f"ticket {number}"):
            _, made = await self._wire.element(number)
            found = await self._found(draft.key)
        lost = [f"custom field {name!r}" for name, value in fields.items() if made.value(name) != value]
        if not lost and number not in {each.id for each in found}:
            lost.append(f"custom field {self._names.key_field!r} (a search does not find it)")
        if lost:
            reason = f"ticket {number} was created without its {' and its '.join(lost)}: is our user allowed to set it?"
            self._proof.dropped(reason)
            raise NotAsWritten(reason)
        if made.queue.id != queue.id or not self._wire.is_open(made):
            raise NotAsWritten(f"ticket {number} was created in another queue, or closed")
        return TicketRef(id=number, is_open=True)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        """Return whether the act with this marker was carried out to its end."""
        return (await self._wire.ours(ref.id)).is_done(marker)

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        """Return the marker of our newest act on the ticket; those about merges are none."""
        return (await self._wire.ours(ref.id)).last_done(key)

    async def words(self, ref: TicketRef, key: str) -> str:  # noqa: ARG002 - our user says nothing else there
        """Return what our user said on the ticket, its first words included."""
        said = [await self._wire.attachments(each.id) for each in await self._wire.own(ref.id)]
        return "\n\n".join(part.content or "" for parts in said for part in parts)

    async def append(self, ref: TicketRef, note: Note) -> None:
        """Say something, and leave the status alone."""
        _, ticket = await self._as_found(ref)
        await self._wire.say(ref.id, note, how=self._names.notes, subject=ticket.subject)
        await self._check_said(ref, note)
        with reading_back(f"ticket {ref.id}"):
            _, after = await self._wire.element(ref.id)
        if not self._wire.is_open(after):
            raise ChangedMeanwhile(f"a person closed ticket {ref.id} while a note was added to it")

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        """Say something and set the resolved status."""
        await self._change(ref, note, status=self._names.resolved_status, is_open=False)

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        """Say something and set an open status."""
        await self._change(ref, note, status=self._names.reopened_status, is_open=True)

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        """Return the numbers of a page of tickets with a key like ours: open ones, or changed since."""
        await self._proof.hold()
        asked = query.marked(self._names.key_field, changed_since)
        return [each.id for each in await self._wire.tickets(asked, page=page)]

    async def key_of(self, number: str) -> str | None:
        """Return the key of a ticket; `None`: no ticket, or no key, or it was merged into another one."""
        try:
            _, ticket = await self._wire.element(number)
        except Refused as error:
            if error.status in {403, 404}:
                return None
            raise
        return ticket.value(self._names.key_field) if ticket.id == number else None

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        """Repeat on `kept` what others said on `other`, and say a note."""
        await merge.take_over(self._wire, kept, other, key=key, note=note)

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        """Say a note on `other`, resolve it, and have it refer to `kept`."""
        await merge.give_way(self._wire, other, kept, key=key, note=note)

    async def _found(self, key: str) -> list[TicketRef]:
        """Return the tickets with this very key: RT compares without regard to case."""
        rows = await self._wire.tickets(query.with_key(self._names.key_field, key), fields="Status,CustomFields")
        mine = sorted((row for row in rows if row.value(self._names.key_field) == key), key=lambda row: int(row.id))
        return [TicketRef(id=row.id, is_open=self._wire.is_open(row)) for row in mine]

    async def _as_found(self, ref: TicketRef) -> tuple[str, Ticket]:
        etag, ticket = await self._wire.element(ref.id)
        if ticket.id != ref.id:
            raise ChangedMeanwhile(f"ticket {ref.id} was merged into {ticket.id}")
        if self._wire.is_open(ticket) != ref.is_open:
            raise ChangedMeanwhile(f"ticket {ref.id} was {'open' if ref.is_open else 'closed'} when we looked")
        return etag, ticket

    async def _change(self, ref: TicketRef, note: Note, *, status: str, is_open: bool) -> None:
        """Say the note unless a try before this one said it; then set the status of the ticket as it is with the note.

        Raises:
            ChangedMeanwhile: a person changed the ticket after our note, twice: at worst the note stands there alone,
                and the next try only sets the status.
        """
        _, ticket = await self._as_found(ref)
        if note.marker not in (await self._wire.ours(ref.id)).markers:
            await self._wire.say(ref.id, note, how=self._names.notes, subject=ticket.subject)
        with reading_back(f"ticket {ref.id}"):
            etag, ticket = await self._wire.element(ref.id)
        answer = ""
        if self._wire.is_open(ticket) != is_open:
            answer = await self._set_status(ref, etag, status)
        await self._check_said(ref, note)
        with reading_back(f"ticket {ref.id}"):
            _, after = await self._wire.element(ref.id)
        if self._wire.is_open(after) != is_open:
            raise NotAsWritten(f"ticket {ref.id} is {after.status} after it was set to {status}: {answer}")

    async def _set_status(self, ref: TicketRef, etag: str, status: str) -> str:
        try:
            return await self._wire.put(ref.id, etag, {"Status": status})
        except Refused as error:
            if error.status != 412:
                raise
        etag, _ = await self._as_found(ref)
        try:
            return await self._wire.put(ref.id, etag, {"Status": status})
        except Refused as error:
            if error.status == 412:
                raise ChangedMeanwhile(f"ticket {ref.id} changes faster than we can write to it") from error
            raise

    async def _check_said(self, ref: TicketRef, note: Note) -> None:
        with reading_back(f"ticket {ref.id}"):
            ours = await self._wire.ours(ref.id)
        if note.marker not in ours.markers:
            raise NotAsWritten(f"ticket {ref.id} does not show us our note: is our user allowed to see comments?")

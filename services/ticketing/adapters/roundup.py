"""Roundup, over its REST API. Needs two string properties on `issue`: `correlation_key` and `client`."""

from datetime import datetime
from urllib.parse import quote, urlsplit

import httpx

from chassis.http import Outbound, Policy, Refused, Unavailable
from services.ticketing.adapters import roundup_merge
from services.ticketing.adapters.roundup_wire import Issue, Login, Made, Page, Reserved, Wire, Words, read
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten, ReservationUsed
from services.ticketing.records import Draft, Note, TicketRef

__all__ = ["Login", "Roundup", "Words", "connect"]


def connect(
    url: str,
    *,
    login: Login,
    policy: Policy,
    words: Words,
    origin: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> "Roundup":
    """Return the tracker whose page is at `url`. `origin` is its own idea of its address, where that is another.

    Raises:
        WrongSetting: `url` is not an https address, nor one of this machine.
    """
    parts = urlsplit(url)
    headers = {"X-Requested-With": "rest", "Origin": origin or f"{parts.scheme}://{parts.netloc}"}
    auth = httpx.BasicAuth(login.user, login.password.get_secret_value())
    outbound = Outbound(f"{url.rstrip('/')}/rest/data", policy, headers=headers, auth=auth, transport=transport)
    return Roundup(Wire(outbound, user=login.user, words=words))


class Roundup:
    """A Roundup tracker as a `Tracker`."""

    def __init__(self, wire: Wire) -> None:
        """Act as the user of `wire`."""
        self._wire = wire
        self._words = wire.words

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def find(self, key: str) -> list[TicketRef]:
        """Return the issues that carry our `key`, oldest first."""
        params: dict[str, str | int] = {"correlation_key:": key, "@fields": "status,correlation_key", "@verbose": 2}
        page = read(Page, await self._wire.call("GET", "/issue", params=params))
        mine = sorted(
            (issue for issue in page.collection if issue.correlation_key == key), key=lambda each: int(each.id)
        )
        return [TicketRef(id=issue.id, is_open=self._wire.is_open(issue)) for issue in mine]

    async def reserve(self) -> str | None:
        """Return the token of a one-time link."""
        reserved = read(Reserved, await self._wire.call("POST", "/issue/@poe", json={}, may_repeat=True))
        return reserved.link.rpartition("/")[2]

    async def say_first(self, note: Note) -> str | None:
        """Make the first message of an issue that is not there yet, and return its number."""
        return await self._wire.message(note)

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        """Create an issue with its first message and return it as read back.

        Raises:
            ReservationUsed: `reservation` was used before, or is too old.
            NotAsWritten: the issue does not show our key, the client, or that it is open.
        """
        path = "/issue" if reservation is None else f"/issue/@poe/{quote(reservation, safe='')}"
        fields = {
            "title": draft.title,
            "correlation_key": draft.key,
            "client": draft.company,
            "status": self._words.open_status,
            "priority": self._words.priority_by_severity.get(draft.severity, self._words.other_priority),
            "messages": [draft.said or await self._wire.message(draft.note)],
        }
        try:
            made = read(Made, await self._wire.call("POST", path, json=fields))
        except Refused as error:
            if reservation is not None and error.status == 400 and "POE token" in str(error):
                raise ReservationUsed(str(error)) from error
            raise
        _, issue = await self._wire.read_back(made.id)
        if (issue.correlation_key, issue.client) != (draft.key, draft.company) or not self._wire.is_open(issue):
            raise NotAsWritten(f"issue {made.id} was created without its key, its client or an open status")
        return TicketRef(id=made.id, is_open=True)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        """Return whether the issue carries the message with this marker."""
        page = read(Page, await self._wire.call("GET", "/msg", params={"messageid:": marker, "@fields": "messageid"}))
        if not page.collection:
            return False
        _, issue = await self._wire.element(ref.id)
        return not {each.id for each in page.collection}.isdisjoint(each.id for each in issue.messages)

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        """Return the marker of our newest message on the issue; those about merges are none of an act."""
        ours = await self._wire.messages_with(f"{key}/")
        _, issue = await self._wire.element(ref.id)
        acts = [each.id for each in issue.messages if each.id in ours and "/merged" not in ours[each.id]]
        return ours[max(acts, key=int)] if acts else None

    async def words(self, ref: TicketRef, key: str) -> str:
        """Return our messages that the issue shows; some of the same marker may be on no issue."""
        said = await self._wire.words_with(f"{key}/")
        _, issue = await self._wire.element(ref.id)
        return "\n\n".join(said[each.id] for each in issue.messages if each.id in said)

    async def append(self, ref: TicketRef, note: Note) -> None:
        """Add a message and leave the status alone."""
        await self._change(ref, note, status=None, is_open=True)

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        """Add a message and set the resolved status, in one change."""
        await self._change(ref, note, status=self._words.resolved_status, is_open=False)

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        """Add a message and set the open status, in one change."""
        await self._change(ref, note, status=self._words.open_status, is_open=True)

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        """Return the numbers of a page of issues with a key like ours: open ones, or changed since."""
        return await roundup_merge.marked(self._wire, changed_since=changed_since, page=page)

    async def key_of(self, number: str) -> str | None:
        """Return the key of an issue; `None`: no issue, or no key."""
        return await roundup_merge.key_of(self._wire, number)

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        """Show on `kept` the messages that people wrote on `other`, and a note."""
        await roundup_merge.take_over(self._wire, kept, other, key=key, note=note)

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        """Resolve `other`, link it to `kept`, and say so in a note."""
        await roundup_merge.give_way(self._wire, other, kept, key=key, note=note)

    async def _change(self, ref: TicketRef, note: Note, *, status: str | None, is_open: bool) -> None:
        """Change an issue as it was found; if someone else changes it first, read it again once."""
        fields = {} if status is None else {"status": status}
        etag, issue = await self._as_found(ref)
        message = await self._wire.message(note)
        try:
            await self._wire.patch(ref.id, (etag, issue), [message], **fields)
        except Refused as error:
            if error.status != 412:
                raise
            if await self.has_note(ref, note.marker):  # a worker before us, whose request was late, has said it
                raise Unavailable(f"issue {ref.id} has the note {note.marker} already", ambiguous=True) from error
            etag, issue = await self._as_found(ref)
            await self._patch_again(ref.id, (etag, issue), [message], **fields)
        _, after = await self._wire.read_back(ref.id)
        if message not in {each.id for each in after.messages}:
            raise NotAsWritten(f"issue {ref.id} does not show the message {message} that was added to it")
        if self._wire.is_open(after) != is_open:
            raise NotAsWritten(f"issue {ref.id} is {'closed' if is_open else 'open'} after it was set otherwise")

    async def _patch_again(self, number: str, found: tuple[str, Issue], add: list[str], **fields: str) -> None:
        try:
            await self._wire.patch(number, found, add, **fields)
        except Refused as error:
            if error.status == 412:
                raise ChangedMeanwhile(f"issue {number} changes faster than we can write to it") from error
            raise

    async def _as_found(self, ref: TicketRef) -> tuple[str, Issue]:
        etag, issue = await self._wire.element(ref.id)
        if self._wire.is_open(issue) != ref.is_open:
            raise ChangedMeanwhile(f"issue {ref.id} was {'open' if ref.is_open else 'closed'} when we looked")
        return etag, issue

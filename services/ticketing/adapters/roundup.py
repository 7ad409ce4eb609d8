"""Roundup, over its REST API. Needs two string properties on `issue`: `correlation_key` and `client`.

Source: Roundup 2.6 documentation, `rest.txt` (CSRF headers, `@poe`, `If-Match`, `:=`); quirks found by running it: a
`msg` needs an author, a new message reopens a closed issue unless the status is set in the same change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from chassis.http import READS, Outbound, Policy, Refused, Unavailable
from contracts.envelope import described
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten, ReservationUsed
from services.ticketing.records import Draft, Note, TicketRef

LOGIN_REFUSED_SECONDS: Final = 30.0
"""A wrong password is nobody's ticket's fault: everything waits so long, and a person sees why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The names that a tracker gives to its statuses and priorities."""

    open_status: str = "unread"
    resolved_status: str = "resolved"
    closed_statuses: frozenset[str] = frozenset({"resolved", "done-cbb"})
    priority_by_severity: Mapping[str, str] = field(default_factory=lambda: {"critical": "critical", "high": "urgent"})
    other_priority: str = "bug"


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the tracker."""

    user: str
    password: SecretStr


M = TypeVar("M", bound=BaseModel)


class _Answer(BaseModel):
    data: Any


class _Linked(BaseModel):
    id: str
    name: str | None = None


class _Issue(BaseModel):
    """An issue's own fields, as far as we look at them; `status` is null on one that has none."""

    status: _Linked | None = None
    correlation_key: str | None = None
    client: str | None = None
    messages: list[_Linked] = []


class _Found(_Issue):
    id: str


class _Page(BaseModel):
    collection: list[_Found]


class _Element(BaseModel):
    id: str
    attributes: _Issue


class _Made(BaseModel):
    id: str


class _Reserved(BaseModel):
    link: str


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
    return Roundup(outbound, user=login.user, words=words)


class Roundup:
    """A Roundup tracker as a `Tracker`."""

    def __init__(self, outbound: Outbound, *, user: str, words: Words) -> None:
        """Act as `user`, who is the author of every note."""
        self._outbound = outbound
        self._user = user
        self._words = words

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def find(self, key: str) -> list[TicketRef]:
        """Return the issues that carry our `key`, oldest first."""
        params: dict[str, str | int] = {"correlation_key:": key, "@fields": "status,correlation_key", "@verbose": 2}
        page = _read(_Page, await self._call("GET", "/issue", params=params))
        mine = sorted(
            (issue for issue in page.collection if issue.correlation_key == key), key=lambda each: int(each.id)
        )
        return [TicketRef(id=issue.id, is_open=self._is_open(issue)) for issue in mine]

    async def reserve(self) -> str | None:
        """Return the token of a one-time link."""
        reserved = _read(_Reserved, await self._call("POST", "/issue/@poe", json={}))
        return reserved.link.rpartition("/")[2]

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
            "messages": [await self._message(Note(marker=draft.marker, text=draft.text))],
        }
        try:
            made = _read(_Made, await self._call("POST", path, json=fields))
        except Refused as error:
            if reservation is not None and error.status == 400 and "POE token" in str(error):
                raise ReservationUsed(str(error)) from error
            raise
        _, issue = await self._read_back(made.id)
        if (issue.correlation_key, issue.client) != (draft.key, draft.company) or not self._is_open(issue):
            raise NotAsWritten(f"issue {made.id} was created without its key, its client or an open status")
        return TicketRef(id=made.id, is_open=True)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        """Return whether the issue carries the message with this marker."""
        page = _read(_Page, await self._call("GET", "/msg", params={"messageid:": marker, "@fields": "messageid"}))
        if not page.collection:
            return False
        _, issue = await self._element(ref.id)
        return not {each.id for each in page.collection}.isdisjoint(each.id for each in issue.messages)

    async def append(self, ref: TicketRef, note: Note) -> None:
        """Add a message and leave the status alone."""
        await self._change(ref, note, status=None, is_open=True)

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        """Add a message and set the resolved status, in one change."""
        await self._change(ref, note, status=self._words.resolved_status, is_open=False)

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        """Add a message and set the open status, in one change."""
        await self._change(ref, note, status=self._words.open_status, is_open=True)

    async def _change(self, ref: TicketRef, note: Note, *, status: str | None, is_open: bool) -> None:
        """Change an issue as it was found; if someone else changes it first, read it again once.

        The status is always part of the change: a message alone would make a closed issue an open one.
        """
        etag, issue = await self._as_found(ref)
        message = await self._message(note)
        try:
            await self._patch(ref.id, etag, issue, message=message, status=status)
        except Refused as error:
            if error.status != 412:
                raise
            if await self.has_note(ref, note.marker):  # a worker before us, whose request was late, has said it
                raise Unavailable(f"issue {ref.id} has the note {note.marker} already", ambiguous=True) from error
            etag, issue = await self._as_found(ref)
            await self._patch_again(ref.id, etag, issue, message=message, status=status)
        _, after = await self._read_back(ref.id)
        if message not in {each.id for each in after.messages}:
            raise NotAsWritten(f"issue {ref.id} does not show the message {message} that was added to it")
        if self._is_open(after) != is_open:
            raise NotAsWritten(f"issue {ref.id} is {'closed' if is_open else 'open'} after it was set otherwise")

    async def _patch(self, number: str, etag: str, issue: _Issue, *, message: str, status: str | None) -> None:
        kept = issue.status.name if issue.status is not None else None
        change: dict[str, object] = {"@op": "replace", "messages": [*(each.id for each in issue.messages), message]}
        if (wanted := status or kept) is not None:
            change["status"] = wanted
        await self._call("PATCH", f"/issue/{number}", headers={"If-Match": etag}, json=change)

    async def _patch_again(self, number: str, etag: str, issue: _Issue, *, message: str, status: str | None) -> None:
        try:
            await self._patch(number, etag, issue, message=message, status=status)
        except Refused as error:
            if error.status == 412:
                raise ChangedMeanwhile(f"issue {number} changes faster than we can write to it") from error
            raise

    async def _as_found(self, ref: TicketRef) -> tuple[str, _Issue]:
        etag, issue = await self._element(ref.id)
        if self._is_open(issue) != ref.is_open:
            raise ChangedMeanwhile(f"issue {ref.id} was {'open' if ref.is_open else 'closed'} when we looked")
        return etag, issue

    async def _message(self, note: Note) -> str:
        """Make a message that no issue shows yet. If its answer is lost nothing happened that anyone could see."""
        fields = {"author": self._user, "content": note.text, "messageid": note.marker, "date": "."}
        try:
            return _read(_Made, await self._call("POST", "/msg", json=fields)).id
        except Unavailable as error:
            raise Unavailable(
                str(error), retry_after_seconds=error.retry_after_seconds, limited=error.limited
            ) from error

    async def _element(self, number: str) -> tuple[str, _Issue]:
        params: dict[str, str | int] = {"@fields": "status,client,correlation_key,messages", "@verbose": 2}
        response = await self._call("GET", f"/issue/{number}", params=params)
        return response.headers.get("etag", ""), _read(_Element, response).attributes

    async def _read_back(self, number: str) -> tuple[str, _Issue]:
        """Return an issue after a write. A read that fails now leaves open whether the write happened."""
        try:
            return await self._element(number)
        except Unavailable as error:
            raise Unavailable(
                f"not read back: {error}",
                retry_after_seconds=error.retry_after_seconds,
                ambiguous=True,
                limited=error.limited,
            ) from error
        except Refused as error:
            raise NotAsWritten(f"issue {number} was written and cannot be read: {error}") from error

    def _is_open(self, issue: _Issue) -> bool:
        return issue.status is None or issue.status.name not in self._words.closed_statuses

    async def _call(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> httpx.Response:
        try:
            return await self._outbound.call(method, path, params=params, headers=headers, json=json)
        except Refused as error:
            if error.status == 401:
                reason = f"the tracker refuses the login of {self._user}: {error}"
                raise Unavailable(reason, retry_after_seconds=LOGIN_REFUSED_SECONDS) from error
            raise


def _read(model: type[M], response: httpx.Response) -> M:
    """Return the `data` of an answer.

    Raises:
        Unavailable: the answer is not one of Roundup's; after a write nobody knows what it did.
    """
    try:
        return model.model_validate(_Answer.model_validate_json(response.content).data)
    except ValidationError as error:
        is_write = response.request.method not in READS
        raise Unavailable(f"an answer that is not Roundup's: {described(error)}", ambiguous=is_write) from error

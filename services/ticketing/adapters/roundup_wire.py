"""Roundup's REST API on the wire: what its answers look like, and the calls that every act is made of.

Source: Roundup 2.6 documentation, `rest.txt` (CSRF headers, `@poe`, `If-Match`, `:=`); quirks found by running it: a
`msg` needs an author, a new message reopens a closed issue unless the status is set in the same change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

import httpx
import stamina
from pydantic import BaseModel, SecretStr, TypeAdapter

from chassis.http import READS, Outbound, Refused, Unavailable
from services.ticketing.adapters.answers import reading_back, understood
from services.ticketing.records import Note

BROKEN_INSIDE: Final = "check the server log"
"""How Roundup answers what went wrong inside it, such as a locked database: with 400, which here is no refusal.

Source: Roundup 2.6, `rest.py`, the last `except` around every route.
"""

AGAIN_ATTEMPTS: Final = 3
AGAIN_SECONDS: Final = 0.02
"""What broke inside and may be sent twice is sent again so soon, then twice as late: a lock is held for a commit."""

SHOWS_CONTENT: Final = 3
"""How verbose a list must be to have a message's words in it, and not a link to them. Source: Roundup, `rest.py`."""

LOGIN_REFUSED_SECONDS: Final = 30.0
"""A wrong password is nobody's ticket's fault: everything waits so long, and a person sees why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The names that a tracker gives to its statuses, its priorities, and the link from an issue to a kept one."""

    open_status: str = "unread"
    resolved_status: str = "resolved"
    closed_statuses: frozenset[str] = frozenset({"resolved", "done-cbb"})
    priority_by_severity: Mapping[str, str] = field(default_factory=lambda: {"critical": "critical", "high": "urgent"})
    other_priority: str = "bug"
    superseder: str | None = "superseder"


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the tracker."""

    user: str
    password: SecretStr


M = TypeVar("M", bound=BaseModel)


class Answer(BaseModel, Generic[M]):
    """What every answer is wrapped in."""

    data: M


class Linked(BaseModel):
    """A link to another item."""

    id: str
    name: str | None = None


class Issue(BaseModel):
    """An issue's own fields, as far as we look at them; `status` is null on one that has none."""

    status: Linked | None = None
    correlation_key: str | None = None
    client: str | None = None
    messages: list[Linked] = []
    superseder: list[Linked] = []


class Found(Issue):
    """An issue or a message in a list."""

    id: str
    messageid: str | None = None
    name: str | None = None
    content: str | None = None


class Page(BaseModel):
    """A list."""

    collection: list[Found]


class Element(BaseModel):
    """One issue."""

    id: str
    attributes: Issue


class Made(BaseModel):
    """What was made."""

    id: str


class Reserved(BaseModel):
    """A one-time link."""

    link: str


class Broken(Unavailable):
    """Something went wrong inside the tracker, which is no answer to what was asked."""


class Wire:
    """The calls to one tracker as one user, who is the author of every note."""

    def __init__(self, outbound: Outbound, *, user: str, words: Words) -> None:
        """Act as `user`."""
        self._outbound = outbound
        self._user = user
        self.words = words

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def call(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        may_repeat: bool = False,
    ) -> httpx.Response:
        """Call and return the answer; a refused login or what breaks inside the tracker is no fault of a ticket.

        What broke inside is sent again soon, if it reads or `may_repeat`: if nobody sees that it happened twice.

        Raises:
            Refused, Unavailable: as `Outbound.call` says.
        """
        async for attempt in stamina.retry_context(
            on=Broken,
            attempts=AGAIN_ATTEMPTS if may_repeat or method in READS else 1,
            wait_initial=AGAIN_SECONDS,
            wait_jitter=AGAIN_SECONDS,
            timeout=None,
        ):
            with attempt:
                return await self._once(method, path, params=params, headers=headers, json=json)
        raise AssertionError("stamina always returns or raises")

    async def _once(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str] | None,
        json: Any,
    ) -> httpx.Response:
        try:
            return await self._outbound.call(method, path, params=params, headers=headers, json=json)
        except Refused as error:
            if error.status == 401:
                reason = f"the tracker refuses the login of {self._user}: {error}"
                raise Unavailable(reason, retry_after_seconds=LOGIN_REFUSED_SECONDS) from error
            if error.status == 400 and BROKEN_INSIDE in str(error):
                raise Broken(f"the tracker broke: {error}", ambiguous=method not in READS) from error
            raise

    async def element(self, number: str, *more: str) -> tuple[str, Issue]:
        """Return an issue with its etag; `more` names properties besides the usual ones."""
        fields = ("status", "client", "correlation_key", "messages", *more)
        params: dict[str, str | int] = {"@fields": ",".join(fields), "@verbose": 2}
        response = await self.call("GET", f"/issue/{number}", params=params)
        return response.headers.get("etag", ""), read(Element, response).attributes

    async def read_back(self, number: str) -> tuple[str, Issue]:
        """Return an issue after a write. A read that fails now leaves open whether the write happened."""
        with reading_back(f"issue {number}"):
            return await self.element(number)

    async def messages_with(self, marker: str) -> dict[str, str]:
        """Return the markers, by id, of all messages whose marker has `marker` in it, on whatever issue."""
        page = read(Page, await self.call("GET", "/msg", params={"messageid": marker, "@fields": "messageid"}))
        return {each.id: each.messageid or "" for each in page.collection}

    async def words_with(self, marker: str) -> dict[str, str]:
        """Return the words, by id, of all messages whose marker has `marker` in it, on whatever issue."""
        params: dict[str, str | int] = {"messageid": marker, "@fields": "content", "@verbose": SHOWS_CONTENT}
        page = read(Page, await self.call("GET", "/msg", params=params))
        return {each.id: each.content or "" for each in page.collection}

    async def message(self, note: Note) -> str:
        """Make a message that no issue shows yet. If its answer is lost nothing happened that anyone could see."""
        fields = {"author": self._user, "content": note.text, "messageid": note.marker, "date": "."}
        try:
            return read(Made, await self.call("POST", "/msg", json=fields, may_repeat=True)).id
        except Unavailable as error:
            if not error.ambiguous:
                raise  # it says for whom it holds: an open breaker is one client's alone
            raise Unavailable(
                str(error), retry_after_seconds=error.retry_after_seconds, limited=error.limited
            ) from error

    async def patch(self, number: str, found: tuple[str, Issue], add: Sequence[str], **fields: object) -> None:
        """Change an issue as it was `found`, with its etag: `add` messages, and set `fields`.

        The status is always part of the change: a message alone would make a closed issue an open one.

        Raises:
            Refused: 412 if someone else changed it first.
            Unavailable: the answer is not one of Roundup's, so that nobody knows whether it was changed.
        """
        etag, issue = found
        change: dict[str, object] = {"@op": "replace", "messages": [*(each.id for each in issue.messages), *add]}
        if issue.status is not None:
            change["status"] = issue.status.name
        read(Made, await self.call("PATCH", f"/issue/{number}", headers={"If-Match": etag}, json=change | fields))

    def is_open(self, issue: Issue) -> bool:
        """Return whether an issue is open; one without a status is."""
        return issue.status is None or issue.status.name not in self.words.closed_statuses


def read(model: type[M], response: httpx.Response) -> M:
    """Return the `data` of an answer.

    Raises:
        Unavailable: the answer is not one of Roundup's; after a write nobody knows what it did.
    """
    return understood(TypeAdapter(Answer[model]), response, "Roundup").data  # type: ignore[valid-type]

"""Request Tracker's REST 2.0 on the wire: what its answers look like, and the calls that every act is made of.

Source: RT 5.0, `lib/RT/REST2`; run for real in the tests. An answer's number says little: a refused change is a 200
with a sentence in it, and a custom field that does not exist is dropped from a new ticket, which is a 201.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from chassis.http import Outbound, Refused, Unavailable
from services.ticketing.adapters import request_tracker_query as query
from services.ticketing.adapters.answers import understood
from services.ticketing.adapters.request_tracker_history import History, Line
from services.ticketing.records import Note

LOGIN_REFUSED_SECONDS: Final = 30.0
"""A wrong token is nobody's ticket's fault: everything waits so long, and a person sees why."""

PAGE_ROWS: Final = 100
"""The most that RT gives at once."""

SUBJECT_CHARACTERS: Final = 200
"""RT keeps 255 of a note's subject; the marker at its end must be among them."""

Number = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""RT's ids are numbers in some answers and strings in others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What things are called in one Request Tracker."""

    queue: str
    key_field: str = "CorrelationKey"
    client_field: str = "Client"
    notes: Literal["comment", "correspond"] = "comment"
    resolved_status: str = "resolved"
    reopened_status: str = "open"
    closed_statuses: frozenset[str] = frozenset({"resolved", "rejected", "deleted"})


M = TypeVar("M")


class Linked(BaseModel):
    """A reference to something else."""

    id: Number
    name: str | None = None


class CustomField(BaseModel):
    """A custom field of a ticket with its values; an image's value is no text."""

    name: str
    values: list[Any] = []


class Link(BaseModel):
    """What a ticket points to, or what can be done with it."""

    ref: str
    id: Number | None = None


class Row(BaseModel):
    """A ticket in a list."""

    id: Number
    status: str = Field(default="", alias="Status")
    fields: Annotated[list[CustomField], BeforeValidator(lambda value: value or [])] = Field(
        default=[], alias="CustomFields"
    )

    def value(self, name: str) -> str | None:
        """Return the only value of a custom field; `None`: it has none, or several."""
        found = [value for each in self.fields if each.name == name for value in each.values]
        return found[0] if len(found) == 1 and isinstance(found[0], str) else None


class Ticket(Row):
    """A ticket. `id` is another number than was asked for where someone merged it into that one."""

    subject: str = Field(default="", alias="Subject")
    queue: Linked = Field(alias="Queue")
    links: list[Link] = Field(default=[], alias="_hyperlinks")


class Queue(BaseModel):
    """A queue, with the custom fields of its tickets that our user may see."""

    id: Number
    fields: list[Linked] = Field(default=[], alias="TicketCustomFields")


class Transaction(BaseModel):
    """One line of a ticket's history. `Data` is the subject of what was said."""

    id: Number
    kind: str = Field(alias="Type")
    subject: str | None = Field(default=None, alias="Data")
    status: str | None = Field(default=None, alias="NewValue")
    creator: Linked = Field(alias="Creator")
    created: str = Field(default="", alias="Created")

    @property
    def line(self) -> Line:
        """Return it as a line of the history."""
        return Line(int(self.id), self.kind, self.subject or "", self.status or "", self.creator.id)


class Attachment(BaseModel):
    """A part of what was said."""

    content_type: str = Field(default="", alias="ContentType")
    content: str | None = Field(default=None, alias="Content")
    filename: str | None = Field(default=None, alias="Filename")


class Page(BaseModel, Generic[M]):
    """A list. Its totals are missing as soon as a row is hidden from us, so they are not looked at."""

    items: list[M]


class Made(BaseModel):
    """What was made."""

    id: Number


class Wire:
    """The calls to one Request Tracker with one token."""

    def __init__(self, outbound: Outbound, names: Names) -> None:
        """Act as the token's user."""
        self._outbound = outbound
        self.names = names

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def call(
        self,
        method: Literal["GET", "POST", "PUT"],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> httpx.Response:
        """Call and return the answer; a refused token is nobody's ticket's fault.

        Raises:
            Refused, Unavailable: as `Outbound.call` says.
        """
        try:
            return await self._outbound.call(method, path, params=params, headers=headers, json=json)
        except Refused as error:
            if error.status in {302, 401}:
                reason = f"Request Tracker refuses the token in PATCHLINE_TRACKER_PASSWORD_FILE: {error}"
                raise Unavailable(reason, retry_after_seconds=LOGIN_REFUSED_SECONDS) from error
            raise

    async def queue(self) -> Queue:
        """Return the queue that tickets are made in."""
        return read(Queue, await self.call("GET", f"/queue/{quote(self.names.queue, safe='')}"))

    async def tickets(self, asked: str, *, fields: str = "", page: int = 1) -> list[Row]:
        """Return a page of the tickets that a question finds, oldest first."""
        params: dict[str, str | int] = {"query": asked, "orderby": "id", "per_page": PAGE_ROWS, "page": page}
        params |= {"fields": fields} if fields else {}
        return read(Page[Row], await self.call("GET", "/tickets", params=params)).items

    async def element(self, number: str) -> tuple[str, Ticket]:
        """Return a ticket with its etag, which is the number of the last line of its history."""
        response = await self.call("GET", f"/ticket/{int(number)}")
        return response.headers.get("etag", ""), read(Ticket, response)

    async def ours(self, number: str) -> History:
        """Return what we said on a ticket and the statuses it had; of these lines none is hidden from us."""
        lines: list[Line] = []
        page: list[Transaction] = []
        while not lines or len(page) == PAGE_ROWS:
            page = await self._transactions(query.ours_on(number), page=len(lines) // PAGE_ROWS + 1)
            if not page:
                break
            lines += [each.line for each in page]
        return History(tuple(lines), self.names.closed_statuses)

    async def others(self, number: str) -> list[Transaction]:
        """Return what anyone else said on a ticket; a page may be short because rows of it are hidden from us."""
        return await self._all_pages(query.others_on(number))

    async def own(self, number: str) -> list[Transaction]:
        """Return what our user said on a ticket, its first words included."""
        return await self._all_pages(query.own_on(number))

    async def _all_pages(self, asked: str) -> list[Transaction]:
        found: list[Transaction] = []
        for page in count(1):
            rows = await self._transactions(asked, page=page)
            if not rows:
                break
            found += rows
        return found

    async def _transactions(self, asked: str, *, page: int) -> list[Transaction]:
        params: dict[str, str | int] = {
            "query": asked,
            "fields": "Type,Data,NewValue,Creator,Created",
            "orderby": "id",
            "per_page": PAGE_ROWS,
            "page": page,
        }
        return read(Page[Transaction], await self.call("GET", "/transactions", params=params)).items

    async def attachments(self, transaction: str) -> list[Attachment]:
        """Return the parts of what was said."""
        params: dict[str, str | int] = {"fields": "ContentType,Content,Filename", "per_page": PAGE_ROWS}
        response = await self.call("GET", f"/transaction/{int(transaction)}/attachments", params=params)
        return read(Page[Attachment], response).items

    async def say(self, number: str, note: Note, *, how: str, subject: str = "") -> None:
        """Say something on a ticket: as a comment, or as a reply, whose subject is what its readers' mails show."""
        shown = "" if how == "comment" else subject[: SUBJECT_CHARACTERS - len(note.marker)]
        said = {"Subject": f"{shown} [{note.marker}]".strip(), "Content": note.text, "ContentType": "text/plain"}
        await self.call("POST", f"/ticket/{int(number)}/{how}", json=said)

    async def put(self, number: str, etag: str, change: Mapping[str, object]) -> str:
        """Change a ticket as it was found, and return what RT says about it: a 200 is no yes.

        Raises:
            Refused: 412 if anything was said or done on the ticket since then.
        """
        response = await self.call("PUT", f"/ticket/{int(number)}", headers={"If-Match": etag}, json=change)
        return "; ".join(each for each in read(list[str | None], response) if each)

    def is_open(self, row: Row) -> bool:
        """Return whether a ticket is open."""
        return row.status not in self.names.closed_statuses


def read(model: type[M], response: httpx.Response) -> M:
    """Return an answer.

    Raises:
        Unavailable: it is not one of RT's; after a write nobody knows what it did.
    """
    return understood(TypeAdapter(model), response, "Request Tracker")

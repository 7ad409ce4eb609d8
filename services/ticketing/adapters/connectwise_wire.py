"""ConnectWise PSA's REST API on the wire: what its answers look like, and the calls that every act is made of.

Source: reference "ConnectWise PSA (Manage)"; `docs/psa/connectwise.md` says what is confirmed how.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter
from pydantic.alias_generators import to_camel

from chassis.http import Outbound, Refused, Unavailable
from services.ticketing.adapters import rules_connectwise as rules
from services.ticketing.adapters.answers import reading_back, understood
from services.ticketing.adapters.tracker import NotAsWritten

NOT_SET_UP_SECONDS: Final = 30.0
"""A wrong login, company, board or status is no ticket's fault: everything waits so long, and a person sees why."""

LARGEST_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are: the keys of an API member of a company, and the product's client id.

    `member` is that member's name, by which ConnectWise tells our own writes from a person's.
    """

    company: str
    public_key: str
    private_key: SecretStr
    client_id: str
    member: str


M = TypeVar("M")


class _Wire(BaseModel):
    """What is written in the vendor's spelling."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Card(BaseModel):
    """What anyone may know of a company: where its API is."""

    codebase: str = Field(alias="Codebase")


class Reference(_Wire):
    """A reference to another record."""

    id: int
    name: str | None = None


class Stamp(_Wire):
    """Who changed a record last."""

    updated_by: str | None = None


class Ticket(_Wire):
    """A ticket, as far as we look at it."""

    id: int
    external_x_ref: str | None = None
    closed_flag: bool
    closed_by: str | None = None
    closed_date: str | None = None
    company: Reference | None = None
    board: Reference
    status: Reference
    stamp: Stamp = Field(default=Stamp(), alias="_info")


class Found(_Wire):
    """A ticket in a list."""

    id: int
    external_x_ref: str | None = None
    closed_flag: bool = False


class Written(_Wire):
    """A note on a ticket."""

    id: int
    text: str | None = None
    created_by: str | None = None
    date_created: str | None = None
    detail_description_flag: bool = False
    internal_analysis_flag: bool = False
    resolution_flag: bool = False


_TICKET: Final = TypeAdapter(Ticket)
_NOTE: Final = TypeAdapter(Written)
_NOTES: Final = TypeAdapter(list[Written])
_CARD: Final[TypeAdapter[Card | None]] = TypeAdapter(Card | None)


class Wire:
    """The calls to one company's ConnectWise PSA as one API member."""

    def __init__(self, outbound: Outbound, login: Login) -> None:
        """Act as the member of `login`."""
        self._outbound = outbound
        self.login = login
        self._codebase: str | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def call(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> httpx.Response:
        """Call `path` below the codebase; after a 404 look once whether the codebase has changed.

        Raises:
            Refused, Unavailable: as `Outbound.call` says; a refused login is nobody's ticket's fault.
        """
        codebase = self._codebase or await self._read_codebase()
        try:
            return await self._below(codebase, method, path, params=params, json=json)
        except Refused as error:
            if error.status != 404:
                raise
            fresh = await self._read_codebase()
            if fresh == codebase:
                raise
        return await self._below(fresh, method, path, params=params, json=json)

    async def ticket(self, number: str | int) -> Ticket:
        """Return a ticket."""
        return read(_TICKET, await self.call("GET", f"service/tickets/{number}"))

    async def read_back(self, number: str | int) -> Ticket:
        """Return a ticket after a write. A read that fails now leaves open whether the write happened."""
        with reading_back(f"ticket {number}"):
            return await self.ticket(number)

    async def patch(self, number: int, path: str, value: object) -> None:
        """Replace one field of a ticket."""
        await self.call("PATCH", f"service/tickets/{number}", json=[{"op": "replace", "path": path, "value": value}])

    async def notes(self, number: str | int) -> list[Written]:
        """Return all notes on a ticket, oldest first."""
        path, found, page = f"service/tickets/{number}/notes", list[Written](), 1
        while True:
            params: dict[str, str | int] = {"pageSize": LARGEST_PAGE, "page": page, "orderBy": "id asc"}
            more = read(_NOTES, await self.call("GET", path, params=params))
            found += more
            if len(more) < LARGEST_PAGE:
                return sorted(found, key=lambda each: each.id)
            page += 1

    async def say(self, number: str | int, marker: str, fields: Mapping[str, object]) -> None:
        """Add a note and read it back.

        Raises:
            NotAsWritten: the note that is shown lacks its marker, by which it would be found again.
        """
        path = f"service/tickets/{number}/notes"
        made = read(_NOTE, await self.call("POST", path, json=fields))
        with reading_back(f"note {made.id} on ticket {number}"):
            shown = read(_NOTE, await self.call("GET", f"{path}/{made.id}"))
        if rules.marker_of(shown.text) != marker:
            raise NotAsWritten(f"note {made.id} on ticket {number} is not shown as it was written; is it cut off?")

    def marker_of(self, note: Written) -> str | None:
        """Return the marker of a note that we wrote; `None`: a person did, though perhaps quoting one of ours."""
        return rules.marker_of(note.text) if rules.is_by(note.created_by, self.login.member) else None

    async def _below(
        self,
        codebase: str,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        params: Mapping[str, str | int] | None,
        json: Any,
    ) -> httpx.Response:
        try:
            return await self._outbound.call(method, f"/{codebase}apis/3.0/{path}", params=params, json=json)
        except Refused as error:
            if error.status == 401:
                raise not_set_up(f"the keys or the client id are refused: {error}") from error
            if 300 <= error.status < 400:  # a page for people, such as one about maintenance
                raise not_set_up(f"it answers from elsewhere: {error}") from error
            if error.status == 409:  # the vendor: the record is possibly in use
                raise Unavailable(f"in use: {error}") from error
            raise

    async def _read_codebase(self) -> str:
        company = self.login.company
        try:
            response = await self._outbound.call("GET", f"/login/companyinfo/{quote(company, safe='')}")
        except Refused as error:
            raise not_set_up(f"no such place as {self._outbound.host}/login/companyinfo: {error}") from error
        card = read(_CARD, response)
        if card is None:
            raise not_set_up(
                f"there is no company {company!r} (PATCHLINE_CONNECTWISE_COMPANY) at {self._outbound.host}"
            )
        if not rules.is_codebase(card.codebase):
            raise not_set_up(f"the codebase of {company!r} is not one that can be called")
        self._codebase = card.codebase
        return card.codebase


def read(model: TypeAdapter[M], response: httpx.Response) -> M:
    """Return what an answer says.

    Raises:
        Unavailable: the answer is not one of ConnectWise's; after a write nobody knows what it did.
    """
    return understood(model, response, "ConnectWise")


def not_set_up(reason: str) -> Unavailable:
    """Return the error that says what a person must set, and holds all tickets until then."""
    return Unavailable(f"ConnectWise is not set up: {reason}", retry_after_seconds=NOT_SET_UP_SECONDS)

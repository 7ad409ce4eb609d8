"""What a ticket in ConnectWise PSA refers to by number: the client's company, the board, its statuses, priorities.

They are looked up by the names that the settings and the clients have, and remembered for a while. Whether a status
closes a ticket is its own flag; its name says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from pydantic import TypeAdapter

from chassis.turns import uptime
from services.ticketing.adapters import rules_connectwise as rules
from services.ticketing.adapters.connectwise_wire import LARGEST_PAGE, Reference, Wire, not_set_up, read
from services.ticketing.adapters.tracker import NothingSent
from services.ticketing.records import Draft

TRUSTED_SECONDS: Final = 600.0
"""How long a number is used without asking again; what is refused is asked again at once."""


class UnknownCompany(NothingSent):
    """ConnectWise has no company for a client; the text says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How one ConnectWise PSA is used. A status that is `None` is chosen by its flag, first in the board's order.

    `notes`: technicians see internal ones only, customers see the discussion too. `is_announced`: ConnectWise may mail
    what we write. `skips_callbacks`: nobody at all is called back about tickets that we create.
    """

    board: str
    new_status: str | None = None
    resolved_status: str | None = None
    reopened_status: str | None = None
    notes: Literal["internal", "discussion"] = "internal"
    is_announced: bool = False
    skips_callbacks: bool = False
    priority_by_severity: Mapping[str, str] = field(default_factory=dict)


class Status(Reference):
    """A status of a board."""

    name: str
    closed_status: bool
    inactive: bool = False
    sort_order: int = 0


T = TypeVar("T")

_REFERENCES: Final = TypeAdapter(list[Reference])
_STATUSES: Final = TypeAdapter(list[Status])


class Places:
    """Looks numbers up, and remembers them."""

    def __init__(self, wire: Wire, words: Words) -> None:
        """Know nothing yet."""
        self._wire = wire
        self._words = words
        self._kept: dict[tuple[str, str], tuple[float, int]] = {}
        self._statuses: dict[int, tuple[float, list[Status]]] = {}

    def forget(self) -> None:
        """Ask again for everything: a number was refused."""
        self._kept.clear()
        self._statuses.clear()

    async def company(self, draft: Draft) -> int:
        """Return the number of the company with the client's identifier.

        Raises:
            UnknownCompany: there is none, so there is nowhere to put the ticket.
        """
        found = await self._number("company/companies", "identifier", draft.company, " and deletedFlag=false")
        if found is None:
            raise UnknownCompany(
                f"ConnectWise has no company with the identifier {draft.company!r}, for {draft.title!r}: give the "
                "client the right one (patchline client change NAME --psa-company IDENTIFIER), or, if it is about all "
                "clients, name your own (PATCHLINE_MSP_COMPANY), then patchline ticket retry"
            )
        return found

    async def board(self) -> int:
        """Return the number of the board that new tickets are put on.

        Raises:
            Unavailable: there is none of that name.
        """
        found = await self._number("service/boards", "name", self._words.board, " and inactiveFlag=false")
        if found is None:
            raise not_set_up(f"there is no active board {self._words.board!r} (PATCHLINE_CONNECTWISE_BOARD)")
        return found

    async def priority(self, severity: str) -> int | None:
        """Return the number of the priority for a severity; `None`: the board's own.

        Raises:
            Unavailable: there is none of the name that the settings have for it.
        """
        name = self._words.priority_by_severity.get(severity)
        if name is None:
            return None
        found = await self._number("service/priorities", "name", name, "")
        if found is None:
            raise not_set_up(f"there is no priority {name!r} (PATCHLINE_CONNECTWISE_PRIORITIES)")
        return found

    async def new_status(self, board: int) -> int | None:
        """Return the status of a new ticket; `None`: the board's own."""
        wanted = self._words.new_status
        return None if wanted is None else await self._status(board, wanted, is_open=True)

    async def status(self, board: int, *, is_open: bool) -> int:
        """Return the status that opens a ticket on a board, or closes it.

        Raises:
            Unavailable: the board has none, or none of the name that the settings have.
        """
        wanted = self._words.reopened_status if is_open else self._words.resolved_status
        return await self._status(board, wanted, is_open=is_open)

    async def _status(self, board: int, wanted: str | None, *, is_open: bool) -> int:
        fitting = {
            each.name: each.id
            for each in sorted(await self._statuses_of(board), key=lambda each: (each.sort_order, each.id))
            if each.closed_status != is_open and not each.inactive
        }
        name = rules.chosen_status(fitting, wanted)
        if name is None:
            kind = "open" if is_open else "closed"
            asked = "" if wanted is None else f" of the name {wanted!r} (PATCHLINE_CONNECTWISE_*_STATUS)"
            raise not_set_up(f"board {board} has no {kind} status{asked}; it has {', '.join(fitting) or 'none'}")
        return fitting[name]

    async def _statuses_of(self, board: int) -> list[Status]:
        read_at, statuses = self._statuses.get(board, (0.0, []))
        if not statuses or uptime() - read_at > TRUSTED_SECONDS:
            response = await self._wire.call(
                "GET", f"service/boards/{board}/statuses", params={"pageSize": LARGEST_PAGE, "orderBy": "sortOrder asc"}
            )
            statuses = read(_STATUSES, response)
            self._statuses[board] = (uptime(), statuses)
        return statuses

    async def _number(self, path: str, named: str, name: str, more: str) -> int | None:
        """Return the number of the one record with a name; what was not found is not remembered."""
        read_at, number = self._kept.get((path, name), (0.0, 0))
        if number and uptime() - read_at <= TRUSTED_SECONDS:
            return number
        value = rules.quoted(name)
        if value is None:
            return None
        params: dict[str, str | int] = {"conditions": f"{named}={value}{more}", "pageSize": 2, "fields": "id"}
        found = read(_REFERENCES, await self._wire.call("GET", path, params=params))
        if len(found) != 1:
            return None
        self._kept[path, name] = (uptime(), found[0].id)
        return found[0].id

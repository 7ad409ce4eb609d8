"""A sandbox ConnectWise PSA over HTTP, in the vendor's wire format, with its faults.

`/_sandbox` is its own door: GET shows every ticket with its notes, PUT sets faults, a new codebase, or lets a person
act. Source: reference "ConnectWise PSA (Manage)"; what is not confirmed there is said in `docs/psa/connectwise.md`.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

from chassis.health import Receive, Scope, Send
from simulators.connectwise_callbacks import Callbacks, entry_number
from simulators.connectwise_conditions import Row
from simulators.connectwise_records import Records, Wrong, absent
from simulators.connectwise_wire import Answer, Call, Faults, login_of, page_of, read, write

HOST: Final = "127.0.0.1"
COMPANY: Final = "sandbox"
MEMBER: Final = "patchline"
PUBLIC_KEY: Final = "simulatedPublic"
PRIVATE_KEY: Final = "simulatedPrivate"
CLIENT_ID: Final = "00000000-0000-4000-8000-000000000001"
BOARD: Final = "Patching"
OTHER_BOARD: Final = "Projects"
CODEBASE: Final = "v2026_1/"
KEY_PATH: Final = "/login/callbackkey"
MOST_CALLS: Final = 10_000
"""So many of the last calls are remembered."""


class Deed(BaseModel):
    """What a person does to a ticket: a JSON Patch, or a note."""

    ticket: int
    by: str = "jane"
    patch: list[dict[str, Any]] = []
    note: dict[str, Any] | None = None


class Setting(BaseModel):
    """What `PUT /_sandbox` sets; what is left out stays as it is."""

    faults: dict[str, int] = {}
    swallow_statuses: int | None = None
    cut_notes_at: int | None = None
    codebase: str | None = Field(default=None, pattern=r"^[a-z0-9_]+/$")
    companies: dict[str, str] = {}
    deed: Deed | None = None


@dataclass
class Sandbox:
    """The ASGI app. Its records, faults and callbacks are there for tests to look at and to change."""

    url: str = ""
    codebase: str = CODEBASE
    records: Records = field(default_factory=Records)
    faults: Faults = field(default_factory=Faults)
    callbacks: Callbacks = field(default_factory=Callbacks)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = await read(scope, receive)
        try:
            answer = self._answer(call)
        except Wrong as error:
            answer = Answer(error.status, error.body)
        await write(send, answer)

    def seed(self, companies: Mapping[str, str]) -> None:
        """Add boards, and companies by identifier with their names."""
        for name in (BOARD, OTHER_BOARD):
            self.records.add_board(name)
        for identifier, name in companies.items():
            self.records.add_company(identifier, name)

    def ledger(self) -> list[Row]:
        """Return every ticket with its notes, by number."""
        return [{**row, "notes": self.records.notes[number]} for number, row in sorted(self.records.tickets.items())]

    def act(self, deed: Deed) -> None:
        """Do what a person does in the PSA's own pages.

        Raises:
            Wrong: it cannot be done.
        """
        now = self.clock()
        if deed.patch:
            self.records.change(deed.ticket, deed.patch, by=deed.by, at=now)
        if deed.note is not None:
            self.records.add_note(deed.ticket, deed.note, by=deed.by, at=now)
        self.callbacks.tell("updated", self.records.ticket(deed.ticket), by=deed.by)

    def _answer(self, call: Call) -> Answer:
        if call.path == "/_sandbox":
            return self._managed(call)
        self.calls.append(call)
        if call.path == KEY_PATH:
            return Answer(200, {"signing_key": self.callbacks.signing_key})
        if (instead := self.faults.before(call)) is not None:
            return instead
        if call.path.startswith("/login/companyinfo/"):
            return Answer(200, self._company_card(call.path.rpartition("/")[2]))
        root = f"/{self.codebase}apis/3.0/"
        if not call.path.startswith(root):
            raise Wrong(404, "NotFound", "no such resource")
        self._check_login(call)
        inner = replace(call, path=call.path.removeprefix(root))
        return self.faults.after(call, self._routed(inner, f"{self.url}{call.path}"))

    def _company_card(self, company: str) -> Row | None:
        if company.lower() != COMPANY:
            return None
        return {
            "CompanyName": "Sandbox MSP",
            "Codebase": self.codebase,
            "VersionCode": self.codebase.strip("/").replace("_", "."),
            "VersionNumber": "v2026.1.1",
            "CompanyID": COMPANY,
            "IsCloud": True,
        }

    def _check_login(self, call: Call) -> None:
        if login_of(call) != (COMPANY, PUBLIC_KEY, PRIVATE_KEY):
            raise Wrong(401, "Unauthorized", "the login is refused")
        if call.headers.get("clientid") != CLIENT_ID:
            raise Wrong(401, "ClientIdInvalid", "the clientId is missing or unknown")

    def _routed(self, call: Call, url: str) -> Answer:
        match call.method, call.path.strip("/").split("/"):
            case "GET", ["company", "companies"]:
                return page_of(self.records.companies, call, url)
            case "GET", ["service", "boards"]:
                return page_of(self.records.boards, call, url)
            case "GET", ["service", "boards", number, "statuses"]:
                return page_of(self._statuses(number), call, url)
            case "GET", ["service", "priorities"]:
                return page_of(self.records.priorities, call, url)
            case _, ["service", "tickets", *rest]:
                return self._tickets(call, rest, url)
            case "GET", ["system", "callbacks"]:
                return page_of(list(self.callbacks.entries.values()), call, url)
            case "POST", ["system", "callbacks"]:
                return Answer(201, self.callbacks.register(call.fields(), by=MEMBER, at=self.clock()))
            case "DELETE", ["system", "callbacks", number]:
                self.callbacks.remove(entry_number(number))
                return Answer(204, None)
            case _:
                raise Wrong(404, "NotFound", "no such resource")

    def _tickets(self, call: Call, rest: list[str], url: str) -> Answer:
        number = entry_number(rest[0]) if rest and rest[0] != "count" else 0
        match call.method, rest:
            case "GET", []:
                return page_of(list(self.records.tickets.values()), call, url)
            case "POST", []:
                return self._created(call.fields())
            case "GET", [_]:
                return Answer(200, self.records.ticket(number))
            case "PATCH", [_]:
                ticket = self.records.change(number, call.document(), by=MEMBER, at=self.clock())
                self.callbacks.tell("updated", ticket, by=MEMBER)
                return Answer(200, ticket)
            case "DELETE", [_]:
                ticket = self.records.ticket(number)
                self.records.delete(number)
                self.callbacks.tell("deleted", ticket, by=MEMBER)
                return Answer(204, None)
            case _, [_, "notes", *which]:
                return self._notes(call, number, which, url)
            case _:
                raise Wrong(404, "NotFound", "no such resource")

    def _created(self, fields: Row) -> Answer:
        ticket = self.records.create(fields, by=MEMBER, at=self.clock())
        if not fields.get("skipCallback"):
            self.callbacks.tell("added", ticket, by=MEMBER)
        return Answer(201, ticket)

    def _notes(self, call: Call, number: int, which: list[str], url: str) -> Answer:
        ticket = self.records.ticket(number)
        match call.method, which:
            case "GET", []:
                return page_of(self.records.notes[number], call, url)
            case "GET", [note]:
                wanted = entry_number(note)
                found = next((row for row in self.records.notes[number] if row["id"] == wanted), None)
                if found is None:
                    raise absent("Note", wanted)
                return Answer(200, found)
            case "POST", []:
                said = self.records.add_note(number, call.fields(), by=MEMBER, at=self.clock())
                self.callbacks.tell("updated", ticket, by=MEMBER)
                return Answer(201, said)
            case _:
                raise Wrong(404, "NotFound", "no such resource")

    def _statuses(self, number: str) -> list[Row]:
        if entry_number(number) not in self.records.statuses:
            raise absent("Board", int(number))
        return self.records.statuses[int(number)]

    def _managed(self, call: Call) -> Answer:
        """Answer at the sandbox's own door."""
        if call.method == "PUT":
            try:
                self._set(Setting.model_validate_json(call.body))
            except ValidationError as error:
                raise Wrong(400, "InvalidObject", str(error.errors(include_input=False))) from error
        return Answer(200, {"codebase": self.codebase, "faults": asdict(self.faults), "tickets": self.ledger()})

    def _set(self, setting: Setting) -> None:
        self.faults = replace(self.faults, **setting.faults)
        self.codebase = setting.codebase or self.codebase
        workflow = self.records.workflow
        if setting.swallow_statuses is not None:
            workflow.swallow_statuses = setting.swallow_statuses
        workflow.cut_notes_at = setting.cut_notes_at or workflow.cut_notes_at
        for identifier, name in setting.companies.items():
            self.records.add_company(identifier, name)
        if setting.deed is not None:
            self.act(setting.deed)

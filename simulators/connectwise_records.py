"""What a sandbox ConnectWise PSA keeps: companies, a board with its statuses, tickets and their notes.

Everything is a row in the vendor's spelling. A write is refused with the vendor's error, or done whole.
Source: reference "ConnectWise PSA (Manage)" and its recorded fixtures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from simulators.connectwise_conditions import Row

SUMMARY_CHARACTERS: Final = 100
XREF_CHARACTERS: Final = 100
NOTE_FLAGS: Final = ("detailDescriptionFlag", "internalAnalysisFlag", "resolutionFlag")
INITIAL_NOTES: Final = {
    "initialDescription": "detailDescriptionFlag",
    "initialInternalAnalysis": "internalAnalysisFlag",
    "initialResolution": "resolutionFlag",
}
"""Fields that only a POST may have; they become notes, and no answer has them."""

CHANGEABLE: Final = frozenset({"summary", "board", "status", "company", "priority", "owner", "externalXRef", "impact"})
BOARD_STATUSES: Final = (
    ("New", False),
    ("In Progress", False),
    ("Waiting Customer", False),
    ("Completed", True),
    ("Closed", True),
)
PRIORITIES: Final = ("Priority 1 - Emergency", "Priority 2 - Quick Response", "Priority 3 - Normal Response")


class Wrong(Exception):
    """A call that the PSA refuses, with what it answers."""

    def __init__(self, status: int, code: str, message: str, errors: Sequence[Mapping[str, str]] | None = None) -> None:
        """Keep the status beside the body."""
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "errors": list(errors) if errors else None}


def invalid(resource: str, name: str, code: str, message: str) -> Wrong:
    """Return the refusal of one field."""
    one = {"code": code, "message": message, "resource": resource, "field": name}
    return Wrong(400, "InvalidObject", f"{resource} object is invalid", [one])


def absent(what: str, number: int) -> Wrong:
    """Return the refusal of a record that is not there."""
    return Wrong(404, "NotFound", f"{what} {number} not found")


def stamp(at: datetime) -> str:
    """Return a moment as the vendor writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Workflow:
    """What the PSA's own rules do to writes: statuses that do not land though the answer is 200, texts cut short."""

    swallow_statuses: int = 0
    cut_notes_at: int | None = None


@dataclass(slots=True)
class Records:
    """All records of one company's PSA."""

    companies: list[Row] = field(default_factory=list)
    boards: list[Row] = field(default_factory=list)
    statuses: dict[int, list[Row]] = field(default_factory=dict)
    priorities: list[Row] = field(default_factory=lambda: [_priority(*each) for each in enumerate(PRIORITIES, 1)])
    tickets: dict[int, Row] = field(default_factory=dict)
    notes: dict[int, list[Row]] = field(default_factory=dict)
    workflow: Workflow = field(default_factory=Workflow)
    numbers: "count[int]" = field(default_factory=lambda: count(1001))

    def add_company(self, identifier: str, name: str) -> Row:
        """Add a client, or give the one with this identifier another name."""
        known = next((row for row in self.companies if row["identifier"] == identifier), None)
        if known is not None:
            known["name"] = name
            return known
        number = len(self.companies) + 2
        row = {"id": number, "identifier": identifier, "name": name, "deletedFlag": False}
        self.companies.append(row)
        return row

    def add_board(self, name: str, statuses: Sequence[tuple[str, bool]] = BOARD_STATUSES) -> Row:
        """Add a board with its own statuses, the first of which is the one that a new ticket has."""
        number = len(self.boards) + 1
        row = {"id": number, "name": name, "inactiveFlag": False, "projectFlag": False}
        self.boards.append(row)
        first = number * 100
        self.statuses[number] = [
            {
                "id": first + at,
                "name": each,
                "board": {"id": number, "name": name},
                "sortOrder": at,
                "displayOnBoard": not is_closed,
                "inactive": False,
                "closedStatus": is_closed,
                "defaultFlag": at == 0,
                "timeEntryNotAllowed": is_closed,
            }
            for at, (each, is_closed) in enumerate(statuses)
        ]
        return row

    def ticket(self, number: int) -> Row:
        """Return a ticket.

        Raises:
            Wrong: there is none.
        """
        if number not in self.tickets:
            raise absent("Ticket", number)
        return self.tickets[number]

    def create(self, fields: Row, *, by: str, at: datetime) -> Row:
        """Create a ticket with its first notes.

        Raises:
            Wrong: a field is missing or wrong.
        """
        self._check_texts(fields)
        company = self._company(fields.get("company"))
        board = self._board(fields.get("board"))
        status = self._status(fields.get("status"), board)
        number = next(self.numbers)
        ticket: Row = {
            "id": number,
            "summary": fields["summary"],
            "recordType": "ServiceTicket",
            "board": _reference(board),
            "company": _reference(company, "identifier"),
            "priority": self._priority(fields.get("priority")),
            "externalXRef": fields.get("externalXRef"),
            "severity": fields.get("severity", "Medium"),
            "impact": fields.get("impact", "Medium"),
            "enteredBy": by,
            "mergedParentTicket": None,
            "parentTicketId": None,
            "_info": {"dateEntered": stamp(at)},
        }
        self._put_status(ticket, status, by=by, at=at)
        self._touch(ticket, by=by, at=at)
        self.tickets[number], self.notes[number] = ticket, []
        for name, flag in INITIAL_NOTES.items():
            if fields.get(name):
                self.add_note(number, {"text": fields[name], flag: True}, by=by, at=at)
        return ticket

    def change(self, number: int, operations: object, *, by: str, at: datetime) -> Row:
        """Change a ticket by a JSON Patch: an array of operations whose paths have no slash in front.

        Raises:
            Wrong: there is no such ticket, or an operation is none; nothing is changed then.
        """
        ticket = self.ticket(number)
        if not isinstance(operations, list):
            raise Wrong(400, "InvalidPatch", "a patch is an array of operations")
        changed = dict(ticket)
        for each in operations:
            self._apply(changed, each, by=by, at=at)
        self._touch(changed, by=by, at=at)
        ticket.update(changed)
        return ticket

    def add_note(self, number: int, fields: Row, *, by: str, at: datetime) -> Row:
        """Add a note to a ticket.

        Raises:
            Wrong: there is no such ticket, or the note has no text, or is of no kind.
        """
        ticket, text = self.ticket(number), fields.get("text")
        if not isinstance(text, str) or not text.strip():
            raise invalid("note", "text", "MissingRequiredField", "The text field is required.")
        if not any(fields.get(flag) for flag in NOTE_FLAGS):
            raise invalid("note", "detailDescriptionFlag", "InvalidField", "A note must have one of its flags set.")
        note: Row = {
            "id": next(self.numbers),
            "ticketId": number,
            "text": text[: self.workflow.cut_notes_at],
            **{flag: bool(fields.get(flag)) for flag in NOTE_FLAGS},
            "internalFlag": bool(fields.get("internalFlag", fields.get("internalAnalysisFlag"))),
            "externalFlag": bool(fields.get("externalFlag", not fields.get("internalAnalysisFlag"))),
            "dateCreated": stamp(at),
            "createdBy": by,
            "_info": {"lastUpdated": stamp(at), "updatedBy": by},
        }
        self.notes[number].append(note)
        self._touch(ticket, by=by, at=at)
        return note

    def delete(self, number: int) -> None:
        """Delete a ticket.

        Raises:
            Wrong: there is none.
        """
        self.ticket(number)
        del self.tickets[number], self.notes[number]

    def _apply(self, ticket: Row, operation: object, *, by: str, at: datetime) -> None:
        match operation:
            case {"op": "replace", "path": "status", "value": value}:
                status = self._status(value, ticket["board"])
                if self.workflow.swallow_statuses > 0:
                    self.workflow.swallow_statuses -= 1
                    return
                self._put_status(ticket, status, by=by, at=at)
            case {"op": "replace", "path": "board", "value": value}:
                board = self._board(value)
                ticket["board"] = _reference(board)
                self._put_status(ticket, self._status(None, board), by=by, at=at)
            case {"op": "replace", "path": "company", "value": value}:
                ticket["company"] = _reference(self._company(value), "identifier")
            case {"op": "replace" | "add", "path": str(path), "value": value} if path in CHANGEABLE:
                self._check_texts({"summary": ticket["summary"], path: value})
                ticket[path] = value
            case _:
                raise Wrong(400, "InvalidPatch", "an operation of the patch cannot be applied")

    def _check_texts(self, fields: Row) -> None:
        summary, xref = fields.get("summary"), fields.get("externalXRef")
        if not isinstance(summary, str) or not summary.strip():
            raise invalid("ticket", "summary", "MissingRequiredField", "The summary field is required.")
        if len(summary.encode("utf-16-le")) // 2 > SUMMARY_CHARACTERS:  # as the vendor's .NET counts
            raise invalid("ticket", "summary", "MaxLength", "The field summary must be 1 to 100 characters long.")
        if xref is not None and (not isinstance(xref, str) or len(xref) > XREF_CHARACTERS):
            raise invalid("ticket", "externalXRef", "MaxLength", "The field externalXRef may have 100 characters.")

    def _company(self, reference: object) -> Row:
        found = _referred(self.companies, reference)
        if found is None or found["deletedFlag"]:
            raise invalid("ticket", "company", "InvalidReference", "The company is required and must exist.")
        return found

    def _board(self, reference: object) -> Row:
        found = _referred(self.boards, reference) if reference is not None else self.boards[0]
        if found is None or found["inactiveFlag"]:
            raise invalid("ticket", "board", "InvalidReference", "The board must exist and be active.")
        return found

    def _status(self, reference: object, board: Row) -> Row:
        statuses = self.statuses[board["id"]]
        found = _referred(statuses, reference) if reference is not None else statuses[0]
        if found is None or found["inactive"]:
            raise invalid("ticket", "status", "InvalidReference", "The status must be an active one of the board.")
        return found

    def _priority(self, reference: object) -> Row:
        found = _referred(self.priorities, reference) if reference is not None else self.priorities[-1]
        if found is None:
            raise invalid("ticket", "priority", "InvalidReference", "The priority must exist.")
        return _reference(found)

    def _put_status(self, ticket: Row, status: Row, *, by: str, at: datetime) -> None:
        is_closed = status["closedStatus"]
        if is_closed != ticket.get("closedFlag"):
            ticket["closedDate"], ticket["closedBy"] = (stamp(at), by) if is_closed else (None, None)
        ticket["status"], ticket["closedFlag"] = _reference(status), is_closed

    def _touch(self, ticket: Row, *, by: str, at: datetime) -> None:
        ticket["_info"] = {**ticket["_info"], "lastUpdated": stamp(at), "updatedBy": by}


def _priority(number: int, name: str) -> Row:
    return {"id": number, "name": name, "sortOrder": number}


def _reference(row: Row, *more: str) -> Row:
    return {name: row[name] for name in ("id", *more, "name")}


def _referred(rows: Sequence[Row], reference: object) -> Row | None:
    """Return the row that `{"id": 7}` or `{"name": "x"}` or `{"identifier": "x"}` means."""
    if not isinstance(reference, dict):
        return None
    for name in ("id", "identifier", "name"):
        if name in reference:
            wanted: Any = reference[name]
            return next((row for row in rows if row.get(name) == wanted), None)
    return None

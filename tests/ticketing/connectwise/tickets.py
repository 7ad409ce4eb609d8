"""What the tests of ConnectWise write, and how they look at what it has."""

from services.ticketing.adapters.connectwise import ConnectWise
from services.ticketing.records import Draft, Note, TicketRef
from simulators.connectwise import Sandbox
from simulators.connectwise_wire import Call

KEY = "pl-patch_failed-5d2f0a4e-0000-4000-8000-000000000000-g1"
DRAFT = Draft(key=KEY, title="T", text="body", company="ACME", severity="critical", marker=f"{KEY}/1/open/e1")
NOTE = Note(marker=f"{KEY}/2/append/e2", text="more")
CLOSING = Note(marker=f"{KEY}/3/resolve/e3", text="done")
OPENING = Note(marker=f"{KEY}/4/reopen/e4", text="again")


def writes(psa: Sandbox) -> list[Call]:
    return [call for call in psa.calls if call.is_write]


def status_of(psa: Sandbox, ref: TicketRef) -> str:
    return str(psa.records.ticket(int(ref.id))["status"]["name"])


async def do(desk: ConnectWise, ref: TicketRef, note: Note) -> None:
    match note.marker.split("/")[2]:
        case "append":
            await desk.append(ref, note)
        case "resolve":
            await desk.resolve(ref, note)
        case _:
            await desk.reopen(ref, note)

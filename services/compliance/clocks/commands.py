"""`patchline window`: when a client's windows come, and which tz data that was read from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from chassis import commands
from services.compliance.clocks import store_commands_windows
from services.compliance.clocks.records import Tzdata
from services.compliance.clocks.store_commands_windows import ShownWindow
from services.compliance.clocks.windows import Note
from services.compliance.policies import store_commands
from services.compliance.policies.options import Client, Json, moment_of, tenant_named

window_app: Final = typer.Typer(no_args_is_help=True, help="Maintenance windows: when they come, exactly.")

WORDS: Final = {
    Note.MOVED_FORWARD: "the clocks skip its start: later by as much",
    Note.FIRST_OF_TWO: "the clocks show its start twice: the first",
    Note.SECOND_OF_TWO: "the clocks show its start twice: the second",
    Note.CLOCKS_CHANGE_WITHIN: "the clocks change while it is open",
}
FORMAT: Final = "%a %Y-%m-%d %H:%M %Z"


@window_app.command("list")
def list_windows(
    *,
    client: Client,
    at: Annotated[str | None, typer.Option("--from", help="A moment with its offset; default: now.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List the windows of a client that are open or to come, as the service has written them down for 13 months.

    Example: patchline window list --client "Northwind Dental"
    """
    found = commands.run(_windows(client, moment_of(at, "--from"), most))
    rows = [_row(each) for each in found]
    commands.show(rows, title=f"Windows of {client}", as_json=as_json)


def _row(each: ShownWindow) -> dict[str, object]:
    zone = ZoneInfo(each.zone)
    return {
        "window": each.name,
        "start": each.start_at,
        "end": each.end_at,
        "there": f"{each.start_at.astimezone(zone):{FORMAT}} to {each.end_at.astimezone(zone):%H:%M %Z}",
        "zone": each.zone,
        "note": None if each.note is None else WORDS[Note(each.note)],
        "tzdata": each.tzdata,
    }


async def _windows(client: str, at: datetime, most: int) -> Sequence[ShownWindow]:
    async with store_commands.operating() as tx:
        return await store_commands_windows.to_come(tx, await tenant_named(tx, client), at, most)


@window_app.command("tzdata")
def show_tzdata(*, as_json: Json = False) -> None:
    """List the versions of the tz data that the service read, the newest first.

    Example: patchline window tzdata
    """
    rows = [{"version": each.version, "read_since": each.read_at} for each in commands.run(_tzdata())]
    commands.show(rows, title="tz data", as_json=as_json)


async def _tzdata() -> Sequence[Tzdata]:
    async with store_commands.operating() as tx:
        return await store_commands_windows.tzdata(tx)

"""`patchline monitor`: what is watched on clients' machines, and what came of it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.postgres import Connection
from contracts.events.monitor import Monitor, RebootVerdict
from services.compliance import store_commands as clients
from services.compliance.monitors import store_commands

monitor_app = typer.Typer(
    no_args_is_help=True, help="Failed, unproven, missing and outdated updates; restarts, windows and sources."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Client = Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")]
ForDays = Annotated[int, typer.Option("--days", min=1, max=3660, help="So many days back.")]

FAILING: Final = ("client", "machine", "tier", "monitor", "happened_at", "why")
REBOOTS: Final = ("client", "machine", "booted_at", "verdict", "deferrals", "consented_by", "why")
"""The columns that fit a terminal; the rest is in the JSON."""


@monitor_app.command("list")
def list_monitors(
    *,
    client: Client = None,
    monitor: Annotated[Monitor | None, typer.Option("--monitor", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the machines on which a monitor's condition holds now. A client's policy says which monitors are on.

    Example: patchline monitor list --client "Acme Dental" --monitor updates_failed
    """
    rows = _read(client, lambda tx: store_commands.failing(tx, client, monitor))
    commands.show(_shown(rows, FAILING, as_json=as_json), title="Monitors", as_json=as_json)


@monitor_app.command()
def delays(*, client: Client = None, days: ForDays = 30, as_json: Json = False) -> None:
    """Show how long it took to notice: the median, the slowest twentieth, the longest, and how many were too late.

    Example: patchline monitor delays --days 7 --json
    """
    rows = _read(client, lambda tx: store_commands.delays(tx, client, _days_ago(days)))
    commands.show(rows, title="Detection delays", as_json=as_json)


@monitor_app.command()
def reboots(
    *,
    client: Client = None,
    days: ForDays = 30,
    verdict: Annotated[RebootVerdict | None, typer.Option("--verdict", help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """List restarts and what each was by the client's policy: notice, deferrals and consent are kept of every one.

    Example: patchline monitor reboots --client "Acme Dental" --verdict surprise
    """
    rows = _read(client, lambda tx: store_commands.reboots(tx, client, _days_ago(days), verdict))
    commands.show(_shown(rows, REBOOTS, as_json=as_json), title="Restarts", as_json=as_json)


@monitor_app.command()
def windows(*, client: Client = None, as_json: Json = False) -> None:
    """List the machines that missed their last maintenance windows, and how many in a row.

    Example: patchline monitor windows --json
    """
    rows = _read(client, lambda tx: store_commands.missed(tx, client))
    commands.show(rows, title="Missed windows", as_json=as_json)


@monitor_app.command()
def sources(*, client: Client = None, as_json: Json = False) -> None:
    """List when each source was last heard of each client that wants to know of silence, to the minute.

    Example: patchline monitor sources --client "Acme Dental"
    """
    rows = _read(client, lambda tx: store_commands.sources(tx, client))
    commands.show(rows, title="Sources", as_json=as_json)


def _days_ago(days: int) -> datetime:
    return moved_clock(commands.command_settings().clock_offset_seconds)() - timedelta(days=days)


def _read(
    client: str | None, read: Callable[[Connection], Awaitable[list[dict[str, object]]]]
) -> list[dict[str, object]]:
    rows = commands.run(_rows(client, read))
    if rows is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    return rows


async def _rows(
    client: str | None, read: Callable[[Connection], Awaitable[list[dict[str, object]]]]
) -> list[dict[str, object]] | None:
    async with commands.operator() as connection, connection.transaction():
        await clients.see_all_tenants(connection)
        if client is not None and not await clients.is_client(connection, client):
            return None
        return await read(connection)


def _shown(rows: list[dict[str, object]], columns: Sequence[str], *, as_json: bool) -> list[dict[str, object]]:
    return rows if as_json else [{name: row[name] for name in columns} for row in rows]

"""`patchline case`: exposed credentials, what each waits for, and what a person does about them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.errors import NeverWorks
from chassis.postgres import Connection
from services.credentials.cases import store_commands
from services.credentials.guard.commands_levels import levels
from services.credentials.people.commands_case import approve, refuse

case_app: Final = typer.Typer(no_args_is_help=True, help="Cases of exposed credentials: who was reset, who waits.")
case_app.command("approve")(approve)
case_app.command("refuse")(refuse)
case_app.command("levels")(levels)


class Shown(StrEnum):
    """What a case is for whoever lists them."""

    OPEN = "open"
    PARKED = "parked"
    CLOSED = "closed"


Client = Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")]
State = Annotated[Shown | None, typer.Option("--state", help="open, parked (a person must act), closed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Begins = Annotated[str, typer.Argument(help="The case's id, or how it begins (at least eight characters).")]

FOR_PEOPLE: Final = ("case", "client", "login", "kind", "decision", "state", "next", "ticket", "waits_for")
"""The columns that fit a terminal; the rest is in the JSON."""

SHORTEST: Final = 8


class NoSuchCase(NeverWorks):
    """No case, or more than one, has an id that begins so."""


@case_app.command("list")
def list_cases(*, client: Client = None, state: State = None, as_json: Json = False) -> None:
    """List cases, and what each waits for.

    Example: patchline case list --client "Acme Dental" --state open
    """
    rows = commands.run(_cases(client))
    if rows is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    chosen = [
        row for row in rows if state in {None, row["state"]} or (state is Shown.OPEN and row["state"] == "parked")
    ]
    shown = chosen if as_json else [{name: row[name] for name in FOR_PEOPLE} for row in chosen]
    commands.show(shown, title="Cases", as_json=as_json)


@case_app.command("show")
def show_case(case: Begins, *, as_json: Json = False) -> None:
    """Show one case: what was found, what was decided and why, and how far it is.

    Example: patchline case show 3f0e2a91
    """
    row, steps, exposures = commands.run(_story(case))
    if as_json:
        commands.show([row | {"steps": steps, "found": exposures}], title="Case", as_json=True)
        return
    commands.show([{"what": name, "is": value} for name, value in row.items()], title="Case", as_json=False)
    commands.show(exposures, title="Exposures", as_json=False)
    commands.show(steps, title="Steps", as_json=False)


@case_app.command("retry")
def retry_case(
    case: Annotated[str | None, typer.Argument(help="The case's id, or how it begins.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every step that is parked.")] = False,
    as_json: Json = False,
) -> None:
    """Try again what is parked. One case that waits is decided again too, with what is known now.

    Example: patchline case retry 3f0e2a91
    """
    if (case is None) == (not every):
        commands.stop("name one case, or say --all", commands.WRONG_USE)
    rows = commands.run(_retry(case))
    if not rows:
        commands.stop("nothing waits to be tried again; see: patchline case list --state parked", commands.NO)
    commands.show(rows, title="Tried again", as_json=as_json)


@case_app.command("told")
def told_owner(
    case: Begins,
    *,
    how: Annotated[str, typer.Option("--how", help="How and when, for example: by phone, 10:15, Olive Owner.")],
    as_json: Json = False,
) -> None:
    """Note that you told the client's owner yourself, where no mail could.

    Example: patchline case told 3f0e2a91 --how "by phone at 10:15, Olive Owner"
    """
    rows = commands.run(_told(case, how))
    if not rows:
        commands.stop(f"{case} is closed already; see: patchline case show {case}", commands.NO)
    commands.show(rows, title="Told", as_json=as_json)


@case_app.command("held")
def list_held(*, client: Client = None, as_json: Json = False) -> None:
    """List exposures that are held, because their delivery names more accounts than the client's cap.

    Example: patchline case held
    """
    commands.show(commands.run(_held(client)), title="Held", as_json=as_json)


@case_app.command("release")
def release_held(
    source: Annotated[str, typer.Argument(help="The feed's place, for example exposure/spycloud/main.")],
    *,
    client: Annotated[str, typer.Option("--client", help="The client, by name.")],
    as_json: Json = False,
) -> None:
    """Let held exposures of one client and feed become cases. Batches and breakers hold for them as for all.

    Example: patchline case release exposure/spycloud/main --client "Acme Dental"
    """
    count = commands.run(_release(client, source))
    if not count:
        commands.stop("nothing of that client and feed is held; see: patchline case held", commands.NO)
    commands.show([{"client": client, "source": source, "released": count}], title="Released", as_json=as_json)


async def _cases(client: str | None) -> list[dict[str, Any]] | None:
    """Return the cases, of all clients or of one; `None`: there is no such client."""
    async with _operating() as tx:
        if client is not None and not await store_commands.is_client(tx, client):
            return None
        return await store_commands.cases(tx, client)


async def _story(begins: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    async with _operating() as tx:
        row = await _only(tx, begins)
        return row, *await store_commands.story(tx, row["id"])


async def _only(tx: Connection, begins: str) -> dict[str, Any]:
    """Return the one case whose id begins so.

    Raises:
        NoSuchCase: there is none, or more than one.
    """
    found = await store_commands.cases(tx, None, begins) if len(begins) >= SHORTEST else []
    if len(found) != 1:
        raise NoSuchCase(f"{len(found)} cases have an id that begins with {begins!r}; see: patchline case list")
    return found[0]


async def _retry(begins: str | None) -> list[dict[str, Any]]:
    async with _operating() as tx:
        case: UUID | None = None if begins is None else (await _only(tx, begins))["id"]
        rows = await store_commands.retry(tx, case, _now())
    return sorted(rows, key=lambda row: str(row["case"]))


async def _told(begins: str, how: str) -> list[dict[str, Any]]:
    async with _operating() as tx:
        return await store_commands.told(tx, (await _only(tx, begins))["id"], how, _now())


async def _held(client: str | None) -> list[dict[str, Any]]:
    async with _operating() as tx:
        return await store_commands.held(tx, client)


async def _release(client: str, source: str) -> int:
    async with _operating() as tx:
        return await store_commands.release(tx, client, source, _now())


def _now() -> datetime:
    return moved_clock(commands.command_settings().clock_offset_seconds)()


@asynccontextmanager
async def _operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, for all clients."""
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        yield connection

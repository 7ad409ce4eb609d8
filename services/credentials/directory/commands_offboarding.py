"""`patchline offboarding`: who leaves, what is to be done about it by the client's list, and who did it when."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final, NoReturn
from zoneinfo import ZoneInfo

import typer

from chassis import commands
from chassis.postgres import Connection
from services.credentials.directory import rules_identity
from services.credentials.directory import store_commands_offboarding as store
from services.credentials.directory.store_commands_offboarding import Leaving, Place
from services.credentials.guard.options import Json, said
from services.credentials.guard.policy import STRICT, GuardPolicy
from services.credentials.guard.store_commands import operating

offboarding_app: Final = typer.Typer(
    no_args_is_help=True, help="Offboarding: who leaves a client, by a list, with who did what when."
)

FOR_PEOPLE: Final = ("client", "login", "leaves_at", "done", "items", "live_accounts", "todo")
"""The columns that fit a terminal; the rest is in the JSON."""

NOTE_CHARACTERS: Final = 500

OfClient = Annotated[str, typer.Option("--client", help="The client, by name.")]
Login = Annotated[str, typer.Argument(help="The login of who leaves.")]


@offboarding_app.command("start")
def start_offboarding(
    login: Login,
    *,
    client: OfClient,
    last_day: Annotated[
        str | None,
        typer.Option(help="The last day, like 2026-11-30; accounts must be dead when it is over. [default: now]"),
    ] = None,
    without_account: Annotated[
        bool, typer.Option("--without-account", help="No directory that we read has this login; keep the list anyway.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin the offboarding of one person by the client's checklist. Monitors watch the accounts from the last day on.

    Example: patchline offboarding start kim@acme.example --client "Acme Dental" --last-day 2026-11-30
    """
    rows = commands.run(_start(rules_identity.login_of(login), client, last_day, without_account=without_account))
    commands.show(rows, title=f"Offboarding of {login}", as_json=as_json)


async def _start(login: str, client: str, last_day: str | None, *, without_account: bool) -> list[dict[str, Any]]:
    who = said("")
    async with operating() as tx:
        place = await _place(tx, client)
        accounts = await store.accounts_of(tx, place.tenant, login)
        if not accounts and not without_account:
            commands.stop(f"no account of {client} has the login {login!r}; --without-account if so", commands.NO)
        policy = STRICT if place.document is None else GuardPolicy.model_validate(place.document)
        leaving = Leaving(
            tenant=place.tenant,
            login=login,
            accounts=accounts,
            leaves_at=who.at if last_day is None else _end_of(last_day, place.zone),
            items=policy.hygiene.offboarding,
        )
        if not await store.start(tx, leaving, by=who.by, at=who.at):
            commands.stop(f"{login} is being offboarded already; see: patchline offboarding list", commands.NO)
        return await store.items(tx, place.tenant, login)


@offboarding_app.command("done")
def complete_items(
    login: Login,
    numbers: Annotated[list[int], typer.Argument(help="The numbers of what is done, as `offboarding show` has them.")],
    *,
    client: OfClient,
    note: Annotated[str | None, typer.Option(help="What there is to say about it; never a secret.")] = None,
    as_json: Json = False,
) -> None:
    """Say that items of the list are done. Who says so and when is kept, and is not changed again.

    Example: patchline offboarding done kim@acme.example 1 2 --client "Acme Dental" --note "ticket 4711"
    """
    if note is not None and len(note) > NOTE_CHARACTERS:
        commands.stop(f"--note: at most {NOTE_CHARACTERS} characters", commands.WRONG_USE)
    rows = commands.run(_complete(rules_identity.login_of(login), client, numbers, note))
    commands.show(rows, title=f"Offboarding of {login}", as_json=as_json)


async def _complete(login: str, client: str, numbers: list[int], note: str | None) -> list[dict[str, Any]]:
    who = said("")
    async with operating() as tx:
        place = await _place(tx, client)
        known = {row["number"] for row in await store.items(tx, place.tenant, login)}
        if not known:
            _stop_none(login)
        if strange := sorted(set(numbers) - known):
            commands.stop(f"the list has no number {strange[0]}; see: patchline offboarding show", commands.WRONG_USE)
        done = await store.complete(
            tx, place.tenant, login, numbers=sorted(set(numbers)), by=who.by, at=who.at, note=note
        )
        if not done:
            commands.stop("all of that was done before; see: patchline offboarding show", commands.NO)
        return await store.items(tx, place.tenant, login)


@offboarding_app.command("show")
def show_offboarding(login: Login, *, client: OfClient, as_json: Json = False) -> None:
    """Show the list of one person, with who did what when.

    Example: patchline offboarding show kim@acme.example --client "Acme Dental"
    """
    rows = commands.run(_items(rules_identity.login_of(login), client))
    commands.show(rows, title=f"Offboarding of {login}", as_json=as_json)


async def _items(login: str, client: str) -> list[dict[str, Any]]:
    async with operating() as tx:
        place = await _place(tx, client)
        rows = await store.items(tx, place.tenant, login)
    if not rows:
        _stop_none(login)
    return rows


@offboarding_app.command("call-off")
def call_off_offboarding(login: Login, *, client: OfClient, as_json: Json = False) -> None:
    """Call an offboarding off: the person stays, or came back. What was done stays recorded.

    Example: patchline offboarding call-off kim@acme.example --client "Acme Dental"
    """

    async def call_off() -> bool:
        who = said("")
        async with operating() as tx:
            place = await _place(tx, client)
            return await store.call_off(tx, place.tenant, rules_identity.login_of(login), by=who.by, at=who.at)

    if not commands.run(call_off()):
        _stop_none(login)
    commands.show([{"login": login, "called_off": True}], title="Offboarding", as_json=as_json)


@offboarding_app.command("list")
def list_offboardings(
    *,
    client: Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")] = None,
    called_off: Annotated[bool, typer.Option("--called-off", help="Also those that were called off.")] = False,
    as_json: Json = False,
) -> None:
    """List who leaves or left: what is not done, and how many of their accounts are still enabled.

    Example: patchline offboarding list --client "Acme Dental" --json
    """

    async def every() -> list[dict[str, Any]]:
        async with operating() as tx:
            if client is not None:
                await _place(tx, client)
            return await store.every(tx, client, with_called_off=called_off)

    rows = commands.run(every())
    shown = rows if as_json else [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(shown, title="Offboardings", as_json=as_json)


async def _place(tx: Connection, client: str) -> Place:
    place = await store.place_of(tx, client)
    if place is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    return place


def _end_of(day: str, zone: str) -> datetime:
    """Return when a day is over in the client's zone."""
    try:
        after = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError):
        commands.stop(f"--last-day {day!r}: it is written like 2026-11-30", commands.WRONG_USE)
    return datetime.combine(after, time(), ZoneInfo(zone))


def _stop_none(login: str) -> NoReturn:
    commands.stop(f"nobody called {login!r} is being offboarded; see: patchline offboarding list", commands.NO)

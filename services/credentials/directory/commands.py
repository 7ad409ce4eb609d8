"""`patchline directory`: where each client's accounts are read from, and whether what we know is fresh."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console

from chassis import commands
from services.credentials.adapters.link import Kind, Link, options_of
from services.credentials.directory import store_commands
from services.credentials.directory.store_commands import Added, Changed
from services.credentials.guard.options import Json, now
from services.credentials.guard.store_commands import operating, tenant_of

directory_app: Final = typer.Typer(
    no_args_is_help=True, help="Directories: where each client's accounts are read, and reset."
)

FOR_PEOPLE: Final = ("client", "directory", "kind", "enabled", "fresh_at", "accounts", "privileged", "domains", "error")
"""The columns that fit a terminal; the rest is in the JSON."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
WAIT: Final = timedelta(minutes=10)
NOBODY_CAME: Final = timedelta(seconds=30)
LOOK_EVERY_SECONDS: Final = 0.5
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}

Name = Annotated[str, typer.Argument(help="Our name for the directory, for example acme-ad.")]
OfClient = Annotated[str, typer.Option("--client", help="The client, by name.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting of its kind, NAME=VALUE; docs/directories lists them. Never a secret."),
]
Every = Annotated[str, typer.Option(help="How often it is read: 90s, 15m, 2h.")]


@directory_app.command("add")
def add_directory(  # noqa: PLR0913 - one argument per option
    name: Name,
    *,
    client: OfClient,
    kind: Annotated[Kind, typer.Option(help="What it is.")],
    secret: Annotated[str, typer.Option(help="Name of the secret's file below PATCHLINE_DIRECTORY_SECRETS_DIR.")],
    settings: Settings = None,
    every: Every = "15m",
    as_json: Json = False,
) -> None:
    """Add a client's directory; it is read at once, and then so often.

    Example: patchline directory add acme-ad --client "Acme Dental" --kind active-directory --secret acme-ad.password
    --set url=ldaps://dc1.acme.example --set user=patchline@acme.example --set ca=acme-ca.pem
    """
    if not NAME.fullmatch(name):
        commands.stop(f"{name!r} is no name: small letters, digits and hyphens, at most 63", commands.WRONG_USE)
    options, every_seconds = _options(settings), _seconds(every)
    row = commands.run(_add(client, (name, kind, secret), options, every_seconds))
    commands.show([row], title="Directory", as_json=as_json)


async def _add(
    client: str, said: tuple[str, Kind, str], options: dict[str, str], every_seconds: int
) -> dict[str, object]:
    name, kind, secret = said
    async with operating() as tx:
        tenant = await tenant_of(tx, client)
        if tenant is None:
            commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
        _check(Link(tenant=tenant, directory=name, kind=kind, options=options, secret=secret))
        added = Added(name=name, tenant=tenant, kind=kind, options=options, secret=secret, every_seconds=every_seconds)
        if not await store_commands.add(tx, added, now()):
            commands.stop(f"the name {name!r} is taken; see: patchline directory list", commands.NO)
    return {"client": client, "directory": name, "kind": kind, "secret": secret, "every_seconds": every_seconds}


@directory_app.command("change")
def change_directory(
    name: Name,
    *,
    settings: Settings = None,
    secret: Annotated[str | None, typer.Option(help="Name of another file with the secret.")] = None,
    every: Annotated[str | None, typer.Option(help="How often it is read: 90s, 15m, 2h.")] = None,
    enabled: Annotated[
        bool | None, typer.Option("--on/--off", help="Read it, or not any more: then it goes stale, nobody is reset.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change how a directory is reached; what is not named stays. It is read at once.

    Example: patchline directory change acme-ad --set url=ldaps://dc2.acme.example
    """
    if settings is None and secret is None and every is None and enabled is None:
        commands.stop("nothing to change; see: patchline directory change --help", commands.WRONG_USE)
    every_seconds = None if every is None else _seconds(every)
    changed = Changed(secret=secret, every_seconds=every_seconds, enabled=enabled)
    commands.run(_change(name, changed, _options(settings)))
    commands.show([{"directory": name, "changed": True}], title="Directory", as_json=as_json)


async def _change(name: str, changed: Changed, more: dict[str, str]) -> None:
    async with operating() as tx:
        row = await store_commands.load_for_update(tx, name)
        if row is None:
            _stop_unknown(name)
        options = row["options"] | more
        secret = changed.secret or row["secret"]
        _check(Link(tenant=row["tenant_id"], directory=name, kind=Kind(row["kind"]), options=options, secret=secret))
        kept = Changed(options=options, secret=secret, every_seconds=changed.every_seconds, enabled=changed.enabled)
        await store_commands.change(tx, name, kept, now())


@directory_app.command("remove")
def remove_directory(name: Name, *, as_json: Json = False) -> None:
    """Forget a directory and every account that it showed. Cases, tickets and the audit stay.

    Example: patchline directory remove acme-old
    """

    async def remove() -> bool:
        async with operating() as tx:
            return await store_commands.remove(tx, name)

    if not commands.run(remove()):
        _stop_unknown(name)
    commands.show([{"directory": name, "removed": True}], title="Directory", as_json=as_json)


@directory_app.command("list")
def list_directories(
    *,
    client: Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")] = None,
    as_json: Json = False,
) -> None:
    """List the directories, and when each was last read whole. One that was read too long ago resets nobody.

    Example: patchline directory list --client "Acme Dental" --json
    """

    async def every() -> list[dict[str, Any]]:
        async with operating() as tx:
            return await store_commands.every(tx, client)

    rows = commands.run(every())
    shown = rows if as_json else [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(shown, title="Directories", as_json=as_json)


@directory_app.command("sync")
def sync_directory(
    name: Name,
    *,
    fewer_is_right: Annotated[
        bool, typer.Option("--fewer-is-right", help="It may show far fewer accounts than before: they really left.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it was read.")] = True,
    as_json: Json = False,
) -> None:
    """Have a directory read now, and wait until it was.

    Example: patchline directory sync acme-ad
    """
    row = commands.run(_sync(name, fewer_is_right=fewer_is_right, wait=wait, quiet=as_json))
    commands.show([row], title="Directory", as_json=as_json)


async def _sync(name: str, *, fewer_is_right: bool, wait: bool, quiet: bool) -> dict[str, object]:
    asked_at = now()
    async with operating() as tx:
        enabled = await store_commands.ask(tx, name, asked_at, fewer_is_right=fewer_is_right)
    if enabled is None:
        _stop_unknown(name)
    if not enabled:
        commands.stop(f"{name} is switched off; see: patchline directory change {name} --on", commands.NO)
    if not wait:
        return {"directory": name, "asked_at": asked_at}
    return await _read_since(name, asked_at, quiet=quiet)


async def _read_since(name: str, asked_at: datetime, *, quiet: bool) -> dict[str, object]:
    """Return what a reading that began at or after `asked_at` showed; stop where it failed or nobody came to read."""
    with Console(stderr=True, quiet=quiet).status(f"{name}: waiting for its turn") as status:
        while True:
            async with operating() as tx:
                row = await store_commands.progress(tx, name, asked_at)
            if row is None:
                _stop_unknown(name)
            if now() - asked_at > WAIT:
                commands.stop(f"{name} is still being read; see: patchline directory list", commands.UNREACHABLE)
            if row["fresh_at"] is not None and row["fresh_at"] >= asked_at:
                return {"directory": name, "fresh_at": row["fresh_at"], "accounts": row["accounts"]}
            if row["failed_at"] is not None and row["failed_at"] >= asked_at:
                commands.stop(f"{name} could not be read: {row['last_error']}", commands.NO)
            if row["leased_until"] is None and now() - asked_at > NOBODY_CAME:
                commands.stop("nobody reads directories; is credentials running?", commands.UNREACHABLE)
            if row["seen"]:
                status.update(f"{name}: {row['seen']} accounts so far")
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _check(link: Link) -> None:
    """Stop where a setting of the kind is missing, wrong or unknown."""
    from services.credentials.adapters.options import OPTIONS  # noqa: PLC0415 - 1 s that other commands need not wait

    options_of(link, OPTIONS[link.kind])


def _options(settings: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in settings or []]
    for name, sign, _ in pairs:
        if not sign or not name:
            commands.stop(f"--set {name!r}: it is written NAME=VALUE", commands.WRONG_USE)
    return {name: value for name, _, value in pairs}


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 60 <= seconds <= 24 * 3600:
        commands.stop(f"--every {text!r}: it is written like 15m, at least 1m and at most 24h", commands.WRONG_USE)
    return seconds


def _stop_unknown(name: str) -> NoReturn:
    commands.stop(f"there is no directory {name!r}; see: patchline directory list", commands.NO)

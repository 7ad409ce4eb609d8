"""`patchline approver`: who may decide about accounts that a machine must not touch alone."""

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.errors import NeverWorks
from chassis.postgres import Connection
from services.credentials.people import keys, store_commands
from services.credentials.people.records import Approver, Role
from services.credentials.people.rules_approvals import folded, same_person
from services.credentials.people.rules_ballots import fingerprint

approver_app: Final = typer.Typer(
    no_args_is_help=True, help="Approvers: who may decide about accounts that a machine must not touch alone."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(envvar="PATCHLINE_PASSPHRASE_FILE", help="File with the key's passphrase; else you are asked for it."),
]
COLUMNS: Final = ("name", "mail", "role", "clients", "key", "enrolled_at", "revoked_at", "approver")


class NotEnrolled(NeverWorks):
    """Somebody cannot be enrolled; the text says why."""


@approver_app.command("key")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where to write it; readable by you alone.")],
    *,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make your own key, on your own machine. Give the public key to an operator; the file never leaves you.

    Example: patchline approver key ~/.patchline-approver.json
    """
    passphrase = passphrase_of(passphrase_file, is_new=True)
    try:
        public_key = keys.make(file, passphrase)
    except keys.WrongKey as error:
        commands.stop(str(error), commands.WRONG_USE)
    shown = {"file": str(file), "public_key": public_key, "key": fingerprint(keys.public_key_of(public_key))}
    commands.show([shown], title="Your key", as_json=as_json)


@approver_app.command("enroll")
def enroll(  # noqa: PLR0913 - the options of a command
    name: Annotated[str, typer.Argument(help="The person's name.")],
    *,
    mail: Annotated[str, typer.Option(help="Where links are mailed to.")],
    public_key: Annotated[str, typer.Option(help="As `patchline approver key` showed it to them.")],
    account: Annotated[
        list[str] | None, typer.Option(help="A login or id by which a directory knows this person. Repeat it.")
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(help="Decides for this client only. Repeat it; without: for every client.")
    ] = None,
    role: Annotated[
        Role, typer.Option(help="approver: decides about resets. owner: signs for their client, decides no reset.")
    ] = Role.APPROVER,
    as_json: Json = False,
) -> None:
    """Enrol somebody who may decide. Check by phone that the key's fingerprint is theirs.

    Example: patchline approver enroll "Ada Ahn" --mail ada@msp.example --public-key mK7…= --account ada@acme.example
    """
    row = commands.run(_enroll(name, mail, public_key, accounts=account or [], clients=client or [], role=role))
    commands.show([row], title="Enrolled", as_json=as_json)


@approver_app.command("list")
def list_approvers(
    *,
    with_revoked: Annotated[bool, typer.Option("--all", help="Those who were revoked, too.")] = False,
    as_json: Json = False,
) -> None:
    """List who may decide, for whom, and with which key.

    Example: patchline approver list --json
    """
    rows = commands.run(_list(with_revoked=with_revoked))
    shown = rows if as_json else [{name: row[name] for name in COLUMNS} for row in rows]
    commands.show(shown, title="Approvers", as_json=as_json)


@approver_app.command("revoke")
def revoke(
    who: Annotated[str, typer.Argument(help="Their id, address or name.")],
    *,
    why: Annotated[str, typer.Option(help="What is kept as the reason.")],
    as_json: Json = False,
) -> None:
    """Let somebody decide no more. What they agreed to and was not done yet holds no longer. It cannot be undone.

    Example: patchline approver revoke ada@msp.example --why "left the company"
    """
    rows = commands.run(_revoke(who, why))
    if not rows:
        commands.stop(f"nobody enrolled is called {who!r}; see: patchline approver list", commands.NO)
    commands.show(rows, title="Revoked", as_json=as_json)


@asynccontextmanager
async def operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, for all clients."""
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        yield connection


def passphrase_of(file: Path | None, *, is_new: bool = False) -> str:
    """Return the passphrase from its file, or ask the person for it; it is never an argument."""
    if file is None:
        typed: str = typer.prompt("Passphrase of your key", hide_input=True, confirmation_prompt=is_new)
        return typed
    try:
        return file.read_text().rstrip("\n")
    except OSError as error:
        commands.stop(f"{file}: {error.strerror}", commands.WRONG_USE)


def whoever() -> str:
    """Return who types, as this machine knows them."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


async def _enroll(
    name: str, mail: str, public_key: str, *, accounts: list[str], clients: list[str], role: Role
) -> dict[str, object]:
    key = keys.public_key_of(public_key)
    if mail.count("@") != 1 or any(each.isspace() or each in "<>,;" for each in mail):
        raise NotEnrolled(f"--mail: {mail!r} is not an address")
    if role is Role.OWNER and not clients:
        raise NotEnrolled("--client: an owner is one client's, name it")
    now = moved_clock(commands.command_settings().clock_offset_seconds)()
    async with operating() as tx:
        tenants = await store_commands.clients(tx, clients)
        if missing := [each for each in clients if each not in tenants]:
            raise NotEnrolled(f"there is no client called {missing[0]!r}; see: patchline client list")
        new = Approver(
            id=keys.approver_id(key),
            name=name,
            mail=folded(mail),
            accounts=frozenset(folded(each) for each in accounts),
            tenants=frozenset(tenants.values()) if clients else None,
            public_key=key,
            enrolled_at=now,
            enrolled_by=whoever(),
            role=role,
        )
        if other := same_person(new, await store_commands.all_approvers(tx)):
            raise NotEnrolled(
                f"{other.name} <{other.mail}> has that key, address or account: two people are two people"
            )
        await store_commands.enroll(tx, new)
    return {"approver": new.id, "name": name, "mail": new.mail, "key": fingerprint(key), "enrolled_by": whoever()}


async def _list(*, with_revoked: bool) -> list[dict[str, object]]:
    async with operating() as tx:
        return await store_commands.listed(tx, with_revoked=with_revoked)


async def _revoke(who: str, why: str) -> list[dict[str, object]]:
    now = moved_clock(commands.command_settings().clock_offset_seconds)()
    async with operating() as tx:
        rows = await store_commands.revoke(tx, who, at=now, by=whoever(), why=why)
        if len(rows) > 1:
            raise NotEnrolled(f"{len(rows)} people are called {who!r}: name an id; see: patchline approver list")
        return rows

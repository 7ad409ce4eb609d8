"""`patchline identity`: who is who at a client, and why each account counts as what it does."""

from typing import Annotated, Any, Final

import typer

from chassis import commands
from contracts.events.credential import AccountKind
from services.credentials.directory import rules_identity, store_commands
from services.credentials.directory.store_commands import Wanted
from services.credentials.guard.options import Json
from services.credentials.guard.store_commands import operating, tenant_of

identity_app: Final = typer.Typer(no_args_is_help=True, help="Identities: who is who in a client's directories.")

FOR_PEOPLE: Final = ("login", "kind", "privileged", "enabled", "why", "authority", "mfa", "directory")
"""The columns that fit a terminal; the rest is in the JSON."""

OF_ONE: Final = (
    *("client", "directory", "object_id", "login", "kind", "why", "privileged", "enabled", "authority", "mfa"),
    *("password_changed_at", "last_used_at", "read_at", "gone_at"),
)
MOST: Final = 1000

OfClient = Annotated[str, typer.Option("--client", help="The client, by name.")]


@identity_app.command("list")
def list_identities(  # noqa: PLR0913 - one argument per option
    *,
    client: OfClient,
    kind: Annotated[AccountKind | None, typer.Option(help="Only accounts of this kind.")] = None,
    privileged: Annotated[bool, typer.Option("--privileged", help="Only accounts that have power.")] = False,
    directory: Annotated[str | None, typer.Option(help="Only accounts of this directory.")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Also accounts that are not there any more.")] = False,
    most: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = MOST,
    as_json: Json = False,
) -> None:
    """List a client's accounts: what kind each is and why. Only persons are ever reset without somebody's approval.

    Example: patchline identity list --client "Acme Dental" --privileged
    """
    wanted = Wanted(
        client=client, kind=kind, only_privileged=privileged, directory=directory, with_gone=gone, most=most
    )
    _show(_found(wanted), FOR_PEOPLE, as_json=as_json)


@identity_app.command("show")
def show_identity(
    login: Annotated[str, typer.Argument(help="A login of the account, or its immutable id.")],
    *,
    client: OfClient,
    as_json: Json = False,
) -> None:
    """Show everything that is known of one account; of several, where directories overlap.

    Example: patchline identity show kim@acme.example --client "Acme Dental"
    """
    wanted = Wanted(client=client, login=rules_identity.login_of(login), object_id=login, with_gone=True)
    rows = _found(wanted)
    if not rows:
        commands.stop(f"no account of {client} has the login or the id {login!r}", commands.NO)
    if as_json:
        _show(rows, OF_ONE, as_json=True)
        return
    for row in rows:
        pairs = [{"what": name, "is": row[name]} for name in OF_ONE]
        pairs += [{"what": f"power {number}", "is": each} for number, each in enumerate(_powers(row), 1)]
        commands.show(pairs, title=str(row["login"]), as_json=False)


def _powers(row: dict[str, Any]) -> list[str]:
    return [*row["account"]["privileges"], *(f"{each} (can take it)" for each in row["account"]["eligible"])]


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    shown = rows if as_json else [{name: row[name] for name in columns} for row in rows]
    commands.show(shown, title="Identities", as_json=as_json)


def _found(wanted: Wanted) -> list[dict[str, Any]]:
    rows = commands.run(_identities(wanted))
    if rows is None:
        commands.stop(f"there is no client called {wanted.client!r}; see: patchline client list", commands.NO)
    return rows


async def _identities(wanted: Wanted) -> list[dict[str, Any]] | None:
    async with operating() as tx:
        if await tenant_of(tx, wanted.client) is None:
            return None
        return await store_commands.identities(tx, wanted)

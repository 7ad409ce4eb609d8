"""`patchline breaker`: what stops resets, for one client or for all, and who arms it again."""

from datetime import datetime
from typing import Annotated, Any, Final

import asyncpg
import typer

from chassis import commands
from contracts.events.credential import BreakerState
from services.credentials.guard import store_commands
from services.credentials.guard.options import Client, Global, Json, chosen, now, said, stop_without_client
from services.credentials.guard.records import EVERYONE
from services.credentials.guard.store_guard import HOUR

breaker_app: Final = typer.Typer(
    no_args_is_help=True, help="What stops resets. Tripped or killed, it stays so until a person arms it again."
)

Why = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit. A must.")]


@breaker_app.command()
def status(*, client: Client = None, as_json: Json = False) -> None:
    """Show the breaker for all clients and each client's, with the accounts acted on and named in the last hour.

    Example: patchline breaker status --client "Acme Dental"
    """
    rows = commands.run(_status(client))
    if rows is None:
        stop_without_client(client)
    commands.show([_row(row) for row in rows], title="Breakers", as_json=as_json)


async def _status(client: str | None) -> list[asyncpg.Record] | None:
    async with store_commands.operating() as tx:
        tenant = None
        if client is not None and (tenant := await store_commands.tenant_of(tx, client)) is None:
            return None
        return await store_commands.status(tx, tenant, now() - HOUR)


def _row(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "client": row["name"] if row["tenant_id"] != EVERYONE else "(all clients)",
        "state": row["state"],
        "why": row["why"] or None,
        "by": row["moved_by"] or None,
        "since": _moment(row["moved_at"]),
        "acted_in_hour": row["acted"],
        "privileged_in_hour": row["privileged"],
        "failed_in_hour": row["failed"],
        "named_in_hour": row["named"],
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


@breaker_app.command()
def arm(*, client: Client = None, everyone: Global = False, reason: Why, as_json: Json = False) -> None:
    """Let resets go on. What was counted before counts no more; what tripped it is looked at first.

    Example: patchline breaker arm --client "Acme Dental" --reason "the feed repeated a list of 2019"
    """
    _move(BreakerState.ARMED, client, everyone=everyone, reason=reason, as_json=as_json)


@breaker_app.command()
def trip(*, client: Client = None, everyone: Global = False, reason: Why, as_json: Json = False) -> None:
    """Begin no further reset. Where a password is invalid already, the sessions are still ended.

    Example: patchline breaker trip --global --reason "the vendor announced a faulty export"
    """
    _move(BreakerState.TRIPPED, client, everyone=everyone, reason=reason, as_json=as_json)


@breaker_app.command()
def kill(*, client: Client = None, everyone: Global = False, reason: Why, as_json: Json = False) -> None:
    """Write nothing more in the client's directories, within a second. Tickets and notices go on.

    Example: patchline breaker kill --client "Acme Dental" --reason "their administrator called"
    """
    _move(BreakerState.KILLED, client, everyone=everyone, reason=reason, as_json=as_json)


def _move(state: BreakerState, client: str | None, *, everyone: bool, reason: str, as_json: bool) -> None:
    chosen(client, everyone=everyone)
    if not reason.strip():
        commands.stop("--reason: say why; it goes into the audit", commands.WRONG_USE)
    outcome = commands.run(_moved(state, client, reason))
    if outcome is None:
        stop_without_client(client)
    if isinstance(outcome, BreakerState):
        commands.stop(f"the breaker is {outcome.value}, and stays so", commands.NO)
    commands.show([outcome], title="Breaker", as_json=as_json)


async def _moved(state: BreakerState, client: str | None, reason: str) -> dict[str, object] | BreakerState | None:
    words = said(reason)
    async with store_commands.operating() as tx:
        tenant = await store_commands.tenant_of(tx, client)
        if tenant is None:
            return None
        stays = await store_commands.move(tx, tenant, state, words)
    if stays is not None:
        return stays
    return {"client": client or "(all clients)", "state": state.value, "why": words.reason, "by": words.by}

"""`patchline ticket`: the tickets, what each waits for, and another try for what the tracker refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Annotated, Final, LiteralString

import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.postgres import Connection

ticket_app: Final = typer.Typer(no_args_is_help=True, help="Tickets: what was raised, and what is stuck.")


class Shown(StrEnum):
    """What a ticket is for whoever lists them."""

    OPEN = "open"
    RESOLVED = "resolved"
    CLOSED = "closed"
    WAITING = "waiting"
    PARKED = "parked"


Client = Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")]
State = Annotated[
    Shown | None,
    typer.Option(
        "--state",
        help="open, resolved (by us), closed (by a person); waiting: something is still to be done at the tracker; "
        "parked: the tracker refused, a person must look.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Key = Annotated[str | None, typer.Argument(help="The ticket's key, for example pl-patch_failed-...-g1.")]
All = Annotated[bool, typer.Option("--all", help="Every ticket that is parked.")]

FOR_PEOPLE: Final = ("client", "number", "title", "state", "failing", "failures", "todo", "reason", "ticket")
"""The columns that fit a terminal; the rest is in the JSON."""

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(
        gateway.all_tenants() || '00000000-0000-0000-0000-000000000000'::uuid, ','), true)  -- what is about all of them
"""
TICKETS: Final[LiteralString] = """
    SELECT coalesce(c.name, t.tenant_id::text) AS client, t.external AS number, t.title, t.state, t.kind, t.subject,
           t.generation, t.adopted_by, d.failing, d.devices, d.failures,
           CASE WHEN todo.state = 'parked' THEN 'parked: ' || todo.kind ELSE todo.kind END AS todo,
           CASE WHEN todo.kind IS NOT NULL THEN coalesce(todo.reason, CASE WHEN c.name IS NULL
                THEN 'waits until the client is known' END) END AS reason,
           ARRAY(SELECT m.external FROM ticketing.merged AS m WHERE m.ticket_key = t.ticket_key ORDER BY m.external)
               AS merged,
           todo.state AS todo_state, todo.attempts, t.created_at, t.ticket_key AS ticket
    FROM ticketing.ticket AS t
    LEFT JOIN ticketing.client AS c USING (tenant_id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS devices, count(*) FILTER (WHERE cleared_as IS NULL) AS failing,
               coalesce(sum(failures), 0)::bigint AS failures
        FROM ticketing.ticket_device AS each WHERE each.ticket_key = t.ticket_key
    ) AS d
    LEFT JOIN LATERAL (
        SELECT kind, state, reason, attempts
        FROM ticketing.intent AS i WHERE i.ticket_key = t.ticket_key AND i.state <> 'done' ORDER BY number LIMIT 1
    ) AS todo ON true
    WHERE ($1::text IS NULL OR c.name = $1)
      AND ($2::text IS NULL OR t.state = $2 OR todo.state = $2
           OR ($2 = 'waiting' AND todo.state IN ('pending', 'leased', 'uncertain')))
    ORDER BY client, t.created_at, t.ticket_key
"""
IS_CLIENT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM ticketing.client WHERE name = $1)"


@ticket_app.command("list")
def list_tickets(*, client: Client = None, state: State = None, as_json: Json = False) -> None:
    """List the tickets, and of each the first thing that is still to be done at the tracker.

    Example: patchline ticket list --state parked
    """
    rows = commands.run(_tickets(client, state))
    if rows is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    shown = rows if as_json else [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(shown, title="Tickets", as_json=as_json)


@ticket_app.command("retry")
def retry_ticket(key: Key = None, *, every: All = False, as_json: Json = False) -> None:
    """Try again what the tracker refused. Mend first what `patchline ticket list --state parked` names.

    Example: patchline ticket retry --all
    """
    if (key is None) == (not every):
        commands.stop("name one ticket, or say --all", commands.WRONG_USE)
    rows = commands.run(_retry(key))
    if not rows:
        commands.stop(f"{key or 'nothing'} is not parked; see: patchline ticket list --state parked", commands.NO)
    commands.show(rows, title="Tried again", as_json=as_json)


async def _tickets(client: str | None, state: Shown | None) -> list[dict[str, object]] | None:
    """Return the tickets, of all clients or of one; `None`: there is no such client."""
    async with _operating() as tx:
        if client is not None and not await tx.fetchval(IS_CLIENT, client):
            return None
        return [dict(row) for row in await tx.fetch(TICKETS, client, state)]


RETRY: Final[LiteralString] = """
    UPDATE ticketing.intent SET state = 'pending', due_at = $2
    WHERE state = 'parked' AND ($1::text IS NULL OR ticket_key = $1)
    RETURNING ticket_key AS ticket, kind AS act, attempts, reason
"""


async def _retry(key: str | None) -> list[dict[str, object]]:
    now = moved_clock(commands.command_settings().clock_offset_seconds)()
    async with _operating() as tx:
        return sorted((dict(row) for row in await tx.fetch(RETRY, key, now)), key=lambda row: str(row["ticket"]))


@asynccontextmanager
async def _operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, for all clients."""
    async with commands.operator() as connection, connection.transaction():
        await connection.execute(SEE_ALL_TENANTS)
        yield connection

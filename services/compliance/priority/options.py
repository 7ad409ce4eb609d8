"""What the commands of priorities and triages have in common at the command line."""

from typing import Annotated
from uuid import UUID

import typer

from chassis import commands
from chassis.postgres import Connection
from contracts import ids
from services.compliance.policies import store_commands as clients
from services.compliance.priority import store_commands

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Client = Annotated[str, typer.Option("--client", help="The client, by name.")]
AnyClient = Annotated[str | None, typer.Option("--client", help="Only this client, by name.")]


def requirement_of(text: str) -> UUID:
    """Return the requirement that was typed: its id, or product and train with a slash between."""
    try:
        return UUID(text)
    except ValueError:
        product, slash, train = text.rpartition("/")
    if not slash or not product or not train:
        commands.stop(
            f"{text!r} is no requirement: type its id, or product and train as in 'Windows Server 2022/cumulative'",
            commands.WRONG_USE,
        )
    return ids.requirement_id(product, train)


async def known_requirement(tx: Connection, text: str) -> UUID:
    """Return the requirement that was typed, or stop because no catalog ever had it."""
    requirement = requirement_of(text)
    if not await store_commands.is_requirement(tx, requirement):
        commands.stop(f"no catalog has {text!r}; see: patchline obligation list", commands.NO)
    return requirement


async def tenant_of(tx: Connection, client: str) -> UUID:
    """Return the client of that name, or stop because there is none."""
    tenant = await clients.tenant_of(tx, client)
    if tenant is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    return tenant

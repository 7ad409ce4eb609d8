"""What the commands of policies have in common at the command line."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from chassis import commands
from chassis.errors import NeverWorks
from chassis.postgres import Connection
from chassis.strict_yaml import DocumentRefused
from services.compliance.clocks.recurrence import EARLIEST, LATEST
from services.compliance.policies import store_commands
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.preset import Preset
from services.compliance.policies.reading import policy_of
from services.compliance.typist import now

File = Annotated[Path, typer.Argument(help="A client's policy file; docs/policies.md lists its fields.")]
Client = Annotated[str, typer.Option("--client", help="The client, by name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class NoSuchClient(NeverWorks):
    """A client of that name was never added."""


def read(file: Path) -> tuple[PolicyDocument, tuple[Preset, ...]]:
    """Return the policy that a file describes and its presets, or stop with what is wrong with it."""
    try:
        return policy_of(file.read_bytes())
    except DocumentRefused as error:
        commands.stop(f"{file}: {error}", commands.WRONG_USE)
    except OSError as error:
        commands.stop(f"{file} cannot be read: {error.strerror}", commands.WRONG_USE)


async def tenant_named(tx: Connection, client: str) -> UUID:
    """Return the client of that name.

    Raises:
        NoSuchClient: there is none.
    """
    tenant = await store_commands.tenant_of(tx, client)
    if tenant is None:
        raise NoSuchClient(f"there is no client called {client!r}; see: patchline client list")
    return tenant


def moment_of(text: str | None, option: str) -> datetime:
    """Return the moment that was typed, or now."""
    if text is None:
        return now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        commands.stop(f"{option}: {text!r} is no moment such as 2026-12-01T00:00:00-05:00", commands.WRONG_USE)
    if found.tzinfo is None:
        commands.stop(f"{option}: {text!r} has no offset, such as -05:00 or Z", commands.WRONG_USE)
    if not EARLIEST <= found.date() <= LATEST:
        commands.stop(f"{option}: write a moment from {EARLIEST} to {LATEST}", commands.WRONG_USE)
    return found

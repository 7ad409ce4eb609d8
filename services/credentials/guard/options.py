"""What the commands of the guard have in common at the command line: whose, why, and who types."""

import os
import platform
import pwd
from datetime import datetime
from typing import Annotated, NoReturn

import typer

from chassis import commands
from chassis.clock import moved_clock
from services.credentials.guard.store_commands import Said

Client = Annotated[str | None, typer.Option("--client", help="The client, by name.")]
Global = Annotated[bool, typer.Option("--global", help="What holds for all clients together.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

REASON_CHARACTERS = 500


def chosen(client: str | None, *, everyone: bool) -> None:
    """Stop unless exactly one of a client and all of them is named."""
    if (client is None) != everyone:
        commands.stop("name a client with --client, or say --global", commands.WRONG_USE)


def stop_without_client(client: str | None) -> NoReturn:
    """Stop, because there is no client of that name."""
    commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)


def said(reason: str) -> Said:
    """Return who types this, and when. The name is the account's on this machine: it is no argument.

    It is as good as the machine's accounts are; what needs a proof of who agrees is an approval.
    """
    reason = reason.strip()
    if len(reason) > REASON_CHARACTERS:
        commands.stop(f"--reason: at most {REASON_CHARACTERS} characters", commands.WRONG_USE)
    return Said(by=f"operator {_account()}@{platform.node() or 'unknown'}", reason=reason, at=now())


def now() -> datetime:
    """Return the moment, by the same clock as the processes."""
    return moved_clock(commands.command_settings().clock_offset_seconds)()


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"

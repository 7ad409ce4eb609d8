"""What `patchline source` and `patchline client` share: the operator's transaction, secrets in and out of files."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.postgres import Connection
from services.gateway.registry import store_clients

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@asynccontextmanager
async def operating(new_tenant: UUID | None = None) -> AsyncIterator[Connection]:
    """Yield one transaction of the operator in the gateway's schema, for all clients and `new_tenant`."""
    async with commands.operator() as connection, connection.transaction():
        await store_clients.see_all(connection, new_tenant)
        yield connection


def now() -> datetime:
    """Return the present moment of the running system, whose clock a demo may move."""
    return moved_clock(commands.command_settings().clock_offset_seconds)()


def read_secret(path: Path) -> str:
    """Return the one line in a file; stop with a clear line where there is none."""
    try:
        secret = path.read_text().strip()
    except OSError as error:
        commands.stop(f"{path}: {error.strerror}", commands.WRONG_USE)
    except UnicodeDecodeError:
        commands.stop(f"{path}: not text", commands.WRONG_USE)
    if not secret:
        commands.stop(f"{path}: empty", commands.WRONG_USE)
    return secret


def write_secret(path: Path, secret: str) -> None:
    """Write a secret into a new file that only its owner reads; a file that is there is never overwritten."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
    except OSError as error:
        commands.stop(f"--secret-file {path}: {error.strerror}; name a new file", commands.WRONG_USE)

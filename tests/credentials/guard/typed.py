"""Commands as an operator types them, at the moment of a test's room."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import typer
from typer.testing import Result

from services.credentials.guard.commands import guard_app
from services.credentials.guard.commands_breaker import breaker_app
from services.credentials.guard.commands_levels import levels

Typed = Callable[..., Result]

APP = typer.Typer()
APP.add_typer(guard_app, name="guard")
APP.add_typer(breaker_app, name="breaker")
APP.command("levels")(levels)


async def run(typed: Typed, *arguments: str, code: int = 0) -> Result:
    """Run a command that ends with `code`."""
    answer = await asyncio.to_thread(typed, *arguments)
    assert answer.exit_code == code, answer.output
    return answer


async def rows(typed: Typed, *arguments: str) -> list[dict[str, Any]]:
    """Run a command and return what it shows to machines."""
    found: list[dict[str, Any]] = json.loads((await run(typed, *arguments, "--json")).stdout)
    return found

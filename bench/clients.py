"""Ten clients, each with a source of its own: who sends in the stages that go the whole way to a ticket.

`python -m bench.clients` registers them at the stack whose settings stand in the environment, and prints the secrets.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import httpx
import typer

from bench.sender import Sender
from patchline.demo.typed import typed
from patchline.stack.programs import command_environment
from patchline.stack.stack import Stack

NAMES: Final = tuple(f"Bench client {number}" for number in range(10))
FILE: Final = "bench-clients.json"


@dataclass(frozen=True, slots=True)
class Client:
    """A client, the secret of its source, and where that delivers."""

    name: str
    secret: str

    @property
    def source(self) -> str:
        """Return the name of the client's own source."""
        return source_of(self.name)

    @property
    def path(self) -> str:
        """Return where its deliveries go."""
        return f"/webhooks/rmm/patchline/{self.source}"


def source_of(client: str) -> str:
    """Return what the source of a client is called."""
    return client.lower().replace(" ", "-")


async def registered(stack: Stack) -> list[Client]:
    """Return the clients, added to the stack the first time, once the door believes each of their sources.

    Raises:
        TimeoutError: it does not believe one of them.
    """
    file = stack.home / FILE
    if not file.exists():
        file.write_text(await asyncio.to_thread(_added, stack))
    secrets = json.loads(file.read_text())
    clients = [Client(name, secrets[name]) for name in NAMES]
    async with httpx.AsyncClient(base_url=stack.around.gateway_url, trust_env=False, timeout=10) as door:
        for each in clients:
            await Sender(door, each.secret, path=each.path, client=each.name).until_believed()
    return clients


def _added(stack: Stack) -> str:
    env = {**os.environ, **command_environment(stack.around), "PATCHLINE_HOME": str(stack.home)}
    command = [sys.executable, "-m", "bench.clients"]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def _typed_in() -> dict[str, str]:
    from patchline.main import app  # noqa: PLC0415 - every command of the product, needed in a process of its own only

    patchline = typer.main.get_command(app)
    secrets: dict[str, str] = {}
    for name in NAMES:
        typed(patchline, "client", "add", name, "--zone", "UTC", "--psa-company", name)
        [added] = typed(patchline, "source", "add", "patchline", source_of(name))
        typed(patchline, "client", "map", name, f"patchline/{source_of(name)}", name)
        secrets[name] = added["secret"]
    return secrets


if __name__ == "__main__":
    print(json.dumps(_typed_in()))

"""`python -m simulators.connectwise_served`: serve a sandbox ConnectWise PSA until a signal ends it."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.health import serve
from simulators.connectwise import HOST, KEY_PATH, Sandbox

POLL_SECONDS: Final = 0.01
START_SECONDS: Final = 10.0


class SandboxSettings(BaseSettings):
    """Where it listens, on this machine only, and which companies it has at first: names by identifier, as JSON."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_CONNECTWISE_SANDBOX_", frozen=True)

    port: int = Field(default=0, ge=0, le=65535)
    companies: dict[str, str] = {}


@asynccontextmanager
async def served(companies: Mapping[str, str], *, port: int = 0) -> AsyncIterator[Sandbox]:
    """Yield a sandbox that answers at its `url`; port 0 means any that is free.

    Raises:
        OSError: the port is taken.
        TimeoutError: it does not begin to answer.
    """
    chosen = port or _free_port()
    sandbox = Sandbox(url=f"http://{HOST}:{chosen}")
    sandbox.callbacks.key_url = f"{sandbox.url}{KEY_PATH}"
    sandbox.seed(companies)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(sandbox, host=HOST, port=chosen, stopping=stopping))
        await _answering(chosen, serving)
        try:
            yield sandbox
        finally:
            await sandbox.callbacks.quiet()
            stopping.set()


async def run(settings: SandboxSettings) -> None:
    """Serve until SIGTERM or SIGINT; the first line that is written is the address."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with served(settings.companies, port=settings.port) as sandbox:
        sys.stdout.write(f"{sandbox.url}\n")
        sys.stdout.flush()
        await stopping.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def _answering(port: int, serving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not serving.done():
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                writer.close()
                return


if __name__ == "__main__":
    asyncio.run(run(SandboxSettings()))

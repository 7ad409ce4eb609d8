"""`python -m simulators`: serve the simulated RMMs and directories until a signal ends it."""

import asyncio
import signal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.clock import moved_clock
from chassis.health import serve
from simulators.breach import breach
from simulators.breach_served import Directories
from simulators.day import day
from simulators.rmms import Rmms

DEFAULT_PORT = 18095


class SimulatorSettings(BaseSettings):
    """Which day is simulated, and where its API listens, on this machine only."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_SIMULATOR_", frozen=True)

    port: int = Field(default=DEFAULT_PORT, ge=1, le=65535)
    seed: int = 1
    devices: int = Field(default=400, ge=10, le=100_000)
    clock_offset_seconds: float = 0


async def run(settings: SimulatorSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    url = f"http://127.0.0.1:{settings.port}"
    clock = moved_clock(settings.clock_offset_seconds)
    directories = Directories(breach(seed=settings.seed, now=clock()), url=url, clock=clock)
    rmms = Rmms(day(seed=settings.seed, devices=settings.devices), directories)
    await serve(rmms, host="127.0.0.1", port=settings.port, stopping=stopping)


if __name__ == "__main__":
    asyncio.run(run(SimulatorSettings()))

"""Moves the simulated RMM through its day, by the door that is its own."""

import asyncio
from datetime import datetime
from typing import Final

import httpx

from simulators.fleet import SOURCES

POLL_SECONDS: Final = 90
_RESOURCES: Final = 6
"""A source was read once each of its lists was read to its end."""


class SimulatedRmm:
    """The simulated NinjaOne instances at `url`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Speak through `client`, whose base address is the simulated RMM's."""
        self._client = client

    async def play(self, *, seed: int, devices: int, moment: datetime) -> None:
        """Begin the day that `seed` makes, at `moment`."""
        (await self._client.post("/_day", json={"seed": seed, "devices": devices})).raise_for_status()
        for source in SOURCES:
            if source.polls:
                await self.set(source.name, moment=moment.isoformat())

    async def set(self, source: str, **setting: str) -> None:
        """Set the moment or the mood of one instance."""
        (await self._client.put("/_day", json={"source": source, **setting})).raise_for_status()

    async def until_read(self, *sources: str) -> bool:
        """Wait until each of `sources` was polled since it was last set; return whether that came in time."""
        deadline = asyncio.get_running_loop().time() + POLL_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            told = (await self._client.get("/_day")).json()
            if all(len(told[source]) >= _RESOURCES for source in sources):
                return True
            await asyncio.sleep(0.25)
        return False

"""Moves the simulated RMMs through their day, by the door that is their own."""

from datetime import datetime

import httpx

from simulators.fleet import SOURCES


class SimulatedRmm:
    """The simulated instances of every vendor, behind one address."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Speak through `client`, whose base address is theirs."""
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

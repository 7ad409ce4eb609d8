"""How long it takes until a service that died handles work again, asked of its own metrics."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

import httpx

from patchline.stack.programs import ACCEPT, PROGRAMS, Program
from patchline.stack.stack import Stack
from patchline.stack.supervisor import Death, Supervisor

LOOK_SECONDS: Final = 0.25
_WORK: Final = {ACCEPT.name: "patchline_deliveries_total", "gateway-poll": "patchline_polls_total"}
_RECORDS: Final = "messaging_client_consumed_messages_total"
"""What counts a service's work since its start: answers, polls, or records consumed."""


@dataclass(slots=True)
class Recovery:
    """Times each service from its death until its next work.

    One that dies again before is timed from the first of these deaths, except where it died at a labelled point: to
    reach that it had to work. Only what has work to do recovers: without load nothing is timed.
    """

    stack: Stack
    supervisor: Supervisor
    seconds: list[float] = field(default_factory=list)
    _open: dict[str, float] = field(default_factory=dict)
    _read: int = 0

    def worked(self, name: str, at: float) -> None:
        """Note that a service handled work at this moment of `time.monotonic()`."""
        died_at = self._open.pop(name, None)
        if died_at is not None:
            self.seconds.append(at - died_at)

    def died_at_work(self, death: Death) -> None:
        """Note a death at a labelled point: the service had handled work until then, and is timed anew."""
        self.worked(death.program, death.at)
        self._open[death.program] = death.at

    def was_held(self, name: str) -> None:
        """Time a service that was kept down on purpose from now on."""
        self._open[name] = time.monotonic()

    def taken(self) -> list[float]:
        """Return the times since the last call; whoever has not recovered is timed for the next one."""
        taken, self.seconds = self.seconds, []
        return taken

    async def watch(self) -> None:
        """Time what dies, until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=1) as client:
            while True:
                deaths = self.supervisor.deaths[self._read :]
                self._read += len(deaths)
                for death in deaths:
                    self._open.setdefault(death.program, death.at)
                for program in PROGRAMS:
                    if program.name in self._open and await work_of(client, self.stack, program):
                        self.worked(program.name, time.monotonic())
                await asyncio.sleep(LOOK_SECONDS)


async def work_of(client: httpx.AsyncClient, stack: Stack, program: Program) -> float | None:
    """Return how much work a service has done since its start, by its own metrics; `None`: it does not answer."""
    return await work_at(client, stack.around.health_url(program), program)


async def work_at(client: httpx.AsyncClient, url: str, program: Program) -> float | None:
    """Return how much work the process of a service whose health page is at `url` has done; `None`: no answer."""
    try:
        page = await client.get(f"{url}/metrics")
    except httpx.HTTPError:
        return None
    work = _WORK.get(program.name, _RECORDS)
    return sum(float(line.rpartition(" ")[2]) for line in page.text.splitlines() if line.startswith(work))

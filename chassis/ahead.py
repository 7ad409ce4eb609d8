"""What a clock that ran ahead has left behind: moments further ahead than any that is ever planned, pulled back."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, LiteralString, NamedTuple

from chassis.errors import TRANSIENT, may_work_later
from chassis.platform import Platform
from chassis.postgres import Pool

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0


class Planned(NamedTuple):
    """A table in which moments are planned.

    `pull_back` gets the present as $1, the `farthest` moment that is ever planned as $2, and as $3 the end of a lease
    that is taken now: a lease that ends later than it may was taken by the wrong clock, and its holder may live.
    """

    pull_back: LiteralString
    farthest: timedelta
    lease: timedelta


async def pull_back(pool: Pool, planned: Planned, now: datetime) -> None:
    """Bring back to the present what is planned too far ahead of it."""
    told = await pool.execute(planned.pull_back, now, now + planned.farthest, now + planned.lease)
    if not told.endswith(" 0"):
        log.warning("a clock ran ahead, moments pulled back", extra={"rows": told.rpartition(" ")[2]})


class PulledBack:
    """Looks every few seconds: when the clock goes back by an hour, nothing that was due shall wait for an hour."""

    name = "clock"

    def __init__(self, on: Platform, *planned: Planned) -> None:
        """Look after these tables of the process's own schema."""
        self._on = on
        self._planned = planned

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until `stopping`; while the database is away there is nothing to do."""
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            try:
                for each in self._planned:
                    await pull_back(self._on.pool, each, self._on.clock())
            except TRANSIENT as error:
                if not may_work_later(error):
                    raise
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)

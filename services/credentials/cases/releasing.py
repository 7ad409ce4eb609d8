"""What was held because its delivery names too many becomes cases, once a person has said so: a few at a time."""

import asyncio
import logging
from typing import Final, LiteralString

import asyncpg
from pydantic import TypeAdapter

from chassis.errors import TRANSIENT
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts.events.exposure import ExposureFound
from services.credentials import telling
from services.credentials.cases import arrivals
from services.credentials.cases.records import Sighting
from services.credentials.records import Cause

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
MOST: Final = 50

_FOUND: Final = TypeAdapter(ExposureFound)

RELEASED: Final[LiteralString] = """
    SELECT event_id, tenant_id, source, found, occurred_at, received_at
    FROM exposure
    WHERE case_id IS NULL AND released_at IS NOT NULL
    ORDER BY recorded_at, event_id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
"""


async def load_released(tx: Connection, most: int) -> list[Sighting]:
    """Return exposures that were held and are released, the oldest first, locked."""
    return [_sighting(row) for row in await tx.fetch(RELEASED, most)]


def _sighting(row: asyncpg.Record) -> Sighting:
    return Sighting(
        tenant=row["tenant_id"],
        source=row["source"],
        found=_FOUND.validate_python(row["found"]),
        occurred_at=row["occurred_at"],
        cause=Cause(id=row["event_id"], received_at=row["received_at"]),
    )


class Releasing:
    """Opens cases of what is released, until told to stop."""

    name = "released"

    def __init__(self, on: Platform, *, most: int = MOST) -> None:
        """Share the process's parts."""
        self._on = on
        self._most = most

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every second until `stopping`."""
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            try:
                if await self.look():
                    continue
            except TRANSIENT as error:
                log.warning("cannot look for what is released", extra={"reason": type(error).__name__})
            try:
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def look(self) -> int:
        """Open or append to cases of a few exposures, and return how many those were."""
        async with transaction(self._on.pool) as tx:
            sightings = await load_released(tx, self._most)
            told = await arrivals.taken(tx, sightings, now=self._on.clock(), released=True)
            await telling.tell(tx, told)
        if told:
            self._on.relay.wake()
        return len(sightings)

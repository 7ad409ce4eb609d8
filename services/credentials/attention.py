"""The part that says, in gauges, what only people can mend: what the alert rules look at."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final, LiteralString

from chassis.errors import TRANSIENT
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from chassis.telemetry import METERS, Level
from services.credentials.guard.policy import STRICT

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 30.0

COUNT: Final[LiteralString] = """
    WITH open_case AS (
        SELECT tenant_id, case_id FROM exposure_case WHERE closed_at IS NULL
    ), fresh_minutes AS (
        SELECT DISTINCT ON (tenant_id) tenant_id, (document ->> 'fresh_minutes')::integer AS minutes
        FROM guard_document ORDER BY tenant_id, version DESC
    )
    SELECT 'breaker' AS kind, count(*) AS count FROM breaker WHERE state <> 'armed'
    UNION ALL
    SELECT 'case', count(*) FROM case_step JOIN open_case USING (case_id) WHERE state = 'parked'
    UNION ALL
    SELECT 'promise', count(*) FROM promise JOIN open_case USING (tenant_id, case_id)
    WHERE kept_at IS NULL AND broken_at IS NOT NULL AND waived_at IS NULL
    UNION ALL
    SELECT 'directory', count(*) FROM directory LEFT JOIN fresh_minutes USING (tenant_id)
    WHERE enabled
      AND coalesce(fresh_at, added_at) < $1::timestamptz - make_interval(mins => coalesce(minutes, $2::integer))
"""


async def counted(tx: Connection, now: datetime) -> Mapping[str, int]:
    """Return how many of each kind wait for a person.

    Breakers that tripped or were thrown, cases with a parked step, promises that are late and still not kept,
    directories that are stale by their client's policy. One that nobody reads any more on purpose is none.
    """
    return {row["kind"]: row["count"] for row in await tx.fetch(COUNT, now, STRICT.fresh_minutes)}


class Attention:
    """Counts every half minute until told to stop. Each process says the same: alert on the largest."""

    name = "attention"

    def __init__(self, on: Platform) -> None:
        """Share the process's parts."""
        self._on = on

    async def run(self, stopping: asyncio.Event) -> None:
        """Count until `stopping`."""
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            try:
                await self.look()
            except TRANSIENT as error:
                log.warning("cannot count what waits for people", extra={"reason": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)

    async def look(self) -> None:
        """Set the gauge of each kind, to zero too."""
        async with transaction(self._on.pool) as tx:
            waiting = await counted(tx, self._on.clock())
        for kind, count in waiting.items():
            METERS.set(Level.FOR_PEOPLE, count, kind=kind)

"""Keeps the snapshot of the sources true while the database can be read, and hands it out when it cannot."""

import asyncio
import logging
import math
from collections.abc import Sequence

from chassis.telemetry import METERS, Level
from services.gateway.door.snapshot_file import SnapshotBroken, SnapshotFile
from services.gateway.registry.sources import StoredSource

log = logging.getLogger(__name__)


class LastKnown:
    """What was known of the sources when the database last answered. Nothing that is wrong with the disk stops us."""

    def __init__(self, file: SnapshotFile | None) -> None:
        """Keep it in `file`; `None`: keep nothing."""
        self._file = file
        self._kept: list[StoredSource] | None = None
        self._trouble = False

    async def read(self) -> list[StoredSource] | None:
        """Return the sources of the snapshot; `None` if there is none that opens, which is said in the log."""
        if self._file is None:
            return None
        try:
            self._kept = await asyncio.to_thread(self._file.read)
        except SnapshotBroken as error:
            log.warning("no snapshot of the sources: senders wait for the database", extra={"reason": str(error)})
            return None
        age_seconds = await self.tell_age()
        log.info("sources from the snapshot", extra={"stored": len(self._kept), "age_seconds": round(age_seconds)})
        return self._kept

    async def keep(self, stored: Sequence[StoredSource]) -> None:
        """Make the snapshot say `stored`, which the database said just now."""
        if self._file is None:
            return
        try:
            if stored == self._kept:
                await asyncio.to_thread(self._file.confirm)
            else:
                await asyncio.to_thread(self._file.write, stored)
                self._kept = list(stored)
            self._trouble = False
        except OSError as error:
            self._kept = None
            if not self._trouble:
                self._trouble = True
                log.warning("the snapshot of the sources cannot be kept", extra={"reason": str(error)})
        await self.tell_age()

    async def tell_age(self) -> float:
        """Tell the metrics how old the snapshot is, and return it: seconds, infinite without one."""
        if self._file is None:
            return math.inf
        try:
            age_seconds = await asyncio.to_thread(self._file.age_seconds)
        except OSError:
            age_seconds = math.inf
        METERS.set(Level.SOURCES_AGE, age_seconds)
        return age_seconds

"""The sources that may deliver, in memory: read again every few seconds, the last good reading kept meanwhile."""

import asyncio
import logging

import asyncpg

from chassis.errors import TRANSIENT
from chassis.health import Progress
from chassis.postgres import Connection
from services.gateway import store_sources
from services.gateway.sealing import SealingKey
from services.gateway.sources import SourceByPath, StoredSource, known

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 3.0
"""With these a reading that hangs is over, and the next one begun, within the 5 s in which a new secret must work."""


class KnownSources:
    """The sources by path. Runs as a part; `by_path` is `None` until the first reading."""

    name = "sources"

    def __init__(self, *, dsn: str, sealing_key: SealingKey, refresh_seconds: float, progress: Progress) -> None:
        """Read from the database at `dsn` every `refresh_seconds`."""
        self._dsn = dsn
        self._sealing_key = sealing_key
        self._refresh_seconds = refresh_seconds
        self._progress = progress
        self._stored: list[StoredSource] | None = None
        self.by_path: SourceByPath | None = None
        progress.ready[self.name] = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Read again and again until `stopping`; keep what we know while the database is away."""
        while not stopping.is_set():
            try:
                await self._session(stopping)
            except TRANSIENT as error:
                log.warning("sources not read again", extra={"reason": str(error) or type(error).__name__})
                self._progress.beat(self.name)
                await self._wait(stopping)

    async def _session(self, stopping: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
        try:
            while not stopping.is_set():
                await self._read(connection)
                self._progress.beat(self.name)
                await self._wait(stopping)
        finally:
            await connection.close(timeout=1)

    async def _read(self, connection: Connection) -> None:
        stored = await store_sources.delivering(connection)
        if stored != self._stored:
            self.by_path, broken = known(stored, self._sealing_key)
            for reason in broken:
                log.error("a source cannot deliver", extra={"reason": reason})
            self._stored = stored
            log.info("sources", extra={"known": len(self.by_path)})
        self._progress.ready[self.name] = True

    async def _wait(self, stopping: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._refresh_seconds):
                await stopping.wait()
        except TimeoutError:
            return

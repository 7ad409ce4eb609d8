"""The sources that may deliver, in memory: read again every few seconds, the last good reading kept, also on disk."""

import asyncio
import logging
from collections.abc import Sequence

import asyncpg

from chassis.errors import TRANSIENT
from chassis.health import Progress
from chassis.postgres import Connection
from services.gateway.door.callback_keys import CallbackKeys
from services.gateway.door.last_known import LastKnown
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import KeyUnavailable
from services.gateway.keys.sealing import SealingKey
from services.gateway.registry import store_sources
from services.gateway.registry.sources import SourceByPath, StoredSource, known

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 3.0
"""With these a reading that hangs is over, and the next one begun, within the 5 s in which a new secret must work."""


class KnownSources:
    """The sources by path. Runs as a part; `by_path` is `None` until the first reading."""

    name = "sources"

    def __init__(
        self,
        *,
        dsn: str,
        sealing_key: SealingKey,
        keys: CurrentKeys,
        refresh_seconds: float,
        progress: Progress,
        last_known: LastKnown | None = None,
    ) -> None:
        """Read from the database at `dsn` every `refresh_seconds`; start from `last_known`."""
        self.callback_keys = CallbackKeys(_key_at, progress)
        self._dsn = dsn
        self._sealing_key = sealing_key
        self._keys = keys
        self._refresh_seconds = refresh_seconds
        self._progress = progress
        self._last_known = last_known or LastKnown(None)
        self._stored: list[StoredSource] | None = None
        self._is_complete = False
        self._said: set[str] = set()
        self.by_path: SourceByPath | None = None
        progress.ready[self.name] = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Read again and again until `stopping`; keep what we know while the database is away."""
        if (stored := await self._last_known.read()) is not None:
            await self._believe(stored)
            self._progress.ready[self.name] = True
        while not stopping.is_set():
            try:
                await self._session(stopping)
            except TRANSIENT as error:
                log.warning("sources not read again", extra={"reason": str(error) or type(error).__name__})
                self._progress.beat(self.name)
                await self._last_known.tell_age()
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
        if keyless := [each.source_id for each in stored if each.needs_key]:
            await self._mint(connection, keyless)
            stored = await store_sources.delivering(connection)
        if stored != self._stored or not self._is_complete:
            await self._believe(stored)
        self._progress.ready[self.name] = True
        await self._last_known.keep(stored)

    async def _mint(self, connection: Connection, keyless: Sequence[str]) -> None:
        try:
            await self._keys.mint(connection, keyless)
        except KeyUnavailable as error:
            self._say([f"no new data key: {error}"])

    async def _believe(self, stored: list[StoredSource]) -> None:
        """Believe these sources. One whose data key cannot be had now is tried again at the next reading."""
        keys, missing = await self._keys.unwrapped([each.data_key for each in stored if each.data_key is not None])
        self.by_path, broken = known(stored, self._sealing_key, keys, self.callback_keys.by_address)
        self._say([*broken, *missing])
        if stored != self._stored:
            log.info("sources", extra={"known": len({each.source_id for each in self.by_path.values()})})
        self._stored = stored
        self._is_complete = len(keys) == len(stored)

    def _say(self, reasons: Sequence[str]) -> None:
        """Log what is wrong with a source, once."""
        for reason in set(reasons) - self._said:
            log.error("a source cannot deliver", extra={"reason": reason})
        self._said |= set(reasons)

    async def _wait(self, stopping: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._refresh_seconds):
                await stopping.wait()
        except TimeoutError:
            return


async def _key_at(address: str) -> str:
    from services.gateway.adapters.callback_key_api import key_at  # noqa: PLC0415 - a door without callbacks needs none

    return await key_at(address)

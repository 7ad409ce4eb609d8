"""One connection of the spool: made when it is needed, and dropped when it does not answer in time."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import asyncpg

from chassis.errors import TRANSIENT
from services.gateway.door import store_spool
from services.gateway.door.store_spool import Spooled

APPLICATION: Final = "patchline-gateway-spool"

_ENDED: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What a statement gets on a connection that the server ended while nobody used it."""


class Link:
    """A connection to the database at `dsn` whose server gives up a statement after `budget_seconds`.

    It is a direct one: a pooler in transaction mode would hand the server's time-out to strangers.
    """

    def __init__(self, dsn: str, budget_seconds: float) -> None:
        """Connect to nothing yet."""
        self._dsn = dsn
        self._patience_ms = str(int(budget_seconds * 1000))
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def add(self, records: Sequence[Spooled], deadline: float) -> None:
        """Commit `records` before `deadline`, a moment of the loop's clock. A connection that went stale is replaced.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: nobody knows whether they are there.
        """
        was_connected = self._connection is not None
        try:
            await self._add_once(records, deadline)
        except _ENDED:
            if not was_connected or asyncio.get_running_loop().time() >= deadline:
                raise
            self._drop()
            await self._add_once(records, deadline)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with contextlib.suppress(*TRANSIENT):  # one that hangs was dropped after that second
                await self._connection.close(timeout=1)

    async def _add_once(self, records: Sequence[Spooled], deadline: float) -> None:
        if self._connection is None or self._connection.is_closed():
            async with asyncio.timeout_at(deadline):
                self._connection = await self._connected()
        connection = self._connection
        # dropped, not cancelled: to cancel a statement asyncpg asks the server, which is what does not answer
        dropping = asyncio.get_running_loop().call_at(deadline, connection.terminate)
        try:
            await store_spool.add(connection, records)
        finally:
            dropping.cancel()

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            self._dsn, server_settings={"application_name": APPLICATION, "statement_timeout": self._patience_ms}
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

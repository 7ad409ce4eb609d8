"""One account with power of a client at a time: a lock that lives as long as its connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection, Pool
from services.credentials.reset.records import NotYet

LOCK: Final[LiteralString] = "SELECT pg_try_advisory_lock(7283646, hashtext($1::uuid::text))"
UNLOCK: Final[LiteralString] = "SELECT pg_advisory_unlock(7283646, hashtext($1::uuid::text))"
PAUSE_SECONDS: Final = 1.0


@asynccontextmanager
async def alone(pool: Pool, tenant: UUID) -> AsyncIterator[None]:
    """Let nobody else act on an account with power of this client meanwhile. Who dies lets go by dying.

    Raises:
        NotYet: somebody else does.
    """
    async with pool.acquire() as connection:
        if not await connection.fetchval(LOCK, tenant):
            raise NotYet("another account with power of this client is being acted upon", seconds=PAUSE_SECONDS)
        try:
            yield
        finally:
            await _let_go(connection, tenant)


async def _let_go(connection: Connection, tenant: UUID) -> None:
    """Unlock, or end the connection if that is not possible: a pool takes it back as it is."""
    try:
        await connection.execute(UNLOCK, tenant)
    except BaseException:
        connection.terminate()
        raise

"""PostgreSQL: one pool per process, explicit transactions, tenants set inside them."""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, LiteralString
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

COMMAND_TIMEOUT_SECONDS: Final = 30


class _Pooled(asyncpg.Connection):
    """Goes back to its pool without a question: our settings and locks end with their transaction (ADR 0061)."""

    def get_reset_query(self) -> str:
        return ""


async def open_pool(dsn: str, *, size: int = 5, statement_cache_size: int = 256, application: str) -> Pool:
    """Return a pool whose connections read and write jsonb as Python values.

    Raises:
        OSError, asyncpg.PostgresError: the server cannot be reached or refuses.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        statement_cache_size=statement_cache_size,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        init=prepare_connection,
        connection_class=_Pooled,
        server_settings={"application_name": application},
    )


async def prepare_connection(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make jsonb columns Python values on `connection`."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection inside one transaction: all of it happens, or nothing."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection


SET_TENANTS: Final[LiteralString] = "SELECT set_config('patchline.tenants', $1, true)"


@asynccontextmanager
async def tenant_transaction(pool: Pool, tenants: Collection[UUID]) -> AsyncIterator[Connection]:
    """Yield a connection that sees the rows of `tenants` only, until the transaction ends.

    Row-level security reads the setting; it is local to the transaction, so a reused connection starts with no rows.
    """
    async with transaction(pool) as connection:
        await connection.fetchval(SET_TENANTS, ",".join(str(tenant) for tenant in sorted(tenants)))
        yield connection

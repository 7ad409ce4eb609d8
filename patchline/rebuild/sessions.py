"""Connections of a rebuild: one administrator's login, and in each session the one role that its work needs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, LiteralString

import asyncpg

from chassis.errors import NeverWorks
from chassis.postgres import Pool, prepare_connection

OWNER: Final = "patchline_owner"
APPLICATION: Final = "patchline-rebuild"

BORROW: Final[LiteralString] = """
    GRANT patchline_owner, gateway_writer, inventory_writer, compliance_writer TO CURRENT_USER
"""
ALONE: Final[LiteralString] = "SELECT pg_try_advisory_lock(hashtextextended('patchline.rebuild', 0))"


def shadow_of(service: str) -> str:
    """Return the schema in which a service's tables are rebuilt."""
    return f"{service}_rebuild"


def replaced_of(service: str) -> str:
    """Return the schema that keeps the tables which were replaced although they differed."""
    return f"{service}_replaced"


@dataclass(frozen=True, slots=True)
class Sessions:
    """What a rebuild of one service works with.

    `shadow` is the service's own writer, looking at the shadow schema first and by name at the live one; the others are
    each service's writer at home, for reading.
    """

    dsn: str
    service: str
    shadow: Pool
    gateway: Pool
    inventory: Pool
    compliance: Pool

    @asynccontextmanager
    async def owner(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Yield a connection of the tables' owner, who sees no tenant's row."""
        connection = await asyncpg.connect(self.dsn, server_settings=_settings(OWNER, "pg_catalog"))
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def opened(dsn: str, service: str) -> AsyncIterator[Sessions]:
    """Yield the sessions of one rebuild; no other can run beside it.

    Raises:
        NeverWorks: another rebuild is running.
    """
    async with AsyncExitStack() as stack:
        admin = await asyncpg.connect(dsn)
        stack.push_async_callback(admin.close)
        if not await admin.fetchval(ALONE):
            raise NeverWorks("another rebuild is running on this database")
        await admin.execute(BORROW)

        async def pool(schema: str, path: str) -> Pool:
            made = await asyncpg.create_pool(
                dsn,
                min_size=0,
                max_size=3,
                init=prepare_connection,
                server_settings=_settings(f"{schema}_writer", path),
            )
            stack.push_async_callback(made.close)
            return made

        yield Sessions(
            dsn=dsn,
            service=service,
            shadow=await pool(service, shadow_of(service)),
            gateway=await pool("gateway", "gateway"),
            inventory=await pool("inventory", "inventory"),
            compliance=await pool("compliance", "compliance"),
        )


def _settings(role: str, path: str) -> dict[str, str]:
    return {"role": role, "search_path": path, "application_name": APPLICATION}

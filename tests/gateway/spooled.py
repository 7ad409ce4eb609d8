"""What the tests of the spool share: records for it, and what stands in its tables."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from chassis.health import Progress
from contracts.ids import new_raw_id_text
from contracts.raw import own_headers, shared_headers
from contracts.topics import RMM_RAW
from patchline.local import ports
from services.gateway.door.spool import Spool, SpoolLimits
from services.gateway.door.store_spool import Spooled

SOURCE = "rmm/patchline/tests"
NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)


def spooled(
    value: bytes = b"x", *, source: str = SOURCE, at: datetime = NOON, topic: str = RMM_RAW.name, raw_id: str = ""
) -> Spooled:
    """Return a record for the spool."""
    raw_id = raw_id or new_raw_id_text()
    shared = shared_headers(vendor="patchline", source=source, channel="webhook")
    return Spooled(
        raw_id=UUID(raw_id),
        topic=topic,
        source=source,
        received_at=at,
        headers=own_headers(raw_id, at, delivery="msg_1", traceparent=None) + shared,
        value=value,
    )


def signature(headers: list[tuple[str, bytes]], value: bytes) -> str:
    """Return what tells whether two records are the same, byte for byte."""
    return hashlib.sha256(repr((sorted(headers), value)).encode()).hexdigest()


class Tables:
    """The spool as the database's administrator sees it."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection

    async def raw_ids(self) -> list[UUID]:
        return [row["raw_id"] for row in await self.connection.fetch("SELECT raw_id FROM gateway.spool ORDER BY 1")]

    async def flow(self) -> dict[tuple[str, datetime], tuple[int, int]]:
        rows = await self.connection.fetch("SELECT * FROM gateway.spool_flow")
        return {(row["source"], row["received_hour"]): (row["spooled"], row["drained"]) for row in rows}

    async def is_balanced(self) -> bool:
        """Return whether the counts say what the table holds, for every source and hour."""
        async with self.connection.transaction(isolation="repeatable_read"):
            held = await self.connection.fetch(
                "SELECT source, received_hour, count(*) FROM gateway.spool GROUP BY 1, 2"
            )
            standing = {key: spooled - drained for key, (spooled, drained) in (await self.flow()).items()}
        return {key: n for key, n in standing.items() if n} == {(row[0], row[1]): row[2] for row in held}

    async def empty(self) -> None:
        await self.connection.execute("TRUNCATE gateway.spool, gateway.spool_flow")


@asynccontextmanager
async def running_spool(dsn: str, *, limits: SpoolLimits | None = None) -> AsyncIterator[Spool]:
    """Yield a spool that runs; it is drained at the end."""
    spool = Spool(dsn=dsn, progress=Progress(), limits=limits or SpoolLimits(budget_seconds=15))
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(spool.run(stopping))
        try:
            yield spool
        finally:
            stopping.set()


NO_DATABASE = f"postgresql://nobody@{ports.LOOPBACK}:1/none"
"""Where no spool is: nothing listens on this port."""

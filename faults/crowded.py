"""PostgreSQL that answers and does not serve: no connection left, deadlocks, transactions that cannot be serialised.

Sessions of ours provoke each of them, on the tables that the services write.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, LiteralString

import asyncpg

from faults import ours
from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import Watch
from faults.world import World
from patchline.schemas import SCHEMAS
from patchline.stack.programs import PROGRAMS

LONG_SECONDS: Final = 60.0
SHORT_SECONDS: Final = 8.0
AFTER_SECONDS: Final = 4.0
GRABBERS: Final = 12
GRAB_SECONDS: Final = 0.02
TAKE_SECONDS: Final = 1.0
HELD_SECONDS: Final = 0.3
PAUSE_SECONDS: Final = 0.4
PATIENCE_SECONDS: Final = 10.0
RUNBOOK: Final = "PostgreSQL refuses"

TAKE_AWAY: Final[LiteralString] = """
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename LIKE '%\\_writer'
"""
DEADLOCKS: Final[LiteralString] = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
"""How often the server itself found one."""

OUTBOXES: Final[LiteralString] = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
    WHERE schemaname = $1 AND tablename LIKE 'outbox%' ORDER BY 1
"""


async def injure(world: World) -> Sequence[Injured]:
    """Provoke each, and judge after each time."""
    desk = await world.desk_at_work()
    return [await _no_connection(world, desk), await _deadlocked(world, desk), await _not_serialised(world, desk)]


def _seconds(world: World) -> float:
    return world.size.of(quick=SHORT_SECONDS / 2, ordinary=SHORT_SECONDS, full=LONG_SECONDS)


async def _no_connection(world: World, desk: Desk) -> Injured:
    """Take every connection, those of the services too, and let none of them have another."""
    seconds, watch = _seconds(world), Watch(world)
    says = world.size.marked(f"PostgreSQL out of connections for {seconds:.0f} s")
    world.say(says)
    async with load(world, desk, seconds + AFTER_SECONDS):
        taken = await _crowd(world.stack.around.database, seconds)
        recovered = await until_all_work(world)
    return await watch.row(says, injected=taken, recovered=recovered, runbook=RUNBOOK)


async def _crowd(dsn: str, seconds: float) -> int:
    """Hold every connection there is for so long, and return how many were taken away from services."""
    taken, ends_at = 0, time.monotonic() + seconds
    async with AsyncExitStack() as held, asyncio.TaskGroup() as tasks:
        first = await _connected(dsn, held)
        grabbing = [tasks.create_task(_grab(dsn, held, ends_at)) for _ in range(GRABBERS)]
        while time.monotonic() < ends_at:
            await asyncio.sleep(TAKE_SECONDS)
            taken += await first.fetchval(TAKE_AWAY)
        await asyncio.gather(*grabbing)
    return taken


async def _grab(dsn: str, held: AsyncExitStack, ends_at: float) -> None:
    """Take one connection after the other; where there is none, wait for the next that becomes free."""
    while time.monotonic() < ends_at:
        try:
            await _connected(dsn, held)
        except (asyncpg.TooManyConnectionsError, OSError, TimeoutError):
            await asyncio.sleep(GRAB_SECONDS)


async def _connected(dsn: str, held: AsyncExitStack) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await asyncpg.connect(dsn, timeout=PATIENCE_SECONDS)
    held.callback(connection.terminate)
    return connection


async def _deadlocked(world: World, desk: Desk) -> Injured:
    """Lock first what each batch writes last, then what it writes first: one of both must give way: theirs."""
    seconds, watch = _seconds(world), Watch(world)
    says = world.size.marked(f"deadlocks in PostgreSQL, for {seconds:.0f} s")
    world.say(says)
    async with load(world, desk, seconds + AFTER_SECONDS), _provoking(world) as (connection, before):
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            for schema in SCHEMAS:
                await _cross(connection, schema.name)
        recovered = await until_all_work(world)
        found = await connection.fetchval(DEADLOCKS) - before
    return await watch.row(says, injected=found, recovered=recovered, runbook=RUNBOOK)


ISOLATION: Final = (
    "ALTER ROLE {} SET default_transaction_isolation = 'repeatable read'",
    "ALTER ROLE {} RESET default_transaction_isolation",
)


@asynccontextmanager
async def _repeatable(world: World) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Let the services' sessions be ones whose transactions see one moment, until the block ends; yield one of ours."""
    begin, end = ISOLATION
    roles = sorted({program.role for program in PROGRAMS if program.role.endswith("_writer")})
    connection = await asyncpg.connect(world.stack.around.database, timeout=PATIENCE_SECONDS)
    try:
        for role in roles:
            await connection.execute(begin.format(role))
        await connection.fetchval(TAKE_AWAY)
        yield connection
    finally:
        for role in roles:
            await connection.execute(end.format(role))
        await connection.fetchval(TAKE_AWAY)
        await connection.close(timeout=PATIENCE_SECONDS)


async def _touch(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Write the same into each watermark again, and hold it for a moment: whoever waits for it has seen too little."""
    async with connection.transaction():
        for schema in SCHEMAS:
            await connection.execute(f"UPDATE {schema.name}.watermark SET next_offset = next_offset")  # noqa: S608 - ours
        await asyncio.sleep(HELD_SECONDS)
    await asyncio.sleep(PAUSE_SECONDS)


def _log(world: World) -> Path:
    server = ours.postgres(world)
    return server.place / "postgres.log"


@asynccontextmanager
async def _provoking(world: World) -> AsyncIterator[tuple["asyncpg.Connection[asyncpg.Record]", int]]:
    """Yield a session that notices a deadlock later than the services do, and how many there were before."""
    connection = await asyncpg.connect(
        world.stack.around.database, timeout=PATIENCE_SECONDS, server_settings={"deadlock_timeout": "10s"}
    )
    try:
        yield connection, await connection.fetchval(DEADLOCKS)
    finally:
        await connection.close(timeout=PATIENCE_SECONDS)


async def _cross(connection: "asyncpg.Connection[asyncpg.Record]", schema: str) -> None:
    tables = [row[0] for row in await connection.fetch(OUTBOXES, schema)]
    with suppress(asyncpg.DeadlockDetectedError):
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {', '.join(tables)} IN SHARE MODE")
            await asyncio.sleep(HELD_SECONDS)
            await connection.execute(f"SELECT FROM {schema}.watermark FOR UPDATE")
    await asyncio.sleep(PAUSE_SECONDS)


async def _not_serialised(world: World, desk: Desk) -> Injured:
    """Let every transaction of a service be repeatable, and touch the rows that it has read."""
    seconds, watch = _seconds(world), Watch(world)
    says = world.size.marked(f"transactions that cannot be serialised, for {seconds:.0f} s")
    world.say(says)
    log = _log(world)
    begins_at = log.stat().st_size
    async with load(world, desk, seconds + AFTER_SECONDS):
        async with _repeatable(world) as connection:
            ends_at = time.monotonic() + seconds
            while time.monotonic() < ends_at:
                await _touch(connection)
        recovered = await until_all_work(world)
    with log.open("rb") as file:
        file.seek(begins_at)
        found = file.read().count(b"could not serialize access")
    return await watch.row(says, injected=found, recovered=recovered, runbook=RUNBOOK)

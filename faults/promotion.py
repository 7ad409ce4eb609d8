"""PostgreSQL's primary killed and its replica promoted: what was committed is on both, since commits wait for both."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, LiteralString
from urllib.parse import urlsplit

import asyncpg

from faults import ours
from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import Watch
from faults.ways import Ways, proxied
from faults.world import World
from patchline.local.postgres import Postgres

AFTER_SECONDS: Final = 8.0
LONGEST_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1
RUNBOOK: Final = "A replica takes over"

WAIT_FOR_IT: Final[LiteralString] = "ALTER SYSTEM SET synchronous_standby_names = '*'"
WAIT_NO_MORE: Final[LiteralString] = "ALTER SYSTEM RESET synchronous_standby_names"
READ_AGAIN: Final[LiteralString] = "SELECT pg_reload_conf()"
IS_IN_STEP: Final[LiteralString] = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'"
PROMOTE: Final[LiteralString] = "SELECT pg_promote()"


async def injure(world: World) -> Sequence[Injured]:
    """Lead the services through a proxy, which knows where the primary is, and let that change."""
    desk = await world.desk_at_work()
    async with proxied(world) as ways:
        return [await _promoted(world, desk, ways)]


async def _promoted(world: World, desk: Desk, ways: Ways) -> Injured:
    """Kill the primary under load, promote its replica, lead the services to it, and judge once that is the primary."""
    primary = ours.postgres(world)
    world.say("PostgreSQL's primary killed, its replica promoted")
    async with _replica(world, primary) as replica:
        watch = Watch(world)
        async with load(world, desk, 2 * AFTER_SECONDS):
            await asyncio.sleep(1)
            started = time.monotonic()
            await asyncio.to_thread(primary.kill)
            is_promoted = await _asked(replica.url, PROMOTE)
            ways.database.upstream = urlsplit(replica.url).port or 5432
            ways.database.cut()
            recovered = time.monotonic() - started + await until_all_work(world)
            await asyncio.to_thread(_put_in_its_place, world, primary, replica)
            ways.database.upstream = urlsplit(primary.url).port or 5432
            ways.database.cut()
            recovered = max(recovered, await until_all_work(world))
        return await watch.row(
            "PostgreSQL's primary killed, its replica promoted",
            injected=int(is_promoted),
            recovered=recovered,
            runbook=RUNBOOK,
        )


@asynccontextmanager
async def _replica(world: World, primary: Postgres) -> AsyncIterator[Postgres]:
    """Yield a replica that every commit waits for."""
    where = world.stack.home / "replica"
    replica = await asyncio.to_thread(primary.follower, where, world.say)
    try:
        await _asked(primary.url, WAIT_FOR_IT)
        await _asked(primary.url, READ_AGAIN)
        deadline = time.monotonic() + LONGEST_SECONDS
        while not await _asked(primary.url, IS_IN_STEP):
            if time.monotonic() > deadline:
                raise TimeoutError("the replica never came into step")
            await asyncio.sleep(LOOK_SECONDS)
        yield replica
    finally:
        await asyncio.to_thread(replica.stop)
        if primary.child is None or not primary.child.is_running:
            await asyncio.to_thread(primary.start, world.say)
        await _asked(primary.url, WAIT_NO_MORE)
        await _asked(primary.url, READ_AGAIN)
        shutil.rmtree(replica.place, ignore_errors=True)


def _put_in_its_place(world: World, primary: Postgres, replica: Postgres) -> None:
    """Let what was the replica be started where the primary was: the judge asks there."""
    replica.stop()
    shutil.rmtree(primary.place / "data")
    (replica.place / "data").rename(primary.place / "data")
    primary.start(world.say)


async def _asked(url: str, question: LiteralString) -> bool:
    connection = await asyncpg.connect(url, timeout=LONGEST_SECONDS)
    try:
        return bool(await connection.fetchval(question))
    finally:
        await connection.close()

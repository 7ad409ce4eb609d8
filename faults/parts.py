"""Kafka and PostgreSQL stopped for a minute, killed and restarted, while webhooks come in and tickets are worked on."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from faults.desk import Desk
from faults.recovery import work_of
from faults.report import Injured
from faults.world import World
from patchline.local.kafka import Kafka
from patchline.local.postgres import Postgres
from patchline.stack.programs import PROGRAMS

LONG_SECONDS: Final = 60.0
QUICK_LONG_SECONDS: Final = 10.0
SHORT_SECONDS: Final = 5.0
MATTER_SECONDS: Final = 3.0
SENT_A_SECOND: Final = 6.0
AFTER_SECONDS: Final = 10.0
LONGEST_RECOVERY_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.25
STARTED_AGAIN: Final = 1
"""The one exit code with which a process may end because a part is away: an orchestrator starts it again."""

LOADED: Final = tuple(each for each in PROGRAMS if each.name not in {"gateway-poll", "auditor"})
"""Those that webhooks give work to."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One way in which a part goes away. `end` ends it; it is started again after `seconds`."""

    says: str
    end: Callable[[World], None]
    start: Callable[[World], None]
    is_long: bool = False


async def injure(world: World) -> Sequence[Injured]:
    """Take each part away in each way, and judge after each time: all that was accepted is done, and once."""
    desk = await world.desk_at_work()
    return [await _cut(world, desk, cut) for cut in CUTS]


async def _cut(world: World, desk: Desk, cut: Cut) -> Injured:
    long_seconds = QUICK_LONG_SECONDS if world.is_quick else LONG_SECONDS
    seconds = long_seconds if cut.is_long else SHORT_SECONDS
    deaths = len(world.supervisor.deaths)
    world.say(f"{cut.says}, {seconds:.0f} s")
    async with load(world, desk, seconds + AFTER_SECONDS):
        await asyncio.sleep(1)
        await asyncio.to_thread(cut.end, world)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(cut.start, world)
        recovered = await until_all_work(world)
    judgement = await world.judged()
    ends = [death for death in world.supervisor.deaths[deaths:] if death.exit_code != STARTED_AGAIN]
    for death in ends:
        world.say(f"{death.program} ended with code {death.exit_code}")
    world.recovery.taken()
    return Injured(
        fault=f"{cut.says} for {seconds:.0f} s",
        injected=1,
        recovered_s=round(recovered, 1),
        lost=judgement.lost,
        doubled=judgement.doubled,
        wrong=judgement.wrong + len(ends),
    )


@asynccontextmanager
async def load(world: World, desk: Desk, seconds: float) -> AsyncIterator[None]:
    """Let the day's webhooks come in for about so long, and tickets be worked on, while the block runs."""
    day = world.next_deliveries(int(seconds * SENT_A_SECOND))
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(desk.play(stopping, every_seconds=MATTER_SECONDS))
        tasks.create_task(world.send(day, seconds=seconds))
        try:
            yield
        finally:
            stopping.set()


async def until_all_work(world: World) -> float:
    """Return how many seconds it takes until every service with work to do has done some."""
    started = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=1) as client:
        before = {each.name: await work_of(client, world.stack, each) or 0.0 for each in LOADED}
        left = {each.name: each for each in LOADED}
        while left and time.monotonic() - started < LONGEST_RECOVERY_SECONDS:
            for program in list(left.values()):
                done = await work_of(client, world.stack, program)
                if done is not None and done < before[program.name]:
                    before[program.name] = 0.0  # it was started again, and counts from nothing
                if done is not None and done > before[program.name]:
                    del left[program.name]
            await asyncio.sleep(LOOK_SECONDS)
    for name in left:
        world.say(f"{name} did nothing for {LONGEST_RECOVERY_SECONDS:.0f} s")
    return time.monotonic() - started


def _kafka(world: World) -> Kafka:
    if world.stack.parts.kafka is None:
        raise LookupError("Kafka is not ours to stop")
    return world.stack.parts.kafka


def _postgres(world: World) -> Postgres:
    if world.stack.parts.postgres is None:
        raise LookupError("PostgreSQL is not ours to stop")
    return world.stack.parts.postgres


def _stop_kafka(world: World) -> None:
    _kafka(world).stop()


def _kill_kafka(world: World) -> None:
    _kafka(world).kill()


def _start_kafka(world: World) -> None:
    _kafka(world).start(world.say)


def _stop_postgres(world: World) -> None:
    _postgres(world).stop()


def _stop_postgres_at_once(world: World) -> None:
    """End it as `pg_ctl stop -m immediate` does: no checkpoint, recovery at the next start."""
    child = _postgres(world).child
    if child is not None and child.pid is not None:
        os.kill(child.pid, signal.SIGQUIT)
        child.stop()


def _kill_postgres(world: World) -> None:
    _postgres(world).kill()


def _start_postgres(world: World) -> None:
    _postgres(world).start(world.say)


CUTS: Final = (
    Cut("Kafka stopped", _stop_kafka, _start_kafka, is_long=True),
    Cut("Kafka killed", _kill_kafka, _start_kafka),
    Cut("PostgreSQL stopped, fast", _stop_postgres, _start_postgres, is_long=True),
    Cut("PostgreSQL stopped, immediate", _stop_postgres_at_once, _start_postgres, is_long=True),
    Cut("PostgreSQL killed", _kill_postgres, _start_postgres),
)

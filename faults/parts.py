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

from faults import ours
from faults.desk import Desk
from faults.recovery import work_of
from faults.report import Injured
from faults.rows import Watch
from faults.size import Size
from faults.world import World
from patchline.stack.programs import PROGRAMS

FULL_LONG_SECONDS: Final = 60.0
LONG_SECONDS: Final = 12.0
SHORT_SECONDS: Final = 4.0
QUICK_SECONDS: Final = 1.0
MATTER_SECONDS: Final = 3.0
QUICK_MATTER_SECONDS: Final = 1.0
SENT_A_SECOND: Final = 6.0
AFTER_SECONDS: Final = 8.0
QUICK_AFTER_SECONDS: Final = 3.0
LONGEST_RECOVERY_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.25
LOADED: Final = tuple(each for each in PROGRAMS if each.name not in {"gateway-poll", "auditor"})
"""Those that webhooks give work to."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One way in which a part goes away. `end` ends it, `start` starts it again; `is_long`: that takes a minute."""

    says: str
    end: Callable[[World], None]
    start: Callable[[World], None]
    is_long: bool = False
    in_quick: bool = False

    def told(self, size: Size) -> str:
        """Return what the row is called."""
        text = f"{self.says} for {self.seconds(size):.0f} s"
        return size.marked(text) if self.is_long else text

    def seconds(self, size: Size) -> float:
        """Return how long the part stays away."""
        long = size.of(quick=QUICK_SECONDS, ordinary=LONG_SECONDS, full=FULL_LONG_SECONDS)
        return long if self.is_long else size.of(quick=QUICK_SECONDS, ordinary=SHORT_SECONDS, full=SHORT_SECONDS)


async def kafka(world: World) -> Sequence[Injured]:
    """Take Kafka away in each way, and judge after each time: all that was accepted is done, and once."""
    return await _away(world, KAFKA_CUTS)


async def postgres(world: World) -> Sequence[Injured]:
    """Take PostgreSQL away in each way, and judge after each time."""
    return await _away(world, POSTGRES_CUTS)


async def _away(world: World, cuts: Sequence[Cut]) -> Sequence[Injured]:
    desk = await world.desk_at_work()
    return [await _cut(world, desk, cut) for cut in cuts if cut.in_quick or not world.is_quick]


async def _cut(world: World, desk: Desk, cut: Cut) -> Injured:
    seconds, watch = cut.seconds(world.size), Watch(world)
    world.say(f"{cut.says}, {seconds:.0f} s")
    async with load(world, desk, seconds + (QUICK_AFTER_SECONDS if world.is_quick else AFTER_SECONDS)):
        await asyncio.sleep(1)
        await asyncio.to_thread(cut.end, world)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(cut.start, world)
        recovered = await until_all_work(world)
    return await watch.row(cut.told(world.size), injected=1, recovered=recovered)


@asynccontextmanager
async def load(world: World, desk: Desk, seconds: float) -> AsyncIterator[None]:
    """Let the day's webhooks come in for about so long, and tickets be worked on, while the block runs."""
    await world.morning_over()
    day = world.next_deliveries(int(seconds * SENT_A_SECOND))
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(desk.play(stopping, every_seconds=QUICK_MATTER_SECONDS if world.is_quick else MATTER_SECONDS))
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


def _stop_kafka(world: World) -> None:
    ours.kafka(world).stop()


def _kill_kafka(world: World) -> None:
    ours.kafka(world).kill()


def _start_kafka(world: World) -> None:
    ours.kafka(world).start(world.say)


def _stop_postgres(world: World) -> None:
    ours.postgres(world).stop()


def _stop_postgres_at_once(world: World) -> None:
    """End it as `pg_ctl stop -m immediate` does: no checkpoint, recovery at the next start."""
    child = ours.postgres(world).child
    if child is not None and child.pid is not None:
        os.kill(child.pid, signal.SIGQUIT)
        child.stop()


def _kill_postgres(world: World) -> None:
    ours.postgres(world).kill()


def _start_postgres(world: World) -> None:
    ours.postgres(world).start(world.say)


KAFKA_CUTS: Final = (
    Cut("Kafka stopped", _stop_kafka, _start_kafka, is_long=True),
    Cut("Kafka killed", _kill_kafka, _start_kafka, in_quick=True),
)
POSTGRES_CUTS: Final = (
    Cut("PostgreSQL stopped, fast", _stop_postgres, _start_postgres, is_long=True),
    Cut("PostgreSQL stopped, immediate", _stop_postgres_at_once, _start_postgres, is_long=True),
    Cut("PostgreSQL killed", _kill_postgres, _start_postgres, in_quick=True),
)

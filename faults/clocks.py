"""Clocks that jump under load: an hour ahead while the tracker is away, an hour back, one process against the others.

A process reads the system's clock moved by a setting, so a jump is a death and a start with another one. What was
leased, postponed or waited for by the old clock must neither wait for an hour nor be done twice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from chassis.clock import moved_clock
from faults import between, ours
from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import row_of
from faults.world import World
from patchline.stack.programs import ACCEPT, PROGRAMS

HOUR: Final = 3600.0
OFFSET: Final = "PATCHLINE_CLOCK_OFFSET_SECONDS"
BEFORE_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 4.0
WORK_SECONDS: Final = 6.0

ASKEW: Final[Mapping[str, float]] = {
    "ticketing": HOUR,
    "inventory": -HOUR,
    "compliance": HOUR,
    "gateway-translate": -HOUR,
    "credentials": HOUR,
    "gateway-poll": HOUR,
    ACCEPT.name: -240.0,
}
"""By how much which process is wrong. `accept` refuses signatures of another hour, so it is wrong by less than that."""


async def injure(world: World) -> Sequence[Injured]:
    """Let clocks jump while webhooks come in and tickets are worked on, and judge after each jump."""
    desk = await world.desk_at_work()
    await world.morning_over()
    names = [program.name for program in PROGRAMS]
    try:
        async with _tracker_away(world):
            await _moved(world, desk, HOUR)
            await _tracker_waited_for(world, desk)
        rows = [await _row_of_all(world, desk, "tracker away for an hour, which every clock jumps ahead")]
        await _moved(world, desk, 0.0)
        rows.append(await _row_of_all(world, desk, "every clock jumps an hour back"))
        wrong = dict(list(ASKEW.items())[: world.size.of(quick=2, ordinary=4, full=len(ASKEW))])
        rows.append(await _askew(world, desk, wrong))
    finally:
        _set(world, desk, 0.0)
        await restarted(world, dict.fromkeys(names, 0.0))
    return rows


@asynccontextmanager
async def _tracker_away(world: World) -> AsyncIterator[None]:
    """Let the tracker refuse every connection while the block runs."""
    tracker = ours.roundup(world)
    await asyncio.to_thread(tracker.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(tracker.start, world.say)


async def _tracker_waited_for(world: World, desk: Desk) -> None:
    """Let tickets be asked for in the hour in which nobody takes them."""
    async with load(world, desk, AWAY_SECONDS):
        await asyncio.sleep(AWAY_SECONDS)


async def _moved(world: World, desk: Desk, seconds: float) -> None:
    """Move everybody's clock under load, that of the senders too."""
    async with load(world, desk, BEFORE_SECONDS):
        await asyncio.sleep(BEFORE_SECONDS)  # what stops here has leases and waits for moments
        await restarted(world, {program.name: seconds for program in PROGRAMS if program is not ACCEPT})
    _set(world, desk, seconds)  # senders of another hour than the door's are refused, rightly
    await restarted(world, {ACCEPT.name: seconds})


async def _row_of_all(world: World, desk: Desk, says: str) -> Injured:
    """Let everybody work by the clock that is now, and judge."""
    async with load(world, desk, WORK_SECONDS):
        recovered = await until_all_work(world)
        await asyncio.sleep(WORK_SECONDS)
    return await row_of(world, says, injected=len(PROGRAMS), recovered=recovered)


async def _askew(world: World, desk: Desk, wrong: Mapping[str, float]) -> Injured:
    """Let one clock after the other be wrong, and right again, while all others are right."""
    recovered = 0.0
    before: dict[str, float] = {}
    for name, seconds in wrong.items():
        world.say(f"{name}: {seconds / 60:+.0f} minutes against the others")
        async with load(world, desk, WORK_SECONDS):
            await restarted(world, {**dict.fromkeys(before, 0.0), name: seconds})
            recovered = max(recovered, await until_all_work(world))
            await asyncio.sleep(WORK_SECONDS / 2)
        before = {name: seconds}
    await restarted(world, dict.fromkeys(before, 0.0))
    says = world.size.marked("one process's clock wrong by up to an hour")
    return await row_of(world, says, injected=len(wrong), recovered=recovered)


def _set(world: World, desk: Desk, seconds: float) -> None:
    """Move the clock of those who send."""
    world.stage.clock = desk.clock = moved_clock(world.stack.around.clock_offset_seconds + seconds)


async def restarted(world: World, seconds_by_name: Mapping[str, float]) -> None:
    """Kill these processes, and wait until each is there again with a clock that is moved by so much."""
    offset = world.stack.around.clock_offset_seconds
    await between.restarted(world, {name: {OFFSET: str(offset + each)} for name, each in seconds_by_name.items()})

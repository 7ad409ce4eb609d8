"""Ticketing or credentials reach an outside system through a proxy that misbehaves: begun, waited for, judged."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import asyncpg

from faults.world import World
from patchline.stack.programs import PROGRAMS
from simulators.faulty_proxy import FaultyProxy

OFTEN: Final = {"PATCHLINE_TRACKER_ROUND_SECONDS": "3"}
LONGEST_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.2

Condition = Callable[[], Awaitable[bool]]
"""Whether something holds by now."""

WAITING: Final = """
    SELECT ticket_key || '/' || number FROM ticketing.intent
    WHERE state IN ('leased', 'uncertain') OR (state = 'pending' AND due_at <= $1)
"""
LEFT: Final = """
    SELECT count(*) FROM ticketing.intent
    WHERE state IN ('pending', 'leased', 'uncertain') AND ticket_key || '/' || number = ANY($1::text[])
"""


async def ticketing_through(world: World, proxy: FaultyProxy) -> None:
    """Start ticketing anew so that it reaches the tracker through `proxy`, and looks for duplicates often."""
    through = tracker_at(proxy.url, world.stack.around.tracker_url)
    await restarted(world, {"ticketing": through | OFTEN})


def tracker_at(proxy: str, tracker: str) -> dict[str, str]:
    """Return the settings by which ticketing reaches a tracker at the address of a proxy, and calls it by its own."""
    return {"PATCHLINE_TRACKER_URL": proxy, "PATCHLINE_TRACKER_ORIGIN": tracker.rstrip("/")}


async def restarted(world: World, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Kill these programs at once, and wait until each is there again with settings added to its own, by its name."""
    supervisor = world.supervisor
    deaths = {name: len(supervisor.deaths_of(name)) for name in settings}
    for name, own in settings.items():
        supervisor.settings_of_next_starts(name, own)
        await asyncio.to_thread(supervisor.kill, name)
    for program in [each for each in PROGRAMS if each.name in settings]:
        name = program.name
        while len(supervisor.deaths_of(name)) == deaths[name] or supervisor.are_settings_left(name):
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(world.stack.wait_ready, program)


async def waiting(world: World) -> list[str]:
    """Return the acts at the tracker that are due or under way."""
    connection = await asyncpg.connect(world.stack.around.database, timeout=10)
    try:
        return [row[0] for row in await connection.fetch(WAITING, world.stage.clock())]
    finally:
        await connection.close()


async def until_done(world: World, acts: Sequence[str]) -> float:
    """Return how many seconds it takes until these acts are done."""
    started = time.monotonic()
    connection = await asyncpg.connect(world.stack.around.database, timeout=10)
    try:

        async def are_done() -> bool:
            return not await connection.fetchval(LEFT, list(acts))

        await until(are_done)
    finally:
        await connection.close()
    return time.monotonic() - started


async def until(condition: Condition) -> None:
    """Wait until `condition` holds, or for so long that the judge will find what is missing."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline and not await condition():
        await asyncio.sleep(LOOK_SECONDS)

"""`kill -9` of every process on a ticket's way, aimed at labelled points: one ticket each, and every note once."""

import asyncio
import sys

from rich.console import Console

from faults.desk import CLIENT, SOURCE, Desk
from faults.kills import aim
from faults.size import Size
from faults.world import SETTINGS, around
from patchline.demo import run
from patchline.demo.display import PlainDisplay
from tests.flow.world import World

AIMED = {
    "gateway-accept": ["accept after the acknowledgement"],
    "gateway-translate": ["consumer after the commit"],
    "inventory": ["relay after the acknowledgement"],
    "compliance": ["consumer after the offset commit"],
    "ticketing": ["effect after open"],
}
KILLS = 10
"""Each process once to start with, and then at its points."""


async def test_kills_at_labelled_points_lose_nothing_and_double_nothing(world: World) -> None:
    display = PlainDisplay(Console(file=sys.stderr, width=120))
    async with around(world.stack, display=display, seed=1, size=Size.QUICK) as here:
        await here.add_source(SOURCE, CLIENT)
        desk = Desk(here.send_at_once, here.stage.subscriber.seen, here.stage.clock)
        stopping = asyncio.Event()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(desk.play(stopping, every_seconds=1))
            aims = await asyncio.gather(*(aim(here, program, points, SETTINGS) for program, points in AIMED.items()))
            stopping.set()
        waiting = await here.settled()
        found = (await run.outcome(here.stage)).found
        kills = len(here.supervisor.deaths)

    assert [each for taken in aims for each in taken if not each.is_hit] == []
    assert kills >= KILLS
    assert waiting == []
    checks = list(desk.checks(found.seen, found.issues))
    assert [line for check in checks for line in check.examples] == []
    assert len(desk.matters) > 5

"""Processes that die as by `kill -9`: at random instants, and at each labelled point."""

from collections.abc import Sequence

from faults.report import Injured
from faults.world import World
from patchline.stack.programs import PROGRAMS


async def injure(world: World) -> Sequence[Injured]:
    """Kill processes while a day's webhooks come in."""
    for program in PROGRAMS:
        world.supervisor.kill(program.name)
    await world.send(world.next_deliveries(100), seconds=10)
    judgement = await world.judged()
    return [Injured(fault="kill -9", injected=len(PROGRAMS), recovered_s=max(world.recovery.taken(), default=0.0),
                    lost=judgement.lost, doubled=judgement.doubled, wrong=judgement.wrong)]  # fmt: skip

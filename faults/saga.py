"""A breach while the credentials service dies at each labelled point of its steps: who was reset, and how often."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from typer.main import get_command

from faults import kills
from faults.between import restarted
from faults.kills import Aim
from faults.points import STEPS
from faults.report import Injured
from faults.world import World
from patchline.demo import afternoon, afternoon_judgement, psa
from patchline.demo.afternoon import Afternoon, Scene
from patchline.main import app
from simulators.breach import breach

PROGRAM: Final = "credentials"
TICKETING: Final = "ticketing"
STEP_SETTINGS: Final = {"PATCHLINE_STEP_SECONDS": "5"}
"""Shorter than usual: the step of a process that died is taken up again after its lease, which is this and ten more."""

POINTS: Final = (
    *(f"step {when} {step}" for step in STEPS for when in ("before", "after")),
    "step after the record",
    "notice after the mail",
)
REPORTED_SECONDS: Final = 100.0
"""The feeds' reports are spread over so long: there is work at every step while the service dies."""

LONGEST_AIM_SECONDS: Final = 25.0
IMPATIENT: Final = {"ticket_wait_seconds": 1}
"""A case does not wait for its ticket: so this step too is one at which the service itself can die."""


async def injure(world: World) -> Sequence[Injured]:
    """Let feeds find sixty credentials while the service dies at each point; then let people decide, and judge."""
    settings = world.stage.settings
    scene = Scene(
        Afternoon(breach=breach(seed=1)), settings, get_command(app), world.stage.clock, more_policy=IMPATIENT
    )
    aims = list[Aim]()

    async def die() -> None:
        aims.extend(await died_at_each(world))

    await restarted(world, {PROGRAM: STEP_SETTINGS})
    before = len(world.supervisor.deaths_of(PROGRAM))
    after = await afternoon.play(scene, seconds=REPORTED_SECONDS, meanwhile=die)
    checks = afternoon_judgement.judged(after, await psa.issues(settings))
    for check in checks:
        for example in check.examples if not check.is_good else ():
            world.say(f"{check.name}: {example}")
    judgement = await world.judged()
    world.recovery.taken()
    row = Injured(
        fault="kill -9 at each labelled point of a reset, during a breach",
        injected=sum(each.is_hit for each in aims),
        recovered_s=_longest_way(world, before),
        lost=judgement.lost + sum(each.lost for each in checks),
        doubled=judgement.doubled + sum(each.doubled for each in checks),
        wrong=judgement.wrong + sum(each.wrong for each in checks),
    )
    missed = [each for each in aims if not each.is_hit]
    return [row, *(Injured(fault=f"{each.program}: {each.point}", injected=0, recovered_s=0) for each in missed)]


async def died_at_each(world: World) -> list[Aim]:
    """Let the service die at each point, one after the other; no ticket comes while it dies at waiting for one."""
    world.supervisor.hold(TICKETING)
    await asyncio.to_thread(world.supervisor.kill, TICKETING)
    aims = await _died_at(world, POINTS[:2])
    world.supervisor.release(TICKETING)
    return aims + await _died_at(world, POINTS[2:])


async def _died_at(world: World, points: Sequence[str]) -> list[Aim]:
    return await kills.aim(world, PROGRAM, points, STEP_SETTINGS, longest_seconds=LONGEST_AIM_SECONDS)


def _longest_way(world: World, since: int) -> float:
    """Return the longest time from one death to the next: to die there the service, started again, had to work."""
    moments = [death.at for death in world.supervisor.deaths_of(PROGRAM)[since:]]
    return round(max((later - earlier for earlier, later in pairwise(moments)), default=0.0), 1)

"""Processes that die as by `kill -9`: at random instants, and at each labelled point, while a day comes in.

Three storms of one day. First every process dies at random, then each at its labelled points, one after the other,
then at random again while what had failed is mended and the evening's poll brings the proofs.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from faults import ours
from faults.desk import Desk
from faults.points import CONSUMER, POINTS, RELAY, SPOOL
from faults.report import Injured
from faults.world import World
from patchline.demo import run
from patchline.stack.programs import PROGRAMS

POLLER: Final = "gateway-poll"
TRANSLATOR: Final = "gateway-translate"
RANDOM_KILLS: Final = 24
FULL_RANDOM_KILLS: Final = 200
EVENING_KILLS: Final = 8
FULL_EVENING_KILLS: Final = 24
BETWEEN_SECONDS: Final = 1.5
QUICK_BETWEEN_SECONDS: Final = 0.5
MATTER_SECONDS: Final = 1.5
SENT_A_SECOND: Final = 10.0
LONGEST_AIM_SECONDS: Final = 100.0
KAFKA_ANSWERS_SECONDS: Final = 8.0
KAFKA_PAUSED_SECONDS: Final = 3.0
LATEST_PASSAGE: Final = {**dict.fromkeys(CONSUMER, 3), **dict.fromkeys(RELAY, 2)}
LOOK_SECONDS: Final = 0.05
DIE_AT: Final = "PATCHLINE_DIE_AT"


@dataclass(frozen=True, slots=True)
class Aim:
    """One labelled point of one program, and whether the program died there."""

    program: str
    point: str
    is_hit: bool


async def injure(world: World) -> Sequence[Injured]:
    """Kill processes through a whole day, and judge three times: after each storm all must be as the ledger says.

    A quick run kills each of them once.
    """
    desk = await world.desk_at_work()
    if world.is_quick:
        return [await _each_once(world, desk)]
    rows = [await _at_random(world, desk)]
    rows += await _aimed(world, desk)
    return [*rows, await _in_the_evening(world, desk)]


async def _each_once(world: World, desk: Desk) -> Injured:
    names = [program.name for program in PROGRAMS]
    world.rng.shuffle(names)
    async with _load(world, desk, 0):  # the day's own webhooks come when its first poll is over
        killed = await kill(world, names, between_seconds=QUICK_BETWEEN_SECONDS)
    return await _row(world, "kill -9 of each service once", killed)


async def _at_random(world: World, desk: Desk) -> Injured:
    kills = world.size.of(quick=0, ordinary=RANDOM_KILLS, full=FULL_RANDOM_KILLS)
    async with _load(world, desk, len(world.rest) // 2, seconds=kills * BETWEEN_SECONDS):
        killed = await kill_at_random(world, kills)
    return await _row(world, world.size.marked("kill -9 at random instants"), killed)


async def _aimed(world: World, desk: Desk) -> list[Injured]:
    async with _load(world, desk, len(world.rest)):
        others = [(program, points) for program, points in POINTS.items() if program != TRANSLATOR]
        tasks = [_at_the_gateway(world), *(aim(world, *other) for other in others)]
        aims = [each for taken in await asyncio.gather(*tasks) for each in taken]
    row = await _row(world, "kill -9 at each labelled point", sum(each.is_hit for each in aims))
    missed = [each for each in aims if not each.is_hit]
    return [row, *(Injured(fault=f"{each.program}: {each.point}", injected=0, recovered_s=0) for each in missed)]


async def _at_the_gateway(world: World) -> list[Aim]:
    """Aim at the translator: at its drainer while Kafka pauses, at its relay once the poller is down.

    Translator and poller share one outbox, and only one of them relays.
    """
    aims = await aim(world, TRANSLATOR, CONSUMER)
    pausing = asyncio.ensure_future(_pause_kafka(world))
    try:
        aims += await aim(world, TRANSLATOR, SPOOL)
    finally:
        pausing.cancel()
        with suppress(asyncio.CancelledError):
            await pausing
    while world.supervisor.are_settings_left(POLLER):
        await asyncio.sleep(LOOK_SECONDS)
    world.supervisor.hold(POLLER)
    await asyncio.to_thread(world.supervisor.kill, POLLER)
    aims += await aim(world, TRANSLATOR, RELAY)
    world.supervisor.release(POLLER)
    world.recovery.was_held(POLLER)
    return aims


async def _pause_kafka(world: World) -> None:
    """Let Kafka not answer for a moment, again and again: what is accepted meanwhile goes to the spool."""
    while True:
        await asyncio.sleep(KAFKA_ANSWERS_SECONDS)
        with ours.kafka_paused(world):
            await asyncio.sleep(KAFKA_PAUSED_SECONDS)


async def _in_the_evening(world: World, desk: Desk) -> Injured:
    async with _load(world, desk, 0, whole_day=True):
        evening = asyncio.ensure_future(run.evening(world.stage))
        kills = world.size.of(quick=0, ordinary=EVENING_KILLS, full=FULL_EVENING_KILLS)
        killed = await kill_at_random(world, kills)
        await evening
    world.judge.is_day_over = True
    return await _row(world, world.size.marked("kill -9 while what failed is mended"), killed)


async def _row(world: World, fault: str, injected: int) -> Injured:
    judgement = await world.judged()
    times = sorted(world.recovery.taken())
    if times:
        world.say(f"{fault}: {injected}, recovered after {times[len(times) // 2]:.1f} s in the median")
    return Injured(
        fault=fault,
        injected=injected,
        recovered_s=round(max(times, default=0.0), 1),
        lost=judgement.lost,
        doubled=judgement.doubled,
        wrong=judgement.wrong,
    )


@asynccontextmanager
async def _load(
    world: World, desk: Desk, deliveries: int, *, seconds: float = 0, whole_day: bool = False
) -> AsyncIterator[None]:
    """Let so many of the day's webhooks come in, over `seconds` or longer, and tickets be worked on meanwhile."""
    day = world.last_deliveries() if whole_day else world.next_deliveries(deliveries)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(desk.play(stopping, every_seconds=MATTER_SECONDS))
        tasks.create_task(world.send(day, seconds=max(seconds, len(day) / SENT_A_SECOND)))
        try:
            yield
        finally:
            stopping.set()


async def kill_at_random(world: World, kills: int) -> int:
    """Kill so many processes, each time another instant and another one; return how many were really killed."""
    names = [program.name for program in PROGRAMS]
    killed = 0
    while killed < kills:
        killed += await kill(world, [world.rng.choice(names)], between_seconds=BETWEEN_SECONDS)
    return killed


async def kill(world: World, names: Sequence[str], *, between_seconds: float) -> int:
    """Kill these processes in turn, about so long one after the other; return how many were really killed."""
    killed = 0
    for name in names:
        await asyncio.sleep(world.rng.uniform(0, 2 * between_seconds))
        if await asyncio.to_thread(world.supervisor.kill, name):
            killed += 1
            world.say(f"killed {name}")
    return killed


async def aim(
    world: World,
    program: str,
    points: Sequence[str],
    settings: Mapping[str, str] | None = None,
    *,
    longest_seconds: float = LONGEST_AIM_SECONDS,
) -> list[Aim]:
    """Let one program die at each of these points, one start after the other; return which of them it reached.

    It is killed once before, to start with the first. `settings` are added to its own until its last death. A point
    that it does not come to within `longest_seconds` is given up.
    """
    supervisor = world.supervisor
    before = supervisor.deaths_of(program)
    armed = ({**(settings or {}), DIE_AT: f"{point}:{_passage(world, point)}"} for point in points)
    supervisor.settings_of_next_starts(program, *armed)
    await asyncio.to_thread(supervisor.kill, program)
    aims = []
    for number, point in enumerate(points, start=1):
        is_hit = await _has_died(world, program, len(before) + 1 + number, longest_seconds)
        world.say(f"{program}: {'died at' if is_hit else 'never came to'} {point}")
        aims.append(Aim(program, point, is_hit))
        if is_hit:
            world.recovery.died_at_work(supervisor.deaths_of(program)[-1])
        else:
            await asyncio.to_thread(supervisor.kill, program)
    return aims


def _passage(world: World, point: str) -> int:
    """Return at which passage to die: consumers pass often, a relay less often, an effect or a poll seldom."""
    latest = LATEST_PASSAGE.get(point, 1)
    return world.rng.randint(1, latest)


async def _has_died(world: World, program: str, times: int, seconds: float) -> bool:
    """Wait until a program has died so often; return whether it has, or has not come to its point in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if len(world.supervisor.deaths_of(program)) >= times:
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False

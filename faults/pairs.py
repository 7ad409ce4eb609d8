"""Six pairs of faults at the same time, chosen for the damage they could do together: the longest run's own.

In each of them what would mend the one fault is what the other takes away.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from faults import kills, ours, restore
from faults.between import tracker_at
from faults.companions import Release, come, no_history, older
from faults.desk import Desk
from faults.kills import TRANSLATOR
from faults.parts import load, until_all_work
from faults.points import SPOOL
from faults.report import Injured
from faults.rows import row_of
from faults.traffic import sent_often
from faults.ways import proxied
from faults.world import World
from patchline.stack.programs import ACCEPT, PROGRAMS
from simulators.faulty_proxy import Fault, faulty_proxy

TICKETING: Final = "ticketing"
KILLS: Final = 8
BETWEEN_SECONDS: Final = 1.5
AWAY_SECONDS: Final = 3.0
ROUNDS: Final = 3
AFTER_SECONDS: Final = 8.0
LONGEST_AIM_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.2
COPIED: Final = 60
CHANCE: Final = 0.3
EFFECTS: Final = ("effect before open", "effect after open", "effect before append", "effect after append")


@dataclass(frozen=True, slots=True)
class Happened:
    """How often a pair was injected, how long it took until all worked again, and what it found wrong itself."""

    injected: int
    recovered: float
    wrong: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two faults at the same time. `why` says what they could do together that neither does alone."""

    name: str
    says: str
    why: str
    run: Callable[[World, Desk], Awaitable[Happened]]
    runbook: str

    async def injure(self, world: World) -> Sequence[Injured]:
        """Inject both, wait until all is settled, and judge."""
        desk = await world.desk_at_work()
        world.say(self.why)
        deaths = len(world.supervisor.deaths)
        happened = await self.run(world, desk)
        row = await row_of(
            world,
            self.says,
            injected=happened.injected,
            recovered=happened.recovered,
            wrong=happened.wrong,
            runbook=self.runbook,
        )
        ends = [each for each in world.supervisor.deaths[deaths:] if each.exit_code == restore.FOR_A_PERSON]
        return [replace(row, wrong=row.wrong + len(ends))]


async def _spool(world: World, desk: Desk) -> Happened:
    kafka = ours.kafka(world)
    async with load(world, desk, KILLS * BETWEEN_SECONDS + AFTER_SECONDS):
        await asyncio.to_thread(kafka.stop)
        killed = await kills.kill(world, [ACCEPT.name] * KILLS, between_seconds=BETWEEN_SECONDS)
        aiming = asyncio.ensure_future(kills.aim(world, TRANSLATOR, SPOOL, longest_seconds=LONGEST_AIM_SECONDS))
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(kafka.start, world.say)
        aims = await aiming
        recovered = await until_all_work(world)
    return Happened(killed + sum(each.is_hit for each in aims), recovered)


async def _rebalance(world: World, desk: Desk) -> Happened:
    """Let second consumers come, and end both them and the database: who takes their partitions cannot ask where."""
    server, injected = ours.postgres(world), 0
    seconds = ROUNDS * (AWAY_SECONDS + AFTER_SECONDS)
    async with load(world, desk, seconds):
        for _ in range(ROUNDS):
            coming = (come(world, name, Release(None), number=2) for name in ("inventory", "compliance", TICKETING))
            came = await asyncio.gather(*coming)
            await asyncio.to_thread(server.kill)
            for child, _has_worked in came:
                await asyncio.to_thread(child.kill)
            injected += sum(has_worked for _, has_worked in came)
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(server.start, world.say)
        recovered = await until_all_work(world)
    return Happened(injected, recovered)


async def _effect(world: World, desk: Desk) -> Happened:
    """Leave writes at the tracker without an answer, and let ticketing die right before and after others."""
    async with faulty_proxy(urlsplit(world.stack.around.tracker_url).port or 80) as between:
        through = tracker_at(between.url, world.stack.around.tracker_url)
        for fault in (Fault.HANG_AFTER, Fault.RESET_AFTER):
            between.faults.inject(
                fault, where=lambda seen: seen.is_write and world.rng.random() < CHANCE / 2, times=sys.maxsize
            )
        async with load(world, desk, LONGEST_AIM_SECONDS):
            aims = await kills.aim(world, TICKETING, EFFECTS, through, longest_seconds=LONGEST_AIM_SECONDS)
            between.faults.stop()
            recovered = await until_all_work(world)
    happened = len(between.faults.injected)
    world.say(f"{happened} writes without an answer, {sum(each.is_hit for each in aims)} deaths at them")
    return Happened(min(happened, sum(each.is_hit for each in aims)), recovered)


async def _restored(world: World, desk: Desk) -> Happened:
    """Put the database back, and send every webhook ten times while it catches up."""
    backup = world.stack.home / "pair-backup"
    async with load(world, desk, AFTER_SECONDS):
        await asyncio.sleep(AFTER_SECONDS)
    await asyncio.to_thread(restore.copied, world, backup)
    async with load(world, desk, AFTER_SECONDS):
        await asyncio.sleep(AFTER_SECONDS)
    before = await world.judged()
    await asyncio.to_thread(restore.put_back, world, backup)
    desk.note_restore()
    async with load(world, desk, AFTER_SECONDS):
        mixed = await sent_often(world, world.next_deliveries(COPIED))
        recovered = await until_all_work(world)
    for name in mixed:
        world.say(f"{name}: its copies were answered differently")
    return Happened(1, recovered, before.lost + before.doubled + before.wrong + len(mixed))


async def _upgrade(world: World, desk: Desk) -> Happened:
    """Exchange each process for another while its ways to Kafka and the database are cut in turn."""
    injected = 0
    async with proxied(world) as ways, load(world, desk, len(PROGRAMS) * (AWAY_SECONDS + BETWEEN_SECONDS)):
        async with _older_beside(world):
            for number, program in enumerate(PROGRAMS):
                child, way = world.stack.children[program.name], (ways.kafka, ways.database)[number % 2]
                way.hang()
                child.signal_stop()
                await asyncio.sleep(AWAY_SECONDS)
                way.mend()
                while world.stack.children[program.name] is child:
                    await asyncio.sleep(LOOK_SECONDS)
                await asyncio.to_thread(world.stack.wait_ready, program)
                injected += 1
        recovered = await until_all_work(world)
    return Happened(injected, recovered)


@asynccontextmanager
async def _older_beside(world: World) -> AsyncIterator[None]:
    """Run processes of the release before beside ours while the block runs; where there is no history, ours twice."""
    release = Release(None) if no_history() else await older(world)
    children = [(await come(world, name, release, number=2))[0] for name in ("inventory", "compliance")]
    try:
        yield
    finally:
        for child in children:
            await asyncio.to_thread(child.stop)


async def _both_gone(world: World, desk: Desk) -> Happened:
    """Take away where webhooks go, and where they wait meanwhile: who delivers is told to come back."""
    kafka, server = ours.kafka(world), ours.postgres(world)
    async with load(world, desk, KILLS + AFTER_SECONDS):
        await asyncio.to_thread(kafka.kill)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(server.kill)
        killed = await kills.kill(world, [ACCEPT.name, TRANSLATOR], between_seconds=BETWEEN_SECONDS)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(server.start, world.say)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(kafka.start, world.say)
        recovered = await until_all_work(world)
    return Happened(1 + killed, recovered)


PAIRS: Final = (
    Pair(
        name="spool-and-accept",
        says="Kafka stopped while accept dies again and again, then the spool's drainer too",
        why="what was answered 202 stands in the spool alone, and those who write and drain it die",
        run=_spool,
        runbook="The spool grows",
    ),
    Pair(
        name="rebalance-and-database",
        says="PostgreSQL killed during rebalances",
        why="whoever takes over a partition asks the database where to go on, and it is not there",
        run=_rebalance,
        runbook="PostgreSQL is down",
    ),
    Pair(
        name="effect-and-death",
        says="tracker silent after the effect while ticketing dies before and after others",
        why="nobody is left who knows that the act was done: only the look before the next can tell",
        run=_effect,
        runbook="Duplicate tickets",
    ),
    Pair(
        name="restore-and-copies",
        says="database restored to an older state while each webhook comes ten times",
        why="what recognises a repeat is what was taken back",
        run=_restored,
        runbook="The database was restored to an older state",
    ),
    Pair(
        name="network-and-upgrade",
        says="network cut to Kafka and PostgreSQL during a rolling upgrade",
        why="a process told to go cannot hand over, and the one that comes cannot ask",
        run=_upgrade,
        runbook="Restart and upgrade",
    ),
    Pair(
        name="both-gone",
        says="Kafka and PostgreSQL killed together while accept and the drainer die",
        why="there is nowhere to keep a webhook: only a 503 tells its sender to come back",
        run=_both_gone,
        runbook="Kafka is down",
    ),
)

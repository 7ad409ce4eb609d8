"""The network between the services and Kafka, the database or the tracker: cut, silent one way, reset, slow, lossy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import Watch
from faults.ways import Ways, proxied
from faults.world import World
from simulators.lossy_network import LossyNetwork
from simulators.slow_proxy import SlowProxy

LONG_SECONDS: Final = 75.0
"""Longer than any time-out of ours: who waits in vain has given up, and tries anew."""

SHORT_SECONDS: Final = 12.0
"""Longer than a member of a group may be silent: others get its partitions."""

SHORTER_SECONDS: Final = 8.0
QUICK_SECONDS: Final = 4.0
AFTER_SECONDS: Final = 4.0
RESET_EVERY_SECONDS: Final = 0.7
DELAY_SECONDS: Final = 0.5
LOST_SHARE: Final = 0.1
"""Of all packets, in each direction: TCP sends them again, after 0.2 s and more."""

Way = Callable[[Ways], Sequence[SlowProxy]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way in which the network fails. `run` does it for so many seconds and returns how often it happened."""

    says: str
    run: Callable[[Ways, float], Awaitable[int]]
    runbook: str = "The network is bad"
    is_in_quick: bool = False
    ordinary_seconds: float = SHORTER_SECONDS


async def injure(world: World) -> Sequence[Injured]:
    """Fail in each way while webhooks come in, and judge after each time."""
    desk = await world.desk_at_work()
    async with proxied(world) as ways:
        chosen = [each for each in TROUBLES if each.is_in_quick or not world.is_quick]
        return [await _row(world, desk, ways, trouble) for trouble in chosen]


async def lossy(world: World) -> Sequence[Injured]:
    """Lose packets on every way while webhooks come in, and judge."""
    desk = await world.desk_at_work()
    async with _network() as network, proxied(world, network) as ways:

        async def lose(_ways: Ways, seconds: float) -> int:
            network.spoil(LOST_SHARE)
            await asyncio.sleep(seconds)
            dropped = network.dropped()
            network.spoil(0)
            return dropped

        trouble = Trouble(f"network loses {LOST_SHARE:.0%} of all packets", lose)
        return [await _row(world, desk, ways, trouble)]


@asynccontextmanager
async def _network() -> AsyncIterator[LossyNetwork]:
    network = LossyNetwork()
    network.enter()
    try:
        yield network
    finally:
        network.leave()


async def _row(world: World, desk: Desk, ways: Ways, trouble: Trouble) -> Injured:
    seconds = world.size.of(quick=QUICK_SECONDS, ordinary=trouble.ordinary_seconds, full=LONG_SECONDS)
    fault = world.size.marked(f"{trouble.says} for {seconds:.0f} s")
    world.say(fault)
    watch = Watch(world)
    async with load(world, desk, seconds + AFTER_SECONDS):
        await asyncio.sleep(1)
        try:
            injected = await trouble.run(ways, seconds)
        finally:
            ways.mend()
        recovered = await until_all_work(world)
    return await watch.row(fault, injected=injected, recovered=recovered, runbook=trouble.runbook)


def _cut(which: Way) -> Callable[[Ways, float], Awaitable[int]]:
    """Let nothing pass in either direction: no word comes, and no connection ends."""

    async def run(ways: Ways, seconds: float) -> int:
        for each in which(ways):
            each.hang()
        await asyncio.sleep(seconds)
        return sum(each.connections for each in which(ways))

    return run


def _deaf(which: Way) -> Callable[[Ways, float], Awaitable[int]]:
    """Let what is asked be done, and the answers be lost; in the end every connection breaks."""

    async def run(ways: Ways, seconds: float) -> int:
        for each in which(ways):
            each.lose_answers()
        await asyncio.sleep(seconds)
        return sum(each.cut() for each in which(ways))

    return run


async def _reset(ways: Ways, seconds: float) -> int:
    """Break every connection, again and again; every other time nobody gets a new one for a moment."""
    broken = 0
    for number in range(int(seconds / RESET_EVERY_SECONDS)):
        for each in ways.all:
            broken += each.cut()
            each.is_refusing = bool(number % 2)
        await asyncio.sleep(RESET_EVERY_SECONDS)
    return broken


async def _slow(ways: Ways, seconds: float) -> int:
    for each in ways.all:
        each.delay_seconds = DELAY_SECONDS
    await asyncio.sleep(seconds)
    return sum(each.connections for each in ways.all)


def _kafka(ways: Ways) -> Sequence[SlowProxy]:
    return [ways.kafka]


def _database(ways: Ways) -> Sequence[SlowProxy]:
    return [ways.database]


def _tracker(ways: Ways) -> Sequence[SlowProxy]:
    return [ways.tracker]


TROUBLES: Final = (
    Trouble("network to Kafka cut", _cut(_kafka), "Kafka is down", ordinary_seconds=SHORT_SECONDS),
    Trouble("network to PostgreSQL cut", _cut(_database), "PostgreSQL is down", is_in_quick=True),
    Trouble("network to the tracker cut", _cut(_tracker), "The tracker is down"),
    Trouble("answers of Kafka lost", _deaf(_kafka), "Kafka is down", ordinary_seconds=SHORT_SECONDS),
    Trouble("answers of PostgreSQL lost", _deaf(_database), "PostgreSQL is down"),
    Trouble("all connections reset, again and again", _reset),
    Trouble(f"all answers {DELAY_SECONDS * 1000:.0f} ms late", _slow),
)

"""A tracker whose answers go wrong in every way, ticketing stopped past its leases, and tickets planted twice.

Ticketing reaches the real tracker through a proxy that misbehaves. The judge looks at the tracker itself.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import httpx

from faults.desk import CLIENT, SOURCE, Desk
from faults.parts import load
from faults.report import Injured
from faults.world import World
from patchline.demo import tracker
from patchline.demo.tracker import Issue
from patchline.local.roundup import Roundup
from patchline.stack import programs
from patchline.stack.programs import PROGRAMS, Program
from simulators.faulty_proxy import Fault, FaultyProxy, Seen, faulty_proxy

STORM_SECONDS: Final = 25.0
QUICK_STORM_SECONDS: Final = 15.0
LOAD_AFTER_SECONDS: Final = 5.0
CHANCE: Final = 0.015
"""Of each kind of fault, for each request: with a dozen kinds about one request in six goes wrong."""

PAUSES: Final = 2
QUICK_PAUSES: Final = 1
PAST_THE_LEASE_SECONDS: Final = 14.0
"""A lease is three time-outs and 5 s: 11 s with the settings of the world."""

PLANTED: Final = 4
PLANTED_CLIENT: Final = "planted"
OFTEN: Final = {"PATCHLINE_TRACKER_ROUND_SECONDS": "3"}
LONGEST_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.2
WRONG_WAYS: Final = tuple(each for each in Fault if each not in {Fault.NONE, Fault.HOLD_AFTER})
TICKETING: Final = next(each for each in PROGRAMS if each.name == "ticketing")


class Storm(NamedTuple):
    """A way in which the tracker's answers go wrong for a while."""

    says: str
    begin: Callable[[World, FaultyProxy], None]


Condition = Callable[[], Awaitable[bool]]

WAITING: Final = """
    SELECT ticket_key || '/' || number FROM ticketing.intent
    WHERE state IN ('leased', 'uncertain') OR (state = 'pending' AND due_at <= $1)
"""
LEFT: Final = """
    SELECT count(*) FROM ticketing.intent
    WHERE state IN ('pending', 'leased', 'uncertain') AND ticket_key || '/' || number = ANY($1::text[])
"""


async def injure(world: World) -> Sequence[Injured]:
    """Let everything go wrong between ticketing and the tracker, and judge after each time."""
    await world.add_source(SOURCE, CLIENT)
    desk = Desk(world.send_at_once, world.stage.subscriber.seen, world.stage.clock)
    world.judge.also.append(desk.checks)
    async with faulty_proxy(urlsplit(world.stack.around.tracker_url).port or 80) as between:
        await _ticketing_through(world, between)
        rows = [await _storm(world, desk, between, storm) for storm in STORMS]
        rows.append(await _paused(world, desk, between))
        rows.append(await _planted(world))
        await _restarted(world, {})
    return rows


async def _ticketing_through(world: World, between: FaultyProxy) -> None:
    settings = {
        "PATCHLINE_TRACKER_URL": between.url,
        "PATCHLINE_TRACKER_ORIGIN": world.stack.around.tracker_url.rstrip("/"),
    }
    await _restarted(world, settings | OFTEN)


async def _restarted(world: World, settings: dict[str, str]) -> None:
    """Kill ticketing, and wait until it is there again with `settings` added to its own."""
    deaths = len(world.supervisor.deaths_of(TICKETING.name))
    world.supervisor.settings_of_next_starts(TICKETING.name, settings)
    await asyncio.to_thread(world.supervisor.kill, TICKETING.name)
    while len(world.supervisor.deaths_of(TICKETING.name)) == deaths or world.supervisor.are_settings_left(
        TICKETING.name
    ):
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.to_thread(world.stack.wait_ready, TICKETING)


def _anything(world: World, between: FaultyProxy) -> None:
    """Let each request meet one of all faults now and then."""
    for fault in WRONG_WAYS:
        between.faults.inject(fault, where=lambda _seen: world.rng.random() < CHANCE, times=sys.maxsize)


def _nothing_but_500s(_world: World, between: FaultyProxy) -> None:
    """Let no request be answered well; half of them are done all the same."""
    between.faults.inject(Fault.ERROR_AFTER, where=lambda seen: seen.is_write, times=sys.maxsize)
    between.faults.inject(Fault.ERROR_BEFORE, times=sys.maxsize)


STORMS: Final = (
    Storm("tracker answers lost, cut off, reset, late, 429 and 500", _anything),
    Storm("tracker answers 500 to everything", _nothing_but_500s),
)


async def _storm(world: World, desk: Desk, between: FaultyProxy, storm: Storm) -> Injured:
    seconds = QUICK_STORM_SECONDS if world.is_quick else STORM_SECONDS
    world.say(f"{storm.says}, {seconds:.0f} s")
    before = len(between.faults.injected)
    async with load(world, desk, seconds + LOAD_AFTER_SECONDS):
        storm.begin(world, between)
        await asyncio.sleep(seconds)
        between.faults.stop()
        recovered = await _until_done(world, await _waiting(world))
    return await _row(world, storm.says, injected=len(between.faults.injected) - before, recovered=recovered)


async def _paused(world: World, desk: Desk, between: FaultyProxy) -> Injured:
    """Stop ticketing in the middle of a write, let another process work past the lease, and wake the first."""
    pauses, recovered = QUICK_PAUSES if world.is_quick else PAUSES, 0.0
    seconds = pauses * (PAST_THE_LEASE_SECONDS + LOAD_AFTER_SECONDS)
    world.say(f"ticketing stopped past its lease, {pauses} times")
    async with load(world, desk, seconds):
        for _ in range(pauses):
            between.faults.let_go.clear()
            held = len(between.faults.injected)
            between.faults.inject(Fault.HOLD_AFTER, where=_is_write_that_counts, times=2)
            await _until(_more_than(between, held))
            async with _stopped(world):
                between.faults.stop()
                async with _second(world):
                    recovered = max(recovered, await _until_done(world, await _waiting(world)))
                    await asyncio.sleep(max(PAST_THE_LEASE_SECONDS - recovered, 0))
    return await _row(world, "ticketing stopped past its lease beside another", injected=pauses, recovered=recovered)


def _is_write_that_counts(seen: Seen) -> bool:
    return seen.is_write and not seen.path.endswith("/@poe")


@asynccontextmanager
async def _stopped(world: World) -> AsyncIterator[None]:
    """Let ticketing stand still while the block runs."""
    pid = world.stack.children[TICKETING.name].pid
    if pid is None:
        raise LookupError("ticketing does not run")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _second(world: World) -> AsyncIterator[None]:
    """Run another ticketing process, which reaches the tracker by itself."""
    other = Program("ticketing-beside", TICKETING.module, TICKETING.role, 0, TICKETING.secrets)
    environment = programs.environment(other, world.stack.around) | OFTEN | {"PATCHLINE_HEALTH_PORT": "0"}
    running = await asyncio.create_subprocess_exec(
        *programs.arguments(other), env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        running.terminate()
        await running.wait()


async def _planted(world: World) -> Injured:
    """Plant a second ticket of some keys, and wait until each gives way to ours."""
    login = _roundup(world).admin_login
    async with httpx.AsyncClient(
        base_url=f"{world.stack.around.tracker_url}rest/data/",
        auth=(login.name, login.password),
        headers={"X-Requested-With": "rest", "Origin": world.stack.around.tracker_url.rstrip("/")},
        trust_env=False,
        timeout=20,
    ) as person:
        ours = [each for each in await _issues(world) if each.is_open and each.client not in {CLIENT, PLANTED_CLIENT}]
        numbers = {await _plant(person, each.key): each for each in ours[:PLANTED]}
    world.say(f"{len(numbers)} tickets planted beside ours")
    started = time.monotonic()
    await _until(lambda: _all_closed(world, numbers))
    recovered = time.monotonic() - started
    row = await _row(world, "a second ticket of a key planted", injected=len(numbers), recovered=recovered)
    wrong = _not_merged(await _issues(world), numbers)
    for line in wrong:
        world.say(line)
    return Injured(
        fault=row.fault,
        injected=row.injected,
        recovered_s=row.recovered_s,
        lost=row.lost,
        doubled=row.doubled,
        wrong=row.wrong + len(wrong),
    )


async def _plant(person: httpx.AsyncClient, key: str) -> str:
    fields = {"title": "Planted by hand", "correlation_key": key, "client": PLANTED_CLIENT}
    answer = await person.post("issue", json=fields)
    answer.raise_for_status()
    return str(answer.json()["data"]["id"])


async def _all_closed(world: World, numbers: dict[str, Issue]) -> bool:
    return not [each for each in await _issues(world) if each.number in numbers and each.is_open]


def _not_merged(issues: Sequence[Issue], numbers: dict[str, Issue]) -> list[str]:
    """Return a line for each planted ticket that did not give way as it should, with one note on both."""
    by_number = {each.number: each for each in issues}
    lines = []
    for number, before in numbers.items():
        planted, ours = by_number[number], by_number[before.number]
        links = [note for note in ours.notes if note.startswith(f"Ticket {number} has the same key")]
        if planted.is_open or not ours.is_open or len(links) != 1 or len(planted.notes) != 1:
            lines.append(f"ticket {number} was not merged into {ours.number}: {len(links)} notes, open {ours.is_open}")
    return lines


async def _issues(world: World) -> list[Issue]:
    login = _roundup(world).api_login
    return await tracker.issues(world.stack.around.tracker_url, (login.name, login.password))


def _roundup(world: World) -> Roundup:
    if world.stack.parts.roundup is None:
        raise LookupError("the tracker is not ours")
    return world.stack.parts.roundup


async def _waiting(world: World) -> list[str]:
    """Return the acts at the tracker that are due or under way."""
    connection = await asyncpg.connect(world.stack.around.database, timeout=10)
    try:
        return [row[0] for row in await connection.fetch(WAITING, world.stage.clock())]
    finally:
        await connection.close()


async def _until_done(world: World, acts: Sequence[str]) -> float:
    """Return how many seconds it takes until these acts are done."""
    started = time.monotonic()
    connection = await asyncpg.connect(world.stack.around.database, timeout=10)
    try:

        async def are_done() -> bool:
            return not await connection.fetchval(LEFT, list(acts))

        await _until(are_done)
    finally:
        await connection.close()
    return time.monotonic() - started


async def _until(condition: Condition) -> None:
    """Wait until `condition` holds, or for so long that the judge will find what is missing."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline and not await condition():
        await asyncio.sleep(LOOK_SECONDS)


def _more_than(between: FaultyProxy, count: int) -> Condition:
    async def is_so() -> bool:
        return len(between.faults.injected) > count

    return is_so


async def _row(world: World, fault: str, *, injected: int, recovered: float) -> Injured:
    judgement = await world.judged()
    world.recovery.taken()
    return Injured(
        fault=fault,
        injected=injected,
        recovered_s=round(recovered, 1),
        lost=judgement.lost,
        doubled=judgement.doubled,
        wrong=judgement.wrong,
    )

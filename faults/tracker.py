"""A tracker whose answers go wrong in every way, ticketing stopped past its leases, and tickets planted twice.

Ticketing reaches the real tracker through a proxy that misbehaves. The judge looks at the tracker itself.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from faults import ours
from faults.between import OFTEN, Condition, restarted, ticketing_through, until, until_done, waiting
from faults.desk import CLIENT, Desk
from faults.parts import load
from faults.report import Injured
from faults.rows import row_of
from faults.world import World
from patchline.demo import tracker
from patchline.demo.tracker import Issue
from patchline.stack import programs
from patchline.stack.programs import PROGRAMS, Program
from simulators.faulty_proxy import Fault, FaultyProxy, Seen, faulty_proxy

FULL_STORM_SECONDS: Final = 25.0
STORM_SECONDS: Final = 12.0
QUICK_STORM_SECONDS: Final = 5.0
LOAD_AFTER_SECONDS: Final = 5.0
QUICK_LOAD_AFTER_SECONDS: Final = 1.0
CHANCE: Final = 0.015
"""Of each kind of fault, for each request: with a dozen kinds about one request in six goes wrong."""

FULL_PAUSES: Final = 2
PAUSES: Final = 1
PAST_THE_LEASE_SECONDS: Final = 14.0
"""A lease is three time-outs and 5 s: 11 s with the settings of the world."""

PLANTED: Final = 4
PLANTED_CLIENT: Final = "planted"
WRONG_WAYS: Final = tuple(each for each in Fault if each not in {Fault.NONE, Fault.HOLD_AFTER})
TICKETING: Final = next(each for each in PROGRAMS if each.name == "ticketing")


class Storm(NamedTuple):
    """A way in which the tracker's answers go wrong for a while."""

    says: str
    begin: Callable[[World, FaultyProxy], None]


async def injure(world: World) -> Sequence[Injured]:
    """Let everything go wrong between ticketing and the tracker, and judge after each time."""
    desk = await world.desk_at_work()
    async with faulty_proxy(urlsplit(world.stack.around.tracker_url).port or 80) as between:
        await ticketing_through(world, between)
        rows = [await _storm(world, desk, between, storm) for storm in (STORMS[:1] if world.is_quick else STORMS)]
        if not world.is_quick:
            rows.append(await _paused(world, desk, between))
            rows.append(await _planted(world))
        await restarted(world, {TICKETING.name: {}})
    return rows


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
    seconds = world.size.of(quick=QUICK_STORM_SECONDS, ordinary=STORM_SECONDS, full=FULL_STORM_SECONDS)
    world.say(f"{storm.says}, {seconds:.0f} s")
    before = len(between.faults.injected)
    after = QUICK_LOAD_AFTER_SECONDS if world.is_quick else LOAD_AFTER_SECONDS
    async with load(world, desk, seconds + after):
        storm.begin(world, between)
        await asyncio.sleep(seconds)
        between.faults.stop()
        recovered = await until_done(world, await waiting(world))
    says = world.size.marked(storm.says)
    return await row_of(world, says, injected=len(between.faults.injected) - before, recovered=recovered)


async def _paused(world: World, desk: Desk, between: FaultyProxy) -> Injured:
    """Stop ticketing in the middle of a write, let another process work past the lease, and wake the first."""
    pauses, recovered = world.size.of(quick=0, ordinary=PAUSES, full=FULL_PAUSES), 0.0
    seconds = pauses * (PAST_THE_LEASE_SECONDS + LOAD_AFTER_SECONDS)
    world.say(f"ticketing stopped past its lease, {pauses} times")
    async with load(world, desk, seconds):
        for _ in range(pauses):
            between.faults.let_go.clear()
            held = len(between.faults.injected)
            between.faults.inject(Fault.HOLD_AFTER, where=_is_write_that_counts, times=2)
            await until(_more_than(between, held))
            async with _stopped(world):
                between.faults.stop()
                async with _second(world):
                    recovered = max(recovered, await until_done(world, await waiting(world)))
                    await asyncio.sleep(max(PAST_THE_LEASE_SECONDS - recovered, 0))
    return await row_of(world, "ticketing stopped past its lease beside another", injected=pauses, recovered=recovered)


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
    login = ours.roundup(world).admin_login
    async with httpx.AsyncClient(
        base_url=f"{world.stack.around.tracker_url}rest/data/",
        auth=(login.name, login.password),
        headers={"X-Requested-With": "rest", "Origin": world.stack.around.tracker_url.rstrip("/")},
        trust_env=False,
        timeout=20,
    ) as person:
        there = [each for each in await _issues(world) if each.is_open and each.client not in {CLIENT, PLANTED_CLIENT}]
        numbers = {await _plant(person, each.key): each for each in there[:PLANTED]}
    world.say(f"{len(numbers)} tickets planted beside ours")
    started = time.monotonic()
    await until(lambda: _all_closed(world, numbers))
    recovered = time.monotonic() - started
    row = await row_of(world, "a second ticket of a key planted", injected=len(numbers), recovered=recovered)
    wrong = _not_merged(await _issues(world), numbers)
    for line in wrong:
        world.say(line)
    return replace(row, wrong=row.wrong + len(wrong))


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
        planted, kept = by_number[number], by_number[before.number]
        links = [note for note in kept.notes if note.startswith(f"Ticket {number} has the same key")]
        if planted.is_open or not kept.is_open or len(links) != 1 or len(planted.notes) != 1:
            lines.append(f"ticket {number} was not merged into {kept.number}: {len(links)} notes, open {kept.is_open}")
    return lines


async def _issues(world: World) -> list[Issue]:
    login = ours.roundup(world).api_login
    return await tracker.issues(world.stack.around.tracker_url, (login.name, login.password))


def _more_than(between: FaultyProxy, count: int) -> Condition:
    async def is_so() -> bool:
        return len(between.faults.injected) > count

    return is_so

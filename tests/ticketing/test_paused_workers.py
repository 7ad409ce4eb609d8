"""Real worker processes stopped (SIGSTOP) past their lease while another one works: what wakes up late writes nothing.

Where the late one had sent its request before it was stopped, the one-time link or `If-Match` keeps it from counting.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from simulators.faulty_proxy import Fault, FaultyProxy, Seen, Where, faulty_proxy
from tests.builders import client_changed
from tests.ticketing.desk import Desk, Room, until
from tests.ticketing.findings import state_changed

ROOT = Path(__file__).resolve().parents[2]
KNOWN = client_changed("Acme Dental", sequence=1)


@asynccontextmanager
async def worker(room: Room, between: FaultyProxy) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker process that reaches the tracker through a proxy of its own."""
    arguments = (room.dsn, between.url, room.roundup.api_login.password, room.roundup.url.rstrip("/"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ticketing.lone_worker", *arguments, cwd=ROOT, env=environment
    )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGCONT)
        running.kill()
        await running.wait()


def is_message(seen: Seen) -> bool:
    """The call before the one that counts: a message that no ticket shows yet."""
    return seen.method == "POST" and seen.path.endswith("/msg")


def is_create(seen: Seen) -> bool:
    return seen.method == "POST" and "/@poe/" in seen.path


def is_change(seen: Seen) -> bool:
    return seen.method == "PATCH"


class Case(NamedTuple):
    """Where a worker stops, and what it was about to tell of which device."""

    where: Where
    device: str
    state: State


@asynccontextmanager
async def two_doors(room: Room) -> AsyncIterator[tuple[FaultyProxy, FaultyProxy]]:
    port = urlsplit(room.roundup.url).port or 80
    async with faulty_proxy(port) as first, faulty_proxy(port) as second:
        yield first, second


async def stopped_while(first: FaultyProxy, paused: asyncio.subprocess.Process) -> list[Seen]:
    """Wait until the answer that is held back is waited for, stop the process there, and let the answer go."""

    async def is_held() -> bool:
        return bool(first.faults.injected)

    await until(is_held)
    await asyncio.sleep(0.1)
    paused.send_signal(signal.SIGSTOP)
    first.faults.stop()
    return list(first.faults.seen)


async def all_done(room: Room) -> bool:
    return bool(await room.pool.fetchval("SELECT bool_and(state = 'done') FROM intent"))


async def woken_late(room: Room, where: Where, *events: Envelope) -> list[Seen]:
    """Stop a worker while it waits for the answer to `where`, let another do its work, and wake it.

    Return what the late one sent after it had woken up.
    """
    async with two_doors(room) as (first, second), worker(room, first) as late:
        first.faults.inject(Fault.HOLD_AFTER, where=where)
        await room.handle(*events)
        before = await stopped_while(first, late)
        async with worker(room, second):
            await until(lambda: all_done(room))
            late.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.7)
        return first.faults.seen[len(before) :]


@pytest.mark.parametrize("where", [is_message, is_create], ids=["before the creation", "the creation is sent"])
async def test_a_worker_that_wakes_past_its_lease_makes_no_second_ticket(
    room: Room, desk: Desk, requirement: str, where: Where
) -> None:
    sent_late = await woken_late(room, where, KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))

    [key] = await room.keys()
    assert len(desk.numbers(key)) == 1
    assert len(desk.issue(key).notes) == 1
    assert [each for each in sent_late if each.is_write] == []
    assert len(await room.published()) == 1


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(is_message, "b", State.FAILED), id="before the note"),
        pytest.param(Case(is_change, "a", State.VERIFIED), id="the closure is sent"),
    ],
)
async def test_a_worker_that_wakes_past_its_lease_says_and_closes_nothing_twice(
    room: Room, desk: Desk, requirement: str, case: Case
) -> None:
    await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))

    change = state_changed(case.device, case.state, 2, requirement=requirement)
    sent_late = await woken_late(room, case.where, change)

    [key] = await room.keys()
    assert len(desk.issue(key).notes) == 2
    assert [each for each in sent_late if each.is_write] == []
    assert await room.pool.fetchval("SELECT state <> 'closed' FROM ticket")
    assert len(await room.published()) == 2

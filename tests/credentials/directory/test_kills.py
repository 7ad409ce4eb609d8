"""A process that reads directories or looks at hygiene is killed: the next one does it whole, and tells it once."""

import asyncio
import signal
import sys

import pytest

from contracts.events.credential import HygieneChanged
from services.credentials.guard.policy import GuardPolicy, Hygiene
from tests.credentials.directories import KeptDirectory, account
from tests.credentials.directory.conftest import Room

KIM = account("kim", mfa=False)
SOLD = GuardPolicy(hygiene=Hygiene(enabled=True, off=frozenset({"break_glass_missing"})))


async def killed(room: Room, work: str, point: str) -> None:
    """Let a process of its own do the work until it dies at the point, as by `kill -9`."""
    command = (sys.executable, "-m", "tests.credentials.directory.lone_reader", room.dsn, work, point)
    died = await asyncio.create_subprocess_exec(*command)
    assert await died.wait() == -signal.SIGKILL


@pytest.fixture
async def directory(room: Room) -> KeptDirectory:
    made = KeptDirectory.of(KIM)
    await room.allow(SOLD)
    await room.add("acme-ad", made)
    return made


@pytest.mark.usefixtures("directory")
async def test_a_reading_that_died_before_it_was_whole_makes_nothing_fresh_and_is_done_again(room: Room) -> None:
    await killed(room, "read", "directory read")

    assert not await room.is_fresh()
    assert [each.object_id for each in await room.found("kim@acme.example")] == ["kim"]
    assert await room.read_after(minutes=1) == 0
    assert await room.read_after(minutes=2) == 1
    assert await room.is_fresh()


@pytest.mark.usefixtures("directory")
async def test_a_finding_whose_teller_died_is_told_once(room: Room) -> None:
    await room.read_due()

    await killed(room, "look", "hygiene told")
    await room.look()

    said = [each.data for each in await room.told()]
    assert [each.monitor for each in said if isinstance(each, HygieneChanged)] == ["no_mfa"]

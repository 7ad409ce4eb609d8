"""The part that watches tells what a person did and what is late, goes on after a failure, and stops when told to."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from chassis.postgres import Pool
from contracts.events.credential import BreakerMoved, PromiseBroken
from tests.credentials.guard.conftest import HIBP, Room, opened


@dataclass
class Failing:
    """A pool whose first connections are refused."""

    real: Pool
    refused: int

    def acquire(self) -> Any:
        if self.refused:
            self.refused -= 1
            raise OSError("connection refused")
        return self.real.acquire()


async def until_told(room: Room, kind: type) -> None:
    async with asyncio.timeout(20):
        while not await room.told(kind):
            await asyncio.sleep(0.05)


async def watched(room: Room, kind: type) -> None:
    """Run the part until something of that kind was told, and stop it."""
    stopping = asyncio.Event()
    task = asyncio.create_task(room.watch().run(stopping))
    await until_told(room, kind)
    stopping.set()
    await asyncio.wait_for(task, timeout=2)


async def test_what_a_person_did_is_told_within_seconds(room: Room) -> None:
    await room.pool.execute(
        "INSERT INTO breaker_move (tenant_id, number, state, why, moved_by, moved_at) "
        "VALUES (gen_random_uuid(), 1, 'killed', 'they called', 'operator ada@desk', $1)",
        room.now,
    )

    await watched(room, BreakerMoved)

    assert await room.moves() == [("tenant", "killed", "they called")]


async def test_it_goes_on_after_the_database_was_away(room: Room) -> None:
    await room.tell(opened("ada"))
    room.later(16)
    real = room.pool
    stopping = asyncio.Event()
    room.pool = cast("Pool", Failing(real, refused=1))
    task = asyncio.create_task(room.watch().run(stopping))
    room.pool = real

    await until_told(room, PromiseBroken)

    stopping.set()
    await asyncio.wait_for(task, timeout=2)


async def test_one_look_after_the_other_tells_all_of_many(room: Room) -> None:
    await room.tell(*(opened(f"person {n}") for n in range(450)))
    room.later(16)

    has_more = [await room.look() for _ in range(4)]

    assert has_more == [True, True, False, False]
    assert len(await room.told(PromiseBroken)) == 450


async def test_who_was_named_a_month_ago_is_forgotten(room: Room) -> None:
    await room.arrive("old", received_at=room.now - timedelta(days=32))
    await room.arrive("usual", received_at=room.now - timedelta(days=29), source=HIBP)

    await room.look()

    rows = await room.pool.fetch("SELECT account FROM guard_arrival")
    assert [row["account"] for row in rows] == ["usual"]

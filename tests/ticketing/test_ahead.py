"""The clock ran an hour ahead and goes right again: nothing waits for an hour, and no lease is cut short."""

from datetime import timedelta

import pytest

from chassis.ahead import pull_back
from contracts.events.obligation import State
from services.ticketing import store_ahead, store_intents
from services.ticketing.handlers import TicketingHandler
from tests.builders import batch_of, client_changed
from tests.ticketing.desk import Room
from tests.ticketing.findings import state_changed

HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=6)
PLANNED = store_ahead.planned(look_every=timedelta(seconds=30), round_every=timedelta(minutes=10), lease=LEASE)


async def _failed_ahead(room: Room, requirement: str) -> None:
    """Let a failure be handled while the clock is an hour ahead."""
    room.clock.move(hours=1)
    failed = state_changed("a", State.FAILED, 1, requirement=requirement)
    await room.handle(client_changed("Acme Dental", sequence=1), failed)


async def test_what_was_due_by_a_clock_ahead_is_due_when_the_clock_is_right(room: Room, requirement: str) -> None:
    await _failed_ahead(room, requirement)
    room.clock.move(hours=-1)
    before = await store_intents.load_due(room.pool, room.clock(), per_tenant=4)

    for each in PLANNED:
        await pull_back(room.pool, each, room.clock())

    after = await store_intents.load_due(room.pool, room.clock(), per_tenant=4)
    assert (len(before), len(after)) == (0, 1)


async def test_a_lease_of_a_clock_ahead_ends_a_lease_from_now_and_what_may_be_written_was_written_until_now(
    room: Room, requirement: str
) -> None:
    await _failed_ahead(room, requirement)
    due, ahead = await store_intents.load_due(room.pool, room.clock(), per_tenant=4), room.clock()
    [intent] = await store_intents.lease(room.pool, due, now=ahead, until=ahead + LEASE, margin=LEASE)
    await store_intents.begin_write(room.pool, intent, reservation=None, now=ahead)
    room.clock.move(hours=-1)
    now = room.clock()

    for each in PLANNED:
        await pull_back(room.pool, each, now)

    row = await room.pool.fetchrow("SELECT state, due_at, acted_at FROM intent")
    assert row is not None
    assert (row["state"], row["due_at"], row["acted_at"]) == ("leased", now + LEASE, now)


async def test_what_is_put_off_as_usual_stays_as_it_is(room: Room, requirement: str) -> None:
    await _failed_ahead(room, requirement)
    room.clock.move(hours=-1)
    now = room.clock()
    await room.pool.execute("UPDATE intent SET due_at = $1", now + timedelta(minutes=5))

    for each in PLANNED:
        await pull_back(room.pool, each, now)

    assert await room.pool.fetchval("SELECT due_at FROM intent") == now + timedelta(minutes=5)


@pytest.mark.parametrize("hours", [0, 1], ids=["recorded now", "recorded by a clock ahead"])
async def test_what_is_to_be_done_is_due_by_the_clock_whatever_the_recorded_time(
    room: Room, requirement: str, hours: int
) -> None:
    await room.handle(client_changed("Acme Dental", sequence=1))
    handler = TicketingHandler(look_every=timedelta(seconds=30), clock=room.clock)
    recorded_at = room.clock() + timedelta(hours=hours)

    async with room.pool.acquire() as connection, connection.transaction():
        failed = state_changed("a", State.FAILED, 1, requirement=requirement)
        await handler.on_batch(connection, batch_of([failed], recorded_at=recorded_at))

    assert len(await store_intents.load_due(room.pool, room.clock(), per_tenant=4)) == 1

"""The clock ran an hour ahead and goes right again: cases go on, leases end in time, what waits for people waits."""

from datetime import timedelta

from chassis.ahead import pull_back
from chassis.postgres import transaction
from services.credentials.cases.handlers import CredentialsHandler
from services.credentials.reset import store_ahead
from tests.builders import HOUR, batch_of
from tests.credentials.room import Room, exposed

LEASE = timedelta(seconds=30)
PLANNED = store_ahead.planned(lease=LEASE, reading=timedelta(minutes=2))


async def _back_again(room: Room) -> None:
    room.now -= HOUR
    for each in PLANNED:
        await pull_back(room.pool, each, room.now)


async def test_a_case_that_began_by_a_clock_ahead_goes_on_when_its_ticket_comes(room: Room) -> None:
    room.now += HOUR
    await room.hear(exposed())

    await _back_again(room)
    await room.ticket_opens()
    await room.settle()

    assert room.directory.invalidated == ["ann"]


async def test_a_lease_of_a_clock_ahead_ends_a_lease_from_now(room: Room) -> None:
    room.now += HOUR
    await room.hear(exposed())
    room.now += timedelta(seconds=60)
    [_turn] = await room.worker().taken()

    await _back_again(room)

    ends = await room.pool.fetchval("SELECT due_at FROM case_step WHERE state = 'leased'")
    assert ends == room.now + LEASE


async def test_what_waits_for_people_waits_as_long_as_before(room: Room) -> None:
    await room.hear(exposed("ada@acme.example"))
    await room.settle()
    before = await room.pool.fetch("SELECT step, due_at FROM case_step WHERE state = 'pending' ORDER BY step")

    for each in PLANNED:
        await pull_back(room.pool, each, room.now)

    after = await room.pool.fetch("SELECT step, due_at FROM case_step WHERE state = 'pending' ORDER BY step")
    assert before
    assert after == before


async def test_a_directory_is_read_at_its_usual_interval_again(room: Room) -> None:
    usual = await room.pool.fetchval("SELECT next_at FROM directory") - room.now
    await room.pool.execute("UPDATE directory SET next_at = $1", room.now + HOUR + usual)

    for each in PLANNED:
        await pull_back(room.pool, each, room.now)

    assert await room.pool.fetchval("SELECT next_at FROM directory") <= room.now + timedelta(seconds=900)


async def test_steps_are_due_by_the_clock_whatever_the_recorded_time(room: Room) -> None:
    batch = batch_of([exposed()], recorded_at=room.now + HOUR)

    async with transaction(room.pool) as tx:
        await CredentialsHandler(lambda: room.now).on_batch(tx, batch)
    await room.settle(seconds=60)

    assert room.directory.invalidated == ["ann"]


async def test_a_reading_by_a_clock_ahead_is_no_later_reading(room: Room) -> None:
    room.now += HOUR
    await room.sync()
    room.now -= HOUR
    await room.hear(exposed())
    await room.ticket_opens()

    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert (await room.steps())["verified"] == "done"

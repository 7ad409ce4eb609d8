"""What an exception does to obligations: it hides what is lacking, never a proof, and moves no deadline."""

import asyncio
from datetime import datetime

from chassis.postgres import transaction
from contracts.events.obligation import ObligationStateChanged, State
from services.compliance.exceptions.records import Control, ControlKind, Lane
from tests.builders import batch_of
from tests.compliance.exceptions.asking import SEGMENTED
from tests.compliance.exceptions.room import Room, enrolled, ticketed
from tests.compliance.house import asset_changed, client_in
from tests.compliance.stories import DEC_BUILD, booted, gone, hour, listed, read, reported, scanned

LACKING = (asset_changed(build=DEC_BUILD), scanned(-1), read(-1, DEC_BUILD), listed(0))
DUE_AT = hour(22)
WAITING = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
ISOLATING = (
    SEGMENTED,
    Control(ControlKind.RESTRICTED_ACCESS, "two people"),
    Control(ControlKind.MONITORING, "all of its traffic"),
)


async def due_at(room: Room) -> set[datetime]:
    rows = await room.house.rows("SELECT due_at FROM obligation WHERE train = 'cumulative'")
    return {row["due_at"] for row in rows}


async def test_at_its_end_it_is_overdue_since_the_deadline_it_always_had(room: Room) -> None:
    await room.house.hear(*LACKING)
    request = await room.granted()
    excepted = await room.house.state(), await due_at(room)
    await room.pass_time(days=9)
    await room.house.hear(scanned(9 * 24))
    await room.pass_time(days=12)
    await room.house.hear(scanned(21 * 24))
    await room.pass_time(days=9, seconds=-1)
    before = await room.house.state()

    await room.pass_time(seconds=1)

    assert excepted == ("EXCEPTED", {DUE_AT})
    assert before == "EXCEPTED"
    assert (await room.house.state(), await due_at(room)) == ("MISSING_OVERDUE", {DUE_AT})
    last = (await room.house.told(ObligationStateChanged))[-1]
    assert (last.before, last.state, last.due_at) == (State.EXCEPTED, State.MISSING_OVERDUE, DUE_AT)
    [ended] = [each.time for each in await room.house.published() if each.data == last]
    assert ended == request.until


async def test_a_machine_that_appears_while_an_exception_of_all_is_granted_is_excepted(room: Room) -> None:
    request = await room.ask(asset_ids=None, machines=())
    await room.house.hear(client_in("America/New_York"), enrolled(), ticketed(request.id))
    await room.bring(request)

    async with transaction(room.house.pool) as tx:
        await room.house.handler.on_batch(tx, batch_of(LACKING, recorded_at=room.house.now))
        look = asyncio.create_task(room.loop.look())
        while not look.done() and not await room.house.rows(WAITING):
            await asyncio.sleep(0.01)
    await look
    await room.settle()

    assert await room.house.state() == "EXCEPTED"


async def test_a_revoked_one_ends_at_once(room: Room) -> None:
    await room.house.hear(*LACKING)
    request = await room.granted()
    await room.pass_time(days=2)

    await room.revoke(request)

    assert (await room.house.state(), await due_at(room)) == ("MISSING_OVERDUE", {DUE_AT})


async def test_a_proof_shows_in_spite_of_it(room: Room) -> None:
    await room.house.hear(*LACKING)
    await room.granted()

    await room.house.hear(reported(11), booted(12), gone(13))

    assert await room.house.state() == "VERIFIED"


async def test_it_covers_no_other_machine(room: Room) -> None:
    await room.house.hear(*LACKING, asset_changed("dc02", build=DEC_BUILD))

    await room.granted()

    states = {await room.house.state("dc01"), await room.house.state("dc02")}
    assert "EXCEPTED" in states
    assert len(states) == 2


async def test_the_isolated_lane_covers_every_update_of_its_machine(room: Room) -> None:
    await room.house.hear(*LACKING)

    await room.granted(lane=Lane.ISOLATED, requirement_id=None, controls=ISOLATING)

    assert set((await room.house.states()).values()) == {"EXCEPTED"}


async def test_one_that_nobody_signed_excepts_nothing(room: Room) -> None:
    await room.house.hear(*LACKING)

    await room.ask()
    await room.pass_time(hours=13)

    assert await room.house.state() == "MISSING_OVERDUE"

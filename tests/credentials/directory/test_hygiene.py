"""What is wrong with accounts is told once, and once more when it is over; never from stale accounts."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from contracts.events.credential import HygieneChanged
from services.credentials.directory.hygiene import TOLD_AT_ONCE, HygieneRounds
from services.credentials.guard.policy import GuardPolicy, Hygiene
from tests.builders import ACME, BIRCH, NOON
from tests.credentials.directories import KeptDirectory, account
from tests.credentials.directory.conftest import Room

SOLD = GuardPolicy(
    hygiene=Hygiene(enabled=True, off=frozenset({"break_glass_missing"})),
    break_glass=frozenset({"rescue@acme.example"}),
)
KIM = account("kim", mfa=False)
RESCUE = account("r", "rescue@acme.example", last_used_at=NOON - timedelta(days=89, hours=12))


async def news(room: Room) -> list[tuple[str, str, bool]]:
    """Return what is told of hygiene since the last time."""
    await room.look()
    said = [each.data for each in await room.told()]
    return [(each.monitor, each.about, each.failing) for each in said if isinstance(each, HygieneChanged)]


async def test_it_is_off_by_default(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()

    assert await news(room) == []


async def test_what_is_wrong_is_told_once_and_again_when_it_is_over(room: Room) -> None:
    directory = KeptDirectory.of(KIM, RESCUE)
    await room.allow(SOLD)
    await room.add("acme-ad", directory)
    await room.read_due()
    first = await news(room)
    await room.read_after(minutes=15)
    second = await news(room)
    directory.accounts_by_id["kim"] = replace(KIM, mfa=True)
    await room.read_after(minutes=15)

    assert first == [("no_mfa", "kim@acme.example", True)]
    assert second == []
    assert await news(room) == [("no_mfa", "kim@acme.example", False)]


async def test_a_look_without_a_new_reading_is_not_due(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    await room.look()

    assert not await HygieneRounds(room.on).look_at_next()


async def test_time_alone_brings_findings(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(replace(KIM, mfa=True), RESCUE))
    await room.read_due()
    assert await news(room) == []

    await room.read_after(days=1)

    assert await news(room) == [("break_glass_untested", "rescue@acme.example", True)]


async def test_stale_accounts_are_not_judged(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(KIM, RESCUE))
    await room.read_due()
    room.now += timedelta(hours=3)

    assert await news(room) == []


async def test_switching_it_off_ends_what_was_found(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(KIM, RESCUE))
    await room.read_due()
    await room.look()
    await room.allow(GuardPolicy())

    await room.read_after(minutes=15)

    assert (await news(room))[-1] == ("no_mfa", "kim@acme.example", False)


async def test_one_client_is_told_of_its_own_accounts_alone(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(RESCUE))
    await room.add("birch-ad", KeptDirectory.of(KIM), tenant=BIRCH)
    await room.read_due()

    assert await news(room) == []


async def test_who_left_and_lives_is_told(room: Room) -> None:
    leaver = uuid4()
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(replace(KIM, mfa=True), RESCUE))
    await room.read_due()
    await room.pool.execute(
        "INSERT INTO offboarding (offboarding_id, tenant_id, login, directories, object_ids, leaves_at, started_at, "
        "started_by) VALUES ($1, $2, 'kim@acme.example', '{acme-ad}', '{kim}', $3, $3, 'a test')",
        leaver,
        ACME,
        NOON,
    )

    assert await news(room) == [("offboarded_alive", "kim@acme.example", True)]


async def test_two_processes_tell_it_once(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(KIM, RESCUE))
    await room.read_due()

    await asyncio.gather(*(HygieneRounds(room.on).look_at_next() for _ in range(3)))

    assert await news(room) == [("no_mfa", "kim@acme.example", True)]


async def test_the_part_looks_until_it_is_stopped(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(KIM, RESCUE))
    await room.read_due()
    stopping = asyncio.Event()
    running = asyncio.create_task(HygieneRounds(room.on).run(stopping))
    async with asyncio.timeout(20):
        while not await room.pool.fetchval("SELECT count(*) FROM hygiene_finding"):
            await asyncio.sleep(0.05)

    stopping.set()
    await running

    assert await news(room) == [("no_mfa", "kim@acme.example", True)]


async def test_a_copy_elsewhere_with_a_second_factor_is_looked_at_too(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(KIM, RESCUE))
    await room.add("acme-entra", KeptDirectory.of(account("cloud", *KIM.logins, mfa=True)))
    await room.read_due()

    assert await news(room) == []


async def test_what_a_newer_policy_lists_is_looked_at_before_the_next_reading(room: Room) -> None:
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(replace(KIM, mfa=True), RESCUE))
    await room.read_due()
    await room.allow(SOLD.model_copy(update={"break_glass": SOLD.break_glass | {"Kim@acme.example"}}))

    assert await news(room) == [("break_glass_untested", "kim@acme.example", True)]


async def test_many_findings_are_told_in_turns_and_each_once(room: Room) -> None:
    many = [account(f"u{number:03}", mfa=False) for number in range(TOLD_AT_ONCE + 10)]
    await room.allow(SOLD)
    await room.add("acme-ad", KeptDirectory.of(*many, RESCUE, page_size=1000))
    await room.read_due()
    rounds = HygieneRounds(room.on)

    turns = []
    while await rounds.look_at_next():
        turns.append([each.data.about for each in await room.told() if isinstance(each.data, HygieneChanged)])

    assert [len(each) for each in turns] == [TOLD_AT_ONCE, 10]
    assert len({about for each in turns for about in each}) == len(many)

"""Directories are read whole or not believed; what is stale says so."""

import asyncio
from dataclasses import replace
from uuid import uuid4

from chassis.errors import WrongSetting
from chassis.http import Unavailable
from contracts.events.credential import AccountKind
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Link
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Account
from tests.builders import BIRCH, NOON
from tests.credentials.directories import KeptDirectory, account
from tests.credentials.directory.conftest import Room

KIM, LEE, ADA = account("kim"), account("lee"), account("ada", privileges=("Domain Admins",))


async def test_a_whole_reading_makes_a_client_fresh(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM, LEE, ADA, own="lee"))

    assert await room.read_due() == 1

    [kim] = await room.found("KIM@acme.example")
    [lee] = await room.found("lee@acme.example")
    [ada] = await room.found("ada")
    state = await room.state("acme-ad")
    assert (kim.account, kim.kind, kim.privileged, kim.read_at) == (KIM, AccountKind.PERSON, False, NOON)
    assert (lee.kind, ada.privileged) == (AccountKind.CONNECTOR, True)
    assert await room.is_fresh()
    assert (state["fresh_at"], state["accounts"], state["own_id"], state["domains"]) == (
        NOON,
        3,
        "lee",
        ["acme.example"],
    )


async def test_reading_it_again_changes_nothing_but_the_moment(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    [before] = await room.found("kim@acme.example")

    await room.read_after(minutes=15)

    [after] = await room.found("kim@acme.example")
    assert replace(after, read_at=before.read_at) == before
    assert after.read_at > before.read_at


async def test_an_hour_after_its_last_reading_a_client_is_stale(room: Room) -> None:
    directory = KeptDirectory.of(KIM)
    await room.add("acme-ad", directory)
    await room.read_due()
    directory.failure = Unavailable("down")

    await room.read_after(minutes=61)

    assert not await room.is_fresh()
    assert [each.object_id for each in await room.found("kim@acme.example")] == ["kim"]


async def test_a_client_without_a_directory_is_never_fresh(room: Room) -> None:
    assert not await room.is_fresh()


async def test_one_unread_directory_makes_its_client_stale_and_nobody_else(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.add("acme-okta", KeptDirectory.of(LEE, failure=Unavailable("down")))
    await room.add("birch-ad", KeptDirectory.of(KIM), tenant=BIRCH)

    await room.read_due()

    assert not await room.is_fresh()
    assert await room.is_fresh(tenant=BIRCH)


async def test_a_directory_that_was_switched_off_goes_stale(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    await room.pool.execute("UPDATE directory SET enabled = false")

    assert await room.read_after(hours=2) == 0
    assert not await room.is_fresh()


async def test_a_reading_that_breaks_off_keeps_its_pages_and_makes_nothing_fresh_and_nobody_gone(room: Room) -> None:
    directory = KeptDirectory.of(KIM, LEE, ADA)
    await room.add("acme-ad", directory)
    await room.read_due()
    directory.accounts_by_id = {"kim": replace(KIM, enabled=False), "lee": LEE}
    directory.failure = Unavailable("the line broke")

    await room.read_after(minutes=15)

    state = await room.state("acme-ad")
    assert not (await room.found("kim"))[0].account.enabled
    assert await room.found("ada") != []
    assert (state["fresh_at"], state["failures"], state["last_error"]) == (NOON, 1, "the line broke")


async def test_who_is_not_shown_any_more_is_nobodys_and_is_kept(room: Room) -> None:
    directory = KeptDirectory.of(KIM, LEE)
    await room.add("acme-ad", directory)
    await room.read_due()
    del directory.accounts_by_id["lee"]

    await room.read_after(minutes=15)

    assert await room.found("lee@acme.example") == []
    assert await room.pool.fetchval("SELECT gone_at FROM identity WHERE object_id = 'lee'") == room.now


async def test_who_comes_back_is_somebody_again(room: Room) -> None:
    directory = KeptDirectory.of(KIM, LEE)
    await room.add("acme-ad", directory)
    await room.read_due()
    lee = directory.accounts_by_id.pop("lee")
    await room.read_after(minutes=15)
    directory.accounts_by_id["lee"] = lee

    await room.read_after(minutes=15)

    assert len(await room.found("lee@acme.example")) == 1


def many(count: int) -> list[Account]:
    return [account(f"u{number:03}") for number in range(count)]


async def test_a_reading_that_suddenly_shows_far_fewer_is_not_believed(room: Room) -> None:
    directory = KeptDirectory.of(*many(30), page_size=10)
    await room.add("acme-ad", directory)
    await room.read_due()
    directory.accounts_by_id = {each.object_id: each for each in many(5)}

    await room.read_after(minutes=15)

    state = await room.state("acme-ad")
    assert (state["fresh_at"], state["accounts"], state["failures"]) == (NOON, 30, 1)
    assert "5 of the 30" in state["last_error"]
    assert await room.found("u020") != []


async def test_it_is_believed_once_a_person_says_that_it_is_right(room: Room) -> None:
    directory = KeptDirectory.of(*many(30), page_size=10)
    await room.add("acme-ad", directory)
    await room.read_due()
    directory.accounts_by_id = {each.object_id: each for each in many(5)}
    await room.pool.execute("UPDATE directory SET fewer_is_right = true")

    await room.read_after(minutes=15)

    state = await room.state("acme-ad")
    assert (state["fresh_at"], state["accounts"], state["fewer_is_right"]) == (room.now, 5, False)


async def test_two_processes_never_read_one_directory_at_once(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))

    assert len(await room.sync.claimed(4)) == 1
    assert await room.sync.claimed(4) == []


async def test_after_a_death_the_directory_is_anybodys_once_the_lease_ends(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.sync.claimed(4)

    assert await room.read_after(minutes=1) == 0
    assert await room.read_after(minutes=2) == 1
    assert await room.is_fresh()


async def test_who_lost_the_lease_keeps_nothing_more(room: Room) -> None:
    directory = KeptDirectory.of(KIM)
    await room.add("acme-ad", directory)
    [late] = await room.sync.claimed(4)
    await room.pool.execute("UPDATE directory SET lease = $1", uuid4())

    await room.sync.read(late)

    state = await room.state("acme-ad")
    assert (state["fresh_at"], state["failures"], directory.closed) == (None, 0, 1)
    assert await room.found("kim") == []


async def test_a_directory_that_cannot_even_be_asked_is_noted_and_the_others_are_read(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.add("acme-okta", KeptDirectory.of(LEE))

    def connect(link: Link) -> Directory:
        if link.directory == "acme-okta":
            raise WrongSetting("acme-okta: there is no such file")
        return room.there[link.directory]

    sync = room.sync
    sync._connect = connect
    for due in await sync.claimed(4):
        await sync.read(due)

    assert (await room.state("acme-okta"))["last_error"] == "acme-okta: there is no such file"
    assert await room.found("kim") != []


async def test_a_directory_is_asked_again_not_before_it_says(room: Room) -> None:
    directory = KeptDirectory.of(KIM, failure=Unavailable("slowly", retry_after_seconds=600))
    await room.add("acme-ad", directory)
    await room.read_due()
    directory.failure = None

    assert await room.read_after(minutes=9) == 0
    assert await room.read_after(minutes=2) == 1


async def test_what_is_asked_for_during_a_reading_is_read_again_at_once(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    [due] = await room.sync.claimed(1)
    await room.pool.execute("UPDATE directory SET next_at = $1", room.now.replace(second=30))

    await room.sync.read(due)

    assert await room.read_after(seconds=31) == 1


async def test_what_is_asked_for_during_a_reading_that_fails_is_read_again_at_once(room: Room) -> None:
    directory = KeptDirectory.of(KIM, failure=Unavailable("down"))
    await room.add("acme-ad", directory)
    [due] = await room.sync.claimed(1)
    await room.pool.execute("UPDATE directory SET next_at = $1", room.now.replace(second=5))

    await room.sync.read(due)

    assert await room.read_after(seconds=6) == 1


async def test_the_part_reads_what_is_due_and_stops(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    stopping = asyncio.Event()
    running = asyncio.create_task(room.sync.run(stopping))
    async with asyncio.timeout(20):
        while not await room.is_fresh():
            await asyncio.sleep(0.05)

    stopping.set()
    await running

    assert (await room.state("acme-ad"))["lease"] is None


async def test_what_a_client_allows_decides_what_kind_an_account_is(room: Room) -> None:
    await room.allow(GuardPolicy(break_glass=frozenset({"kim@acme.example"})))
    await room.add("acme-ad", KeptDirectory.of(KIM))

    await room.read_due()

    assert (await room.found("kim"))[0].kind is AccountKind.BREAK_GLASS

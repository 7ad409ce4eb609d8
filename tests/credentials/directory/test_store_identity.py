"""What is known of accounts: by login, by client, and never older than what was known before."""

from dataclasses import replace

import pytest

from services.credentials.directory import store_directory, store_identity
from tests.builders import ACME, BIRCH, NOON
from tests.credentials.directories import KeptDirectory, account, identity
from tests.credentials.directory.conftest import Room

KIM, LEE, ADA = account("kim"), account("lee"), account("ada", privileges=("Domain Admins",))


async def test_a_fresh_look_at_one_account_is_kept_and_an_older_page_does_not_undo_it(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    later = identity(replace(KIM, enabled=False), read_at=NOON.replace(minute=5))
    async with room.pool.acquire() as connection:
        await store_identity.save_fresh(connection, later)
        await store_identity.save(connection, [identity(KIM, read_at=NOON.replace(minute=1))])

    assert await room.found("kim") == [later]


async def test_an_account_that_is_gone_when_looked_at_is_nobodys(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()

    async with room.pool.acquire() as connection:
        await store_identity.mark_gone(connection, "acme-ad", ["kim"], NOON.replace(minute=5))
        await store_identity.save(connection, [identity(KIM, read_at=NOON.replace(minute=1))])

    assert await room.found("kim") == []


async def test_one_clients_login_is_never_another_clients(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.add("birch-ad", KeptDirectory.of(replace(LEE, logins=("kim@acme.example",))), tenant=BIRCH)
    await room.read_due()

    assert [each.tenant for each in await room.found("kim@acme.example")] == [ACME]
    assert [each.tenant for each in await room.found("kim@acme.example", BIRCH)] == [BIRCH]


@pytest.mark.parametrize(
    "asked", ["\uff2b\uff29\uff2d@acme.example", " Kim@ACME.example "], ids=["full width", "blanks and case"]
)
async def test_a_login_is_found_in_any_spelling(room: Room, asked: str) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()

    assert len(await room.found(asked)) == 1


async def test_what_others_ask_of_a_client(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM, LEE, ADA, replace(LEE, object_id="off", enabled=False), own="lee"))
    await room.add("acme-okta", KeptDirectory.of(verified=frozenset({"Acme.org"})))
    await room.read_due()

    async with room.pool.acquire() as connection:
        assert await store_identity.enabled_persons(connection, [ACME, BIRCH]) == {ACME: 2}
        assert await store_identity.domains(connection, [ACME, BIRCH]) == {
            ACME: {"acme.example", "acme.org"},
            BIRCH: frozenset(),
        }
        assert [each.object_id for each in await store_identity.privileged(connection, ACME)] == ["ada"]
        assert await store_directory.own_ids(connection, ["acme-ad"]) == {"acme-ad": "lee"}
        assert set(await store_directory.links(connection, ["acme-ad", "nobodys"])) == {"acme-ad"}
        assert (await store_identity.load(connection, "acme-ad", "kim")) == (await room.found("kim"))[0]


async def test_a_login_that_was_taken_away_is_nobodys(room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    married = replace(KIM, logins=("kim.miller@acme.example",))

    async with room.pool.acquire() as connection:
        await store_identity.save_fresh(connection, identity(married, read_at=NOON.replace(minute=5)))

    assert await room.found("kim@acme.example") == []
    assert [each.account for each in await room.found("kim.miller@acme.example")] == [married]

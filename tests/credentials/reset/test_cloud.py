"""From an exposure to the end of its case in simulated cloud directories: who can sign in no more, who still can."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from contracts.events.credential import CaseClosed, CaseStep, CaseStepDone
from tests.builders import ACME
from tests.credentials.clouds import EXPOSED, GIVEN, Given, given_google
from tests.credentials.room import DIRECTORY, Room, exposed, opened_room
from tests.parts import Database


async def connected(room: Room, cloud: Given) -> Room:
    """Connect a cloud directory, and let its clock be the room's."""
    room.now = datetime.now(UTC)
    cloud.idp.clock = lambda: room.now
    room.connected = lambda link: cloud.connected()  # type: ignore[method-assign]  # noqa: ARG005  # each reading closes its own
    await room.allow()
    await room.pool.execute(
        "INSERT INTO directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at) "
        "VALUES ($1, $2, $3, '{}', 'none', 900, $4, $4)",
        DIRECTORY,
        ACME,
        cloud.kind,
        room.now,
    )
    return room


@pytest.fixture(params=GIVEN)
def cloud(request: pytest.FixtureRequest) -> Given:
    """One of the three, where Jane's password is exposed."""
    return GIVEN[request.param]()


@pytest.fixture
async def room(database: Database, cloud: Given) -> AsyncIterator[Room]:
    """A client that is past its dry run."""
    async with opened_room(database) as made:
        yield await connected(made, cloud)
    await cloud.directory.close()


async def exposed_now(room: Room, *logins: str) -> None:
    """Let passwords be found that were taken an hour ago, the directory having been read."""
    await room.sync()
    found = (exposed(each, at=room.now, exposed_at=room.now - timedelta(hours=1)) for each in logins)
    await room.hear(*found)


async def test_the_exposed_password_opens_nothing_and_the_case_ends_with_the_directorys_word(
    cloud: Given, room: Room
) -> None:
    await exposed_now(room, "jane@acme.example" if cloud.kind == "entra" else "jane.doe@acme.example")
    assert await cloud.opens(cloud.jane.login, EXPOSED)

    await room.finish()

    assert not await cloud.opens(cloud.jane.login, EXPOSED)
    assert [(each.what, each.login) for each in cloud.idp.deeds] == [
        ("password", cloud.jane.login),
        ("sessions", cloud.jane.login),
    ]
    assert (await room.case())["object_id"] == cloud.jane.id
    assert [each.step for each in await room.told(CaseStepDone)][-1] is CaseStep.VERIFIED
    [closed] = await room.told(CaseClosed)
    assert "the directory shows a change at" in closed.proof


async def test_an_administrator_signs_in_as_before(cloud: Given, room: Room) -> None:
    await exposed_now(room, cloud.admin.login)

    await room.finish()

    assert cloud.idp.deeds == []
    assert (await room.case())["decision"] in {"ask", "refuse"}


async def test_who_signs_in_elsewhere_is_left_to_a_person(cloud: Given, room: Room) -> None:
    await exposed_now(room, cloud.others["worker"].login, cloud.others["synced"].login)

    await room.finish()

    assert [each.what for each in cloud.idp.deeds if each.what == "password"] == []
    assert await room.told(CaseClosed) == []
    assert len(await room.cases()) == 2


async def test_a_lost_answer_leads_to_one_reset(cloud: Given, room: Room) -> None:
    await exposed_now(room, cloud.jane.login)
    cloud.idp.fail("lost", method=cloud.writes, path="/users/")

    await room.finish()

    assert [each.what for each in cloud.idp.deeds] == ["password", "sessions"]
    assert (await room.case())["closed_at"] is not None


async def test_a_provider_that_is_away_or_busy_is_waited_for(cloud: Given, room: Room) -> None:
    await exposed_now(room, cloud.jane.login)
    cloud.idp.fail("broken", method="GET", path="/users/", times=4)
    cloud.idp.fail("limited", method=cloud.writes, path="/users/", times=4)

    await room.finish(seconds=1200)

    assert [each.what for each in cloud.idp.deeds] == ["password", "sessions"]
    assert (await room.case())["closed_at"] is not None


async def test_what_google_logs_late_is_neither_taken_for_undone_nor_parked(database: Database) -> None:
    cloud = given_google()
    async with opened_room(database) as room:
        await connected(room, cloud)
        cloud.idp.person_changes_password(cloud.jane.id, EXPOSED)
        room.now += timedelta(days=1)
        cloud.idp.log_delay = timedelta(hours=2)
        cloud.idp.deeds.clear()
        await exposed_now(room, cloud.jane.login)

        await room.finish()

        assert [each.what for each in cloud.idp.deeds] == ["password", "sessions"]
        assert "parked" not in (await room.steps()).values()
        assert (await room.case())["closed_at"] is not None
    await cloud.directory.close()

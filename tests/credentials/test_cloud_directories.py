"""What holds for every cloud directory, against simulators that speak their vendors' wire formats."""

import logging
import traceback
from collections.abc import AsyncIterator

import pytest

from chassis.errors import NeverWorks
from chassis.http import Refused, Unavailable
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotHere, TooEarly
from services.credentials.records import Account, Authority
from simulators.wire import Answer
from tests.credentials.clouds import EXPOSED, GIVEN, Given

ELSEWHERE = {
    "entra": ("synced", "partner", "worker"),
    "okta": ("synced", "worker"),
    "google": ("synced", "worker"),
}


@pytest.fixture(params=GIVEN)
async def cloud(request: pytest.FixtureRequest) -> AsyncIterator[Given]:
    given = GIVEN[request.param]()
    yield given
    await given.directory.close()


async def everybody(cloud: Given) -> dict[str, Account]:
    """Return all accounts, by login."""
    return {each.logins[0]: each async for page in cloud.directory.accounts() for each in page}


async def now(cloud: Given) -> Account:
    """Return Jane as the directory shows her."""
    found = await cloud.directory.account(cloud.jane.id)
    assert found is not None
    return found


async def test_everybody_is_read_page_by_page(cloud: Given) -> None:
    found = await everybody(cloud)

    assert len(found) == len(cloud.idp.people)
    jane = found["jane.doe@acme.example"]
    assert (jane.object_id, jane.name, jane.enabled) == (cloud.jane.id, "Jane Doe", True)
    assert jane.authority is Authority.CLOUD
    assert (jane.privileges, jane.eligible) == ((), ())


async def test_who_is_disabled_shows_it(cloud: Given) -> None:
    cloud.jane.enabled = False

    assert (await everybody(cloud))["jane.doe@acme.example"].enabled is False


async def test_one_account_is_read_by_its_id_alone(cloud: Given) -> None:
    assert (await now(cloud)).logins[0] == "jane.doe@acme.example"
    assert await cloud.directory.account("jane.doe@acme.example") is None


async def test_who_is_gone_is_gone(cloud: Given) -> None:
    del cloud.idp.people[cloud.jane.id]

    assert await cloud.directory.account(cloud.jane.id) is None
    with pytest.raises(NoSuchAccount):
        await cloud.directory.invalidate(cloud.jane.id)
    with pytest.raises(NoSuchAccount):
        await cloud.directory.revoke(cloud.jane.id)


async def test_an_exposed_password_opens_nothing_any_more(cloud: Given) -> None:
    assert await cloud.opens(cloud.jane.login, EXPOSED)

    await cloud.directory.invalidate(cloud.jane.id)

    assert not await cloud.opens(cloud.jane.login, EXPOSED)
    assert await cloud.opens(cloud.jane.login, cloud.written())
    assert len(cloud.written()) == 64
    assert [(each.what, each.login) for each in cloud.idp.deeds] == [("password", cloud.jane.login)]


async def test_nobody_else_is_touched(cloud: Given) -> None:
    before = {each.login: each.password for each in cloud.idp.people.values()}

    await cloud.directory.invalidate(cloud.jane.id)

    changed = {each.login for each in cloud.idp.people.values() if each.password != before[each.login]}
    assert changed == {cloud.jane.login}


async def test_doing_it_again_gives_another_password_that_nobody_knows(cloud: Given) -> None:
    await cloud.directory.invalidate(cloud.jane.id)
    first = cloud.written()

    await cloud.directory.invalidate(cloud.jane.id)

    assert cloud.written() != first
    assert not await cloud.opens(cloud.jane.login, first)


async def test_a_later_change_shows_in_a_fresh_reading(cloud: Given) -> None:
    before = (await now(cloud)).password_changed_at

    await cloud.directory.invalidate(cloud.jane.id)

    after = (await now(cloud)).password_changed_at
    assert after is not None
    assert before is None or after > before


async def test_where_another_decides_nothing_is_written(cloud: Given) -> None:
    names = ELSEWHERE[cloud.kind]

    for name in names:
        with pytest.raises(NotHere):
            await cloud.directory.invalidate(cloud.others[name].id)

    shown = await everybody(cloud)
    assert all(
        shown_as.authority is not Authority.CLOUD for shown_as in shown.values() if shown_as.name.lower() in names
    )
    assert cloud.idp.deeds == []


async def test_sessions_end_and_what_stays_is_said(cloud: Given) -> None:
    before = cloud.jane.sessions_from

    told = await cloud.directory.revoke(cloud.jane.id)

    assert cloud.idp.people[cloud.jane.id].sessions_from > before
    assert "hour" in told
    assert await cloud.directory.revoke(cloud.jane.id) == told


async def test_a_replica_that_lags_is_waited_for(cloud: Given) -> None:
    cloud.idp.lag = 2

    await cloud.directory.invalidate(cloud.jane.id)

    assert cloud.waits == [0.5, 1.0]


async def test_a_replica_that_lags_for_long_is_told_as_too_early(cloud: Given) -> None:
    cloud.idp.lag = 50

    with pytest.raises(TooEarly):
        await cloud.directory.invalidate(cloud.jane.id)

    assert not await cloud.opens(cloud.jane.login, EXPOSED)


async def test_what_is_forbidden_is_left_to_a_person(cloud: Given) -> None:
    cloud.idp.fail("forbidden", method=cloud.writes, path="/users/")

    with pytest.raises(NotAllowed):
        await cloud.directory.invalidate(cloud.jane.id)

    assert await cloud.opens(cloud.jane.login, EXPOSED)


@pytest.mark.parametrize("trouble", ["lost", "timeout"])
async def test_a_lost_answer_is_told_as_ambiguous(cloud: Given, trouble: str) -> None:
    before = (await now(cloud)).password_changed_at
    cloud.wire.method, cloud.wire.losing = cloud.writes, trouble == "timeout"
    if trouble == "lost":
        cloud.idp.fail("lost", method=cloud.writes, path="/users/")

    with pytest.raises(Unavailable) as told:
        await cloud.directory.invalidate(cloud.jane.id)

    assert told.value.ambiguous
    cloud.wire.losing = False
    after = (await now(cloud)).password_changed_at
    assert after is not None
    assert before is None or after > before


async def test_a_failure_before_the_write_is_not_ambiguous(cloud: Given) -> None:
    cloud.idp.fail("broken", method="GET", times=50)

    with pytest.raises(Unavailable) as told:
        await cloud.directory.invalidate(cloud.jane.id)

    assert not told.value.ambiguous
    assert cloud.idp.deeds == []


async def test_a_failure_after_the_write_is_ambiguous(cloud: Given) -> None:
    await now(cloud)  # with a token there are no other calls between the reads and the write
    cloud.idp.lag = 1
    deeds = cloud.idp.deeds

    class Broken(list):  # type: ignore[type-arg]  # a list of deeds, and what follows the first
        def append(self, deed: object) -> None:
            deeds.append(deed)
            cloud.idp.fail("broken", method="GET", path="/users/", times=50)

    cloud.idp.deeds = Broken()

    with pytest.raises(Unavailable) as told:
        await cloud.directory.invalidate(cloud.jane.id)

    assert told.value.ambiguous
    assert [each.what for each in deeds] == ["password"]


async def test_too_many_calls_are_told_with_how_long_to_wait(cloud: Given) -> None:
    await now(cloud)
    cloud.idp.fail("limited", method=cloud.writes, path="/users/", times=5)

    with pytest.raises(Unavailable) as told:
        await cloud.directory.invalidate(cloud.jane.id)

    assert told.value.limited
    assert not told.value.ambiguous
    assert await cloud.opens(cloud.jane.login, EXPOSED)


async def test_a_listing_with_a_hole_ends_in_an_error(cloud: Given) -> None:
    seen: list[Account] = []
    listing = cloud.directory.accounts()
    seen += await anext(listing)
    cloud.idp.fail("forbidden", method="GET", times=50)

    with pytest.raises(Refused):
        seen += [each async for page in listing for each in page]

    assert 0 < len(seen) < len(cloud.idp.people)


async def test_who_has_power_is_read_whole_or_nobody_is_shown(cloud: Given) -> None:
    cloud.idp.fail("forbidden", method="GET", path="ole")  # roles, roleManagement, roleassignments
    cloud.idp.fail("forbidden", method="GET", path="assignees")

    with pytest.raises(Refused):
        await everybody(cloud)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 503])
async def test_a_password_is_in_no_error_and_in_no_log(
    cloud: Given, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    usual = cloud.idp.respond
    cloud.idp.respond = lambda call: (
        Answer(status, {"message": f"cannot do {call.body.decode()}"})
        if call.method == cloud.writes and "/users/" in call.path
        else usual(call)
    )

    with pytest.raises((NeverWorks, Unavailable)) as told:
        await cloud.directory.invalidate(cloud.jane.id)

    logged = repr([vars(each) for each in caplog.records])
    shown = "".join(traceback.format_exception(told.value)) + repr(told.value) + logged
    assert cloud.written() not in shown
    assert await cloud.opens(cloud.jane.login, EXPOSED)


async def test_secrets_are_in_no_field_that_is_shown(cloud: Given) -> None:
    await now(cloud)

    ours: list[object] = [cloud.directory]
    for each in ours:
        inner = vars(each).values() if hasattr(each, "__dict__") else ()
        ours += [one for one in inner if type(one).__module__.startswith(("services.", "chassis."))]
    shown = "".join(repr(vars(each)) for each in ours if hasattr(each, "__dict__"))
    assert len(ours) > 3
    assert not any(secret in shown for secret in ("simulated-entra-secret", "00simulatedOktaToken", "PRIVATE KEY"))


async def test_a_token_that_ended_is_replaced_once(cloud: Given) -> None:
    await now(cloud)
    if hasattr(cloud.idp, "login"):
        cloud.idp.login.forget_tokens()
    elif hasattr(cloud.idp, "_tokens"):
        cloud.idp._tokens.clear()

    assert (await now(cloud)).object_id == cloud.jane.id

"""Google Workspace: administrators, organisational units, passwords that only the logs tell of, other doors."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Refused, Unavailable
from services.credentials.adapters import google
from services.credentials.adapters.directory import NotAllowed, TooEarly
from services.credentials.adapters.google_reading import said_as_429
from services.credentials.adapters.google_rows import Changes, GoogleUser, changed_at
from services.credentials.records import Account, Authority
from simulators.google_rows import SUPER_ADMIN
from tests.builders import NOON
from tests.credentials.clouds import EXPOSED, Given, given_google


@pytest.fixture
async def customer() -> AsyncIterator[Given]:
    given = given_google()
    yield given
    await given.directory.close()


async def everybody(customer: Given) -> dict[str, Account]:
    """Return all accounts, by the name before the @."""
    return {each.logins[0].partition("@")[0]: each async for page in customer.directory.accounts() for each in page}


async def alone(customer: Given) -> Account:
    """Return Jane, read alone."""
    found = await customer.directory.account(customer.jane.id)
    assert found is not None
    return found


async def test_administrators_are_seen_by_role_and_through_a_group(customer: Given) -> None:
    customer.jane.roles = {"User Management"}

    found = await everybody(customer)

    assert found["otto.admin"].privileges == ("Super Admin",)
    assert found["jane.doe"].privileges == ("User Management",)
    assert found["member"].privileges == ("Help Desk",)
    assert (await alone(customer)).privileges == ("User Management",)


async def test_where_a_password_is_decided_follows_from_the_unit_that_the_operator_named(customer: Given) -> None:
    customer.admin.unit = "/SSO"

    found = await everybody(customer)

    assert found["synced"].authority is Authority.SYNCED
    assert found["worker"].authority is Authority.FEDERATED
    assert found["otto.admin"].authority is Authority.CLOUD  # super administrators sign in at Google itself
    assert found["jane.doe"].authority is Authority.CLOUD


async def test_a_unit_whose_name_only_begins_so_is_another(customer: Given) -> None:
    customer.jane.unit = "/SSO-not"

    assert (await alone(customer)).authority is Authority.CLOUD


async def test_two_steps_and_a_way_back_are_read(customer: Given) -> None:
    customer.jane.second_factor, customer.jane.recovery = False, False

    assert ((await alone(customer)).mfa, (await alone(customer)).recovery) == (False, False)


async def test_who_never_signed_in_was_never_seen(customer: Given) -> None:
    assert (await alone(customer)).last_used_at is None


async def test_what_a_person_changed_is_known_from_the_log(customer: Given) -> None:
    customer.idp.person_changes_password(customer.jane.id, "A new one of mine")

    changed_at = customer.idp.people[customer.jane.id].changed_at
    assert (await alone(customer)).password_changed_at == changed_at
    assert (await everybody(customer))["jane.doe"].password_changed_at == changed_at
    assert (await everybody(customer))["member"].password_changed_at is None


async def test_what_we_changed_is_known_once_the_log_shows_it(customer: Given) -> None:
    customer.idp.log_delay = timedelta(minutes=10)

    await customer.directory.invalidate(customer.jane.id)

    assert (await alone(customer)).password_changed_at is None
    later = customer.idp.clock() + timedelta(minutes=11)
    customer.idp.clock = lambda: later
    assert (await alone(customer)).password_changed_at == customer.idp.people[customer.jane.id].changed_at


async def test_an_own_older_choice_is_not_taken_for_what_an_administrator_set(customer: Given) -> None:
    customer.idp.person_changes_password(customer.jane.id, EXPOSED)
    customer.idp.log_delay = timedelta(minutes=10)

    await customer.directory.invalidate(customer.jane.id)

    assert (await alone(customer)).password_changed_at is None
    assert (await everybody(customer))["jane.doe"].password_changed_at is None


@pytest.mark.parametrize(
    ("by_person", "by_admin", "must_change", "known"),
    [
        pytest.param(None, None, False, None, id="never told"),
        pytest.param(1, None, False, 1, id="the person"),
        pytest.param(None, 2, False, 2, id="an administrator"),
        pytest.param(1, 2, False, 2, id="the later: an administrator"),
        pytest.param(3, 2, False, 3, id="the later: the person"),
        pytest.param(1, 2, True, 2, id="an administrator, and the person has not chosen yet"),
        pytest.param(3, 2, True, None, id="an administrator since, which is not told yet"),
        pytest.param(1, None, True, None, id="an administrator, which is not told yet"),
        pytest.param(None, None, True, None, id="nothing told yet"),
    ],
)
def test_when_a_password_was_changed(
    by_person: int | None, by_admin: int | None, *, must_change: bool, known: int | None
) -> None:
    user = GoogleUser(id="1", primary_email="jane@acme.example", change_password_at_next_login=must_change)
    changes = Changes(by_person=hour(by_person), by_admin=hour(by_admin))

    assert changed_at(user, [changes]) == hour(known)


async def test_without_the_logs_it_is_not_known_when_a_password_was_changed() -> None:
    customer = given_google(password_events="false")
    customer.idp.person_changes_password(customer.jane.id, "A new one of mine")

    assert (await alone(customer)).password_changed_at is None
    assert [call.path for call in customer.idp.calls if "reports" in call.path] == []
    await customer.directory.close()


async def test_groups_that_the_client_names_are_read_and_one_that_is_gone_holds_nobody() -> None:
    customer = given_google(groups="payments@acme.example,gone@acme.example")

    found = await everybody(customer)

    assert found["finance"].groups == ("payments@acme.example",)
    assert found["jane.doe"].groups == ()
    await customer.directory.close()


async def test_only_verified_domains_are_the_customers_own(customer: Given) -> None:
    assert await customer.directory.domains() == {"acme.example"}


async def test_the_administrator_in_whose_name_we_act_is_our_own_account(customer: Given) -> None:
    assert await customer.directory.own_id() == customer.admin.id


async def test_whoever_is_no_super_administrator_cannot_reset_one(customer: Given) -> None:
    customer.admin.roles, customer.jane.roles = {"User Management"}, {SUPER_ADMIN}

    with pytest.raises(NotAllowed):
        await customer.directory.invalidate(customer.jane.id)


async def test_application_passwords_and_programs_are_shut_out_with_the_sessions(customer: Given) -> None:
    customer.idp.application_passwords[customer.jane.id] = [1, 2]
    customer.jane.doors = {"mail.example", "crm.example"}

    await customer.directory.revoke(customer.jane.id)

    assert customer.idp.application_passwords[customer.jane.id] == []
    assert customer.idp.people[customer.jane.id].doors == set()


async def test_a_door_that_stays_open_is_not_told_as_shut(customer: Given) -> None:
    customer.jane.doors = {"crm.example"}
    customer.idp.fail("ignored", method="DELETE")

    with pytest.raises(TooEarly):
        await customer.directory.revoke(customer.jane.id)


async def test_a_door_that_somebody_else_shut_is_shut(customer: Given) -> None:
    customer.jane.doors = {"crm.example"}
    usual = customer.idp.respond

    def shut(call: object) -> object:
        if getattr(call, "method", "") == "DELETE":
            customer.jane.doors.clear()
            return google_error(404, "notFound")
        return usual(call)

    customer.idp.respond = shut

    assert "hour" in await customer.directory.revoke(customer.jane.id)


async def test_too_often_is_said_with_403_and_understood(customer: Given) -> None:
    customer.idp.fail("limited", method="GET", path="/users", times=5)

    with pytest.raises(Unavailable) as told:
        await customer.directory.account(customer.jane.id)

    assert told.value.limited


async def test_too_often_for_a_moment_is_called_again(customer: Given) -> None:
    customer.idp.fail("limited", method="GET", path="/users")

    assert (await alone(customer)).object_id == customer.jane.id


@pytest.mark.parametrize(
    ("status", "body", "becomes", "seconds"),
    [
        pytest.param(403, {"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}, 429, None, id="one user's"),
        pytest.param(403, {"error": {"errors": [{"reason": "dailyLimitExceeded"}]}}, 429, "3600.0", id="for today"),
        pytest.param(403, {"error": {"errors": [{"reason": "forbidden"}]}}, 403, None, id="forbidden"),
        pytest.param(403, {"error": "words"}, 403, None, id="of another shape"),
        pytest.param(403, [], 403, None, id="no object"),
        pytest.param(404, {"error": {"errors": [{"reason": "quotaExceeded"}]}}, 404, None, id="another status"),
    ],
)
def test_what_google_means_by_403(status: int, body: object, becomes: int, seconds: str | None) -> None:
    response = httpx.Response(status, json=body)

    said_as_429(response)

    assert (response.status_code, response.headers.get("retry-after")) == (becomes, seconds)


async def test_a_scope_that_was_not_delegated_opens_nothing() -> None:
    customer = given_google()
    customer.idp.scopes.discard("admin.directory.user.security")

    with pytest.raises(Refused, match="no token: unauthorized_client"):
        await everybody(customer)
    await customer.directory.close()


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("word", id="no JSON"),
        pytest.param(json.dumps({"client_email": "a@b.example"}), id="no key"),
        pytest.param(
            json.dumps({"client_email": "a@b.example", "private_key": "hidden", "private_key_id": "1"}),
            id="a wrong key",
        ),
    ],
)
def test_a_key_file_that_is_none_is_a_wrong_setting(secret: str) -> None:
    with pytest.raises(WrongSetting) as told:
        google.made(google.GoogleOptions(subject="a@b.example"), SecretStr(secret))

    assert "hidden" not in str(told.value)


def hour(number: int | None) -> datetime | None:
    """Return a moment so many hours after noon."""
    return None if number is None else NOON + timedelta(hours=number)


def google_error(status: int, reason: str) -> object:
    """Return an error as Google writes it."""
    from simulators.google import _error

    return _error(status, reason, "Not Found")

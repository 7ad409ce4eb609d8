"""Okta: roles and factors, whose password it is, limits that are told as a moment, and what is never called."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Refused, Unavailable
from services.credentials.adapters import okta
from services.credentials.adapters.directory import NotAllowed, TooEarly
from services.credentials.records import Account, Authority, Mark
from tests.credentials.clouds import OKTA, Given, given_okta

RESET = 1_790_000_000
AT = "Mon, 21 Sep 2026 14:13:00 GMT"  # 20 seconds before


@pytest.fixture
async def organisation() -> AsyncIterator[Given]:
    given = given_okta()
    yield given
    await given.directory.close()


async def everybody(organisation: Given) -> dict[str, Account]:
    """Return all accounts, by the name before the @."""
    return {each.logins[0].partition("@")[0]: each async for page in organisation.directory.accounts() for each in page}


async def test_roles_are_seen_held_and_through_a_group(organisation: Given) -> None:
    found = await everybody(organisation)

    assert found["otto.admin"].privileges == ("SUPER_ADMIN",)
    assert found["member"].privileges == ("HELP_DESK_ADMIN",)
    assert found["jane.doe"].privileges == ()


async def test_where_a_password_is_decided_follows_from_the_provider(organisation: Given) -> None:
    found = await everybody(organisation)

    assert found["synced"].authority is Authority.SYNCED
    assert found["worker"].authority is Authority.FEDERATED
    assert found["worker"].marks == {Mark.EXTERNAL}


async def test_factors_are_read_for_one_account_and_for_all_only_where_asked(organisation: Given) -> None:
    asked = given_okta(factors_in_sync="true")
    for each in (organisation, asked):
        each.jane.second_factor = False

    alone = await organisation.directory.account(organisation.jane.id)

    assert alone is not None
    assert alone.mfa is False
    assert (await everybody(organisation))["jane.doe"].mfa is None
    assert (await everybody(asked))["jane.doe"].mfa is False
    await asked.directory.close()


@pytest.mark.parametrize(
    ("second_mail", "second_factor", "way_back"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
async def test_a_way_back_is_one_outside_the_mailbox(
    organisation: Given, *, second_mail: bool, second_factor: bool, way_back: bool
) -> None:
    organisation.jane.recovery, organisation.jane.second_factor = second_mail, second_factor

    alone = await organisation.directory.account(organisation.jane.id)

    assert alone is not None
    assert alone.recovery is way_back


async def test_groups_that_the_client_names_are_read_by_their_whole_name() -> None:
    organisation = given_okta(groups="pay, Payments")

    found = await everybody(organisation)

    assert found["finance"].groups == ("Payments",)
    await organisation.directory.close()


async def test_the_owner_of_the_api_token_is_our_own_account(organisation: Given) -> None:
    assert await organisation.directory.own_id() == organisation.admin.id


async def test_a_service_application_signs_for_its_token_and_is_no_account() -> None:
    organisation = given_okta(application=True)

    await organisation.directory.invalidate(organisation.jane.id)

    assert await organisation.directory.own_id() is None
    assert [each.what for each in organisation.idp.deeds] == ["password"]
    await organisation.directory.close()


async def test_a_scope_that_is_missing_shows_nobody() -> None:
    organisation = given_okta(application=True)
    organisation.idp.scopes.discard("okta.roles.read")

    with pytest.raises(Refused):
        await everybody(organisation)
    await organisation.directory.close()


async def test_domains_are_those_that_the_operator_named(organisation: Given) -> None:
    assert await organisation.directory.domains() == {"acme.example", "fed.example"}


async def test_no_domain_at_all_is_a_wrong_setting() -> None:
    with pytest.raises(WrongSetting, match="domains"):
        okta.made(okta.OktaOptions.model_validate({"url": OKTA, "domains": ""}), SecretStr("word"))


@pytest.mark.parametrize("status", ["STAGED", "PROVISIONED"])
async def test_who_was_never_activated_gets_no_password(organisation: Given, status: str) -> None:
    organisation.idp.statuses[organisation.jane.id] = status

    with pytest.raises(NotAllowed, match=status):
        await organisation.directory.invalidate(organisation.jane.id)

    assert organisation.idp.deeds == []


async def test_tokens_of_applications_end_with_the_sessions(organisation: Given) -> None:
    organisation.jane.doors = {"mail client"}

    await organisation.directory.revoke(organisation.jane.id)

    assert organisation.idp.people[organisation.jane.id].doors == set()


async def test_nobody_is_ever_sent_into_recovery(organisation: Given) -> None:
    await organisation.directory.invalidate(organisation.jane.id)
    await organisation.directory.revoke(organisation.jane.id)

    assert [call.path for call in organisation.idp.calls if "lifecycle" in call.path] == []


async def test_a_write_that_was_accepted_and_never_shows_is_not_believed(organisation: Given) -> None:
    organisation.idp.fail("ignored", method="POST")

    with pytest.raises(TooEarly):
        await organisation.directory.invalidate(organisation.jane.id)


async def test_a_listing_waits_until_the_moment_that_okta_tells(organisation: Given) -> None:
    organisation.idp.fail("limited", method="GET", path="/api/v1/users")

    found = await everybody(organisation)

    assert len(found) == len(organisation.idp.people)
    [waited] = organisation.waits
    assert 3 < waited <= 5


async def test_a_moment_of_the_next_call_becomes_seconds(organisation: Given) -> None:
    organisation.idp.fail("limited", method="GET")

    with pytest.raises(Unavailable) as told:
        await organisation.directory.account(organisation.jane.id)

    assert told.value.limited
    assert told.value.retry_after_seconds is not None
    assert 3 < told.value.retry_after_seconds <= 5


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        pytest.param(429, {"x-rate-limit-reset": str(RESET), "date": AT}, "20.0", id="by the server's own clock"),
        pytest.param(
            429, {"x-rate-limit-reset": str(RESET), "date": f"{AT}, {AT}"}, "20.0", id="by two clocks at once"
        ),
        pytest.param(429, {"x-rate-limit-reset": str(RESET - 3600), "date": AT}, "1.0", id="past"),
        pytest.param(429, {"x-rate-limit-reset": str(RESET + 86400), "date": AT}, "3600.0", id="too long"),
        pytest.param(429, {"x-rate-limit-reset": "soon", "date": AT}, None, id="no number"),
        pytest.param(429, {"date": AT}, None, id="not told"),
        pytest.param(429, {"x-rate-limit-reset": str(RESET), "date": AT, "retry-after": "7"}, "7", id="told plainly"),
        pytest.param(200, {"x-rate-limit-reset": str(RESET), "date": AT}, None, id="no refusal"),
    ],
)
def test_when_to_call_again(status: int, headers: dict[str, str], seconds: str | None) -> None:
    response = httpx.Response(status, headers=headers)

    okta.said_in_seconds(response)

    assert response.headers.get("retry-after") == seconds

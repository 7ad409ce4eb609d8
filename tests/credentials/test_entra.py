"""Microsoft Entra ID: who has power, what is registered, where a password is decided, and what Graph does otherwise."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Refused, Unavailable
from services.credentials.adapters import entra
from services.credentials.adapters.cloud import AnswerNotUnderstood
from services.credentials.adapters.directory import NotAllowed, TooEarly
from services.credentials.records import Account, Authority, Mark
from simulators import entra_login
from simulators.wire import Answer
from tests.credentials.clouds import EXPOSED, GRAPH, LOGIN, POLICY, Given, given_entra


@pytest.fixture
async def tenant() -> AsyncIterator[Given]:
    given = given_entra()
    yield given
    await given.directory.close()


async def everybody(tenant: Given) -> dict[str, Account]:
    """Return all accounts, by the name before the @."""
    return {each.logins[0].partition("@")[0]: each async for page in tenant.directory.accounts() for each in page}


async def test_roles_are_seen_held_through_a_group_and_within_reach(tenant: Given) -> None:
    found = await everybody(tenant)

    assert found["otto.admin"].privileges == ("Global Administrator",)
    assert found["member"].privileges == ("Helpdesk Administrator", "Tier 0")
    assert found["pim"].eligible == ("Global Administrator",)
    assert found["joiner"].eligible == found["owner"].eligible == ("Helpdesk Administrator", "Tier 0")
    assert found["jane.doe"].privileges == found["jane.doe"].eligible == ()


async def test_marks_and_authorities_say_whose_password_it_is(tenant: Given) -> None:
    tenant.jane.never_expires = True

    found = await everybody(tenant)

    assert found["synced"].authority is Authority.SYNCED
    assert found["worker"].authority is Authority.FEDERATED
    guest = next(each for each in found.values() if Mark.GUEST in each.marks)
    assert Mark.EXTERNAL in guest.marks
    assert guest.authority is Authority.FEDERATED
    assert found["sync_dc1_0a1b"].marks == {Mark.SYNC}
    assert found["jane.doe"].marks == {Mark.NEVER_EXPIRES}


async def test_logins_are_all_addresses_in_small_letters(tenant: Given) -> None:
    assert (await everybody(tenant))["jane.doe"].logins == ("jane.doe@acme.example", "jane@acme.example")


async def test_accounts_that_are_read_one_after_the_other_share_the_list_of_roles_for_seconds_only(
    tenant: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jane.doe", "otto.admin"):
        await tenant.directory.account(tenant.others[name].id)
    assert len([call for call in tenant.idp.calls if call.path.endswith("/roleAssignments")]) == 1
    monkeypatch.setattr("services.credentials.adapters.cloud_memory.SECONDS", -1.0)
    tenant.jane.roles = {"User Administrator"}

    found = await tenant.directory.account(tenant.jane.id)

    assert found is not None
    assert found.privileges == ("User Administrator",)


async def test_what_is_registered_is_read_with_the_listing_and_alone(tenant: Given) -> None:
    tenant.jane.second_factor, tenant.jane.recovery = False, True

    listed, alone = (await everybody(tenant))["jane.doe"], await tenant.directory.account(tenant.jane.id)

    assert alone is not None
    assert (listed.mfa, listed.recovery) == (alone.mfa, alone.recovery) == (False, True)


async def test_without_a_premium_licence_it_is_not_known_who_has_registered_what(tenant: Given) -> None:
    tenant.idp.is_premium = False

    listed, alone = (await everybody(tenant))["jane.doe"], await tenant.directory.account(tenant.jane.id)

    assert (listed.mfa, listed.recovery) == (None, None)
    assert alone is not None
    assert (alone.mfa, alone.recovery) == (True, None)


@pytest.mark.parametrize(
    "permission",
    ["RoleManagement.Read.Directory", "GroupMember.Read.All", "AuditLog.Read.All", "Domain.Read.All"],
)
async def test_a_permission_that_is_missing_shows_nobody(tenant: Given, permission: str) -> None:
    tenant.idp.permissions.discard(permission)

    with pytest.raises(Refused):
        await everybody(tenant)


async def test_groups_that_the_client_names_are_read_by_name() -> None:
    tenant = given_entra(groups="Payments, Nobody's")

    found = await everybody(tenant)
    alone = await tenant.directory.account(tenant.others["finance"].id)

    assert found["finance"].groups == ("Payments",)
    assert alone is not None
    assert alone.groups == ("Payments",)
    await tenant.directory.close()


async def test_a_mailbox_that_several_share_is_seen_where_it_may_be_read() -> None:
    tenant = given_entra(mailbox_purpose="true")
    tenant.idp.permissions.add("MailboxSettings.Read")
    tenant.jane.purpose = "shared"

    alone = await tenant.directory.account(tenant.jane.id)

    assert alone is not None
    assert Mark.SHARED_MAILBOX in alone.marks
    await tenant.directory.close()


async def test_only_verified_domains_are_the_tenants_own(tenant: Given) -> None:
    assert await tenant.directory.domains() == {"acme.example", "fed.example"}


async def test_we_are_no_account_of_the_tenant(tenant: Given) -> None:
    assert await tenant.directory.own_id() is None


async def test_the_permissions_asked_for_do_not_reach_an_administrators_password(tenant: Given) -> None:
    for name in ("otto.admin", "member"):
        with pytest.raises(NotAllowed, match="Authorization_RequestDenied"):
            await tenant.directory.invalidate(tenant.others[name].id)

    assert tenant.idp.deeds == []


async def test_nobody_is_asked_for_a_new_password_with_the_exposed_one(tenant: Given) -> None:
    await tenant.directory.invalidate(tenant.jane.id)

    assert tenant.idp.people[tenant.jane.id].must_change is False
    assert not await tenant.opens(tenant.jane.login, EXPOSED)


async def test_a_stolen_refresh_token_is_worth_nothing_after_the_sessions_ended(tenant: Given) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(tenant.idp), base_url=LOGIN) as thief:
        stolen = {"grant_type": "password", "username": tenant.jane.login, "password": EXPOSED}
        token = (await thief.post(entra_login.PATH, data=stolen)).json()["refresh_token"]
        again = {"grant_type": "refresh_token", "refresh_token": token}
        assert (await thief.post(entra_login.PATH, data=again)).is_success

        await tenant.directory.revoke(tenant.jane.id)

        assert "AADSTS50173" in (await thief.post(entra_login.PATH, data=again)).text


async def test_a_guests_sessions_are_left_to_the_guests_company(tenant: Given) -> None:
    told = await tenant.directory.revoke(tenant.others["partner"].id)

    assert "own directory" in told
    assert tenant.idp.deeds == []


async def test_a_synchronised_accounts_sessions_are_ended_here(tenant: Given) -> None:
    await tenant.directory.revoke(tenant.others["synced"].id)

    assert [(each.what, each.login) for each in tenant.idp.deeds] == [("sessions", "synced@acme.example")]


async def test_a_write_that_was_accepted_and_never_shows_is_not_believed(tenant: Given) -> None:
    tenant.idp.fail("ignored", method="PATCH")

    with pytest.raises(TooEarly):
        await tenant.directory.invalidate(tenant.jane.id)


async def test_a_listing_waits_where_graph_asks_for_it(tenant: Given) -> None:
    tenant.idp.fail("limited", method="GET", path="/v1.0/users", times=2)

    found = await everybody(tenant)

    assert len(found) == len(tenant.idp.people)
    assert tenant.waits == [3.0, 3.0]


async def test_one_account_is_not_waited_for(tenant: Given) -> None:
    tenant.idp.fail("limited", method="GET", path="/v1.0/users")

    with pytest.raises(Unavailable) as told:
        await tenant.directory.account(tenant.jane.id)

    assert told.value.retry_after_seconds == 3
    assert tenant.waits == []


async def test_a_certificate_opens_it_too() -> None:
    tenant = given_entra(certificate=True)

    assert await tenant.directory.account(tenant.jane.id) is not None
    await tenant.directory.close()


async def test_a_wrong_secret_is_told_by_its_code_alone() -> None:
    tenant = given_entra()
    options = entra.EntraOptions(tenant_id=entra_login.TENANT, client_id=entra_login.CLIENT_ID)
    wrong = entra.made(options, SecretStr("not-the-secret"), policy=POLICY, transport=tenant.wire)

    with pytest.raises(Refused, match="no token: invalid_client") as told:
        await wrong.domains()

    assert "not-the-secret" not in str(told.value)
    await wrong.close()


@pytest.mark.parametrize("secret", ["-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----"])
def test_a_key_that_is_none_is_a_wrong_setting(secret: str) -> None:
    options = entra.EntraOptions(tenant_id=entra_login.TENANT, client_id=entra_login.CLIENT_ID)

    with pytest.raises(WrongSetting) as told:
        entra.made(options, SecretStr(secret), policy=POLICY)

    assert "nonsense" not in str(told.value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"value": "none"}, id="no list"),
        pytest.param([], id="no object"),
        pytest.param({"value": [{"displayName": "without an id"}]}, id="a row without an id"),
        pytest.param({"value": [], "@odata.nextLink": "https://elsewhere.example/v1.0/domains?page=2"}, id="away"),
        pytest.param({"value": [], "@odata.nextLink": f"{GRAPH}/v1.0/domains"}, id="no end"),
    ],
)
async def test_an_answer_that_is_not_as_documented_is_not_guessed_at(
    tenant: Given, body: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.credentials.adapters.entra_powers.MOST_PAGES", 20)
    usual = tenant.idp.respond
    tenant.idp.respond = lambda call: Answer(200, body) if "domains" in call.path else usual(call)

    with pytest.raises(AnswerNotUnderstood):
        await tenant.directory.domains()


async def test_an_answer_that_is_no_json_may_be_one_later() -> None:
    async def page(request: httpx.Request) -> httpx.Response:
        if request.url.host == httpx.URL(LOGIN).host:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3599})
        return httpx.Response(200, text="<html>Please sign in to the guest network</html>")

    options = entra.EntraOptions(tenant_id=entra_login.TENANT, client_id=entra_login.CLIENT_ID)
    behind = entra.made(options, SecretStr("word"), policy=POLICY, transport=httpx.MockTransport(page))

    with pytest.raises(Unavailable, match="not JSON"):
        await behind.domains()
    await behind.close()

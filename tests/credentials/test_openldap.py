"""The adapter against a real slapd with password policies: what invalidates, what would unlock, what we may not do."""

from collections.abc import AsyncIterator, Iterator

import ldap3
import pytest

from patchline.local.slapd import CONNECTOR, SUFFIX, Slapd
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten
from services.credentials.adapters.openldap import OpenLdap
from services.credentials.adapters.rules_openldap import LOCKED_FOR_GOOD
from services.credentials.records import Authority, Mark
from tests.credentials.real_directories import PASSWORD, Deaf, SlapdAdmin, all_accounts, connection, open_ldap


@pytest.fixture
def admin(openldap: Slapd) -> Iterator[SlapdAdmin]:
    with SlapdAdmin.of(openldap) as admin:
        yield admin


@pytest.fixture
async def directory(openldap: Slapd) -> AsyncIterator[OpenLdap]:
    directory = open_ldap(openldap)
    yield directory
    await directory.close()


async def test_an_invalidated_password_does_not_bind_any_more(admin: SlapdAdmin, directory: OpenLdap) -> None:
    alice = admin.person("alice")
    assert admin.binds("alice")

    await directory.invalidate(alice)

    assert not admin.binds("alice")
    shown = await directory.account(alice)
    assert shown
    assert shown.password_changed_at


async def test_two_changes_within_one_second_are_both_read_back(admin: SlapdAdmin, directory: OpenLdap) -> None:
    bob = admin.person("bob")

    for _ in range(3):
        await directory.invalidate(bob)

    assert not admin.binds("bob")


async def test_the_flag_alone_lets_whoever_knows_the_password_in_and_we_do_not_lean_on_it(
    admin: SlapdAdmin, directory: OpenLdap
) -> None:
    carl = admin.person("carl")
    admin.change(admin.dn("carl"), pwdReset=["TRUE"])
    assert admin.binds("carl"), "it may choose a new password, whoever it is"

    await directory.invalidate(carl)

    assert not admin.binds("carl")


async def test_an_account_that_an_administrator_locked_is_left_alone_since_a_new_password_would_unlock_it(
    admin: SlapdAdmin, directory: OpenLdap
) -> None:
    dora = admin.person("dora")
    admin.change(admin.dn("dora"), pwdAccountLockedTime=[LOCKED_FOR_GOOD])

    with pytest.raises(NotAllowed, match="unlock"):
        await directory.invalidate(dora)

    assert admin.read(admin.dn("dora"), "pwdAccountLockedTime")["pwdAccountLockedTime"] == [LOCKED_FOR_GOOD.encode()]
    shown = await directory.account(dora)
    assert shown
    assert not shown.enabled


async def test_a_write_that_was_accepted_and_does_not_show_is_for_a_person(openldap: Slapd, admin: SlapdAdmin) -> None:
    lou = admin.person("lou")
    directory = open_ldap(openldap, kind=Deaf)

    with pytest.raises(NotAsWritten):
        await directory.invalidate(lou)

    await directory.close()


async def test_a_password_outside_the_peoples_unit_cannot_be_touched_by_us(
    admin: SlapdAdmin, directory: OpenLdap
) -> None:
    dn = f"cn=break-glass,ou=connectors,{SUFFIX}"
    classes = ["organizationalRole", "simpleSecurityObject"]
    admin.add(dn, classes, {"cn": "break-glass", "userPassword": PASSWORD})
    before = admin.read(dn, "userPassword")

    with pytest.raises(NotAllowed):
        await directory.invalidate(admin.id_of(dn))

    assert admin.read(dn, "userPassword") == before


async def test_our_own_password_is_refused_before_anything_is_sent(
    openldap: Slapd, admin: SlapdAdmin, directory: OpenLdap
) -> None:
    own = await directory.own_id()
    assert own == admin.id_of(CONNECTOR)

    with pytest.raises(NotAllowed, match="our own"):
        await directory.invalidate(own)

    again = open_ldap(openldap)
    assert await again.own_id() == own
    await again.close()


@pytest.mark.parametrize("name", ["mail", "pwdReset", "pwdAccountLockedTime", "manager"])
async def test_our_account_can_write_nothing_but_passwords(openldap: Slapd, admin: SlapdAdmin, name: str) -> None:
    admin.person("fay")
    ours = connection(openldap, openldap.connector.user, openldap.connector.password)
    assert ours.bind()
    value = {"pwdReset": "TRUE", "pwdAccountLockedTime": LOCKED_FOR_GOOD, "manager": CONNECTOR}.get(name, "x@y.test")

    change = {name: [(ldap3.MODIFY_REPLACE, [value])]}
    ours.modify(admin.dn("fay"), change)  # type: ignore[no-untyped-call]  # the stubs leave it out

    assert ours.result["result"] == 50
    ours.unbind()


async def test_our_account_cannot_read_any_password_that_ever_was(
    openldap: Slapd, admin: SlapdAdmin, directory: OpenLdap
) -> None:
    gus = admin.person("gus")
    await directory.invalidate(gus)
    ours = connection(openldap, openldap.connector.user, openldap.connector.password)
    assert ours.bind()

    ours.search(admin.dn("gus"), "(objectClass=*)", ldap3.BASE, attributes=["*", "+"])

    [shown] = ours.response or []
    assert PASSWORD.encode() not in repr(shown["raw_attributes"]).encode()
    assert not {"userPassword", "pwdHistory"} & set(shown["raw_attributes"])
    ours.unbind()


async def test_every_account_is_shown_with_what_gives_it_power(admin: SlapdAdmin, directory: OpenLdap) -> None:
    gwen = admin.person("gwen", displayName="Gwen Oh", manager=CONNECTOR)
    inner = admin.group("staff", admin.dn("gwen"))
    admin.group("admins", inner)
    admin.group("everybody", inner)

    shown = await all_accounts(directory)

    one = shown["gwen"]
    assert one.object_id == gwen
    assert one.logins == ("gwen@corp.test", "gwen", admin.dn("gwen"))
    assert (one.name, one.mail, one.authority, one.enabled) == ("Gwen Oh", "gwen@corp.test", Authority.ON_PREM, True)
    assert one.privileges == ("admins",)
    assert one.groups == ("staff", "everybody")
    assert one.manager == CONNECTOR
    assert one.marks == frozenset()
    assert shown[CONNECTOR].marks == {Mark.SERVICE_NAME}
    assert await directory.account(gwen) == one


async def test_pages_show_everybody_once(openldap: Slapd, admin: SlapdAdmin) -> None:
    made = {admin.person(f"page{number}") for number in range(5)}
    directory = open_ldap(openldap, page_size=2)

    pages = [page async for page in directory.accounts()]

    shown = [each.object_id for page in pages for each in page]
    assert made <= set(shown)
    assert len(shown) == len(set(shown))
    assert len(pages) >= 3
    await directory.close()


async def test_its_domains_are_the_bases_and_those_that_an_operator_named(directory: OpenLdap) -> None:
    assert await directory.domains() == {"corp.test", "corp.example.com"}


@pytest.mark.parametrize("object_id", ["6a3c2f0e-0000-4b0e-8a0e-6a3c2f0e51aa", "nobody", "*"])
async def test_an_account_that_is_gone_is_nobody(directory: OpenLdap, object_id: str) -> None:
    assert await directory.account(object_id) is None
    with pytest.raises(NoSuchAccount):
        await directory.invalidate(object_id)
    with pytest.raises(NoSuchAccount):
        await directory.revoke(object_id)

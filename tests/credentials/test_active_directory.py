"""The adapter against a real domain controller: what invalidates, what only seems to, and what we may not do at all."""

from collections.abc import AsyncIterator, Iterator

import ldap3
import pytest

from patchline.local.samba import Samba
from services.credentials.adapters.active_directory import ActiveDirectory
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten
from services.credentials.records import Authority, Mark
from tests.credentials.real_directories import (
    NEVER_EXPIRES,
    NORMAL,
    PASSWORD,
    Deaf,
    DomainAdmin,
    active_directory,
    all_accounts,
    connection,
)

RESET_PASSWORD = "00299570-246d-11d0-a768-00aa006e0529"
PWD_LAST_SET = "bf967a0a-0de6-11d0-a285-00aa003049e2"


@pytest.fixture
def admin(domain: Samba) -> Iterator[DomainAdmin]:
    with DomainAdmin.of(domain) as admin:
        yield admin


@pytest.fixture
async def directory(domain: Samba) -> AsyncIterator[ActiveDirectory]:
    directory = active_directory(domain)
    yield directory
    await directory.close()


async def test_an_invalidated_password_does_not_bind_any_more(admin: DomainAdmin, directory: ActiveDirectory) -> None:
    alice = admin.person("alice")
    before = await directory.account(alice)
    assert admin.binds("alice")

    await directory.invalidate(alice)

    assert not admin.binds("alice")
    after = await directory.account(alice)
    assert before
    assert after
    assert before.password_changed_at
    assert after.password_changed_at
    assert after.password_changed_at > before.password_changed_at


async def test_a_single_change_would_leave_the_exposed_password_working(admin: DomainAdmin) -> None:
    admin.person("bea")

    admin.set_password(admin.dn("bea"), "Another-Passw0rd-7")

    assert admin.binds("bea"), "the domain keeps the password before the last one for an hour"


async def test_the_flag_alone_is_void_where_the_password_never_expires_and_we_do_not_lean_on_it(
    admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    carl = admin.person("carl", flags=NORMAL | NEVER_EXPIRES)
    admin.change(admin.dn("carl"), pwdLastSet=["0"])
    assert admin.binds("carl"), "the flag was accepted and does nothing"

    await directory.invalidate(carl)

    assert not admin.binds("carl")
    shown = await directory.account(carl)
    assert shown
    assert Mark.NEVER_EXPIRES in shown.marks
    assert shown.password_changed_at


async def test_an_account_that_must_change_its_password_shows_no_change_and_can_be_invalidated(
    admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    dora = admin.person("dora")
    admin.change(admin.dn("dora"), pwdLastSet=["0"])
    flagged = await directory.account(dora)
    assert flagged
    assert flagged.password_changed_at is None

    await directory.invalidate(dora)

    changed = await directory.account(dora)
    assert changed
    assert changed.password_changed_at


async def test_it_may_be_repeated(admin: DomainAdmin, directory: ActiveDirectory) -> None:
    emil = admin.person("emil")

    await directory.invalidate(emil)
    await directory.invalidate(emil)

    assert not admin.binds("emil")


async def test_break_glass_outside_the_unit_cannot_be_touched_by_us(
    domain: Samba, admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    users = f"CN=Users,{domain.suffix}"
    glass = admin.person("break-glass-1", unit=users)
    before = admin.changed(f"CN=break-glass-1,{users}")

    with pytest.raises(NotAllowed):
        await directory.invalidate(glass)

    assert admin.changed(f"CN=break-glass-1,{users}") == before
    assert admin.binds("break-glass-1")


async def test_an_administrator_whose_rights_are_not_inherited_cannot_be_touched_by_us(
    domain: Samba, admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    administrator = admin.id_of(f"CN=Administrator,CN=Users,{domain.suffix}")

    with pytest.raises(NotAllowed):
        await directory.invalidate(administrator)

    shown = await directory.account(administrator)
    assert shown
    assert shown.marks >= {Mark.ADMIN_COUNT, Mark.BUILT_IN}
    assert "Domain Admins" in shown.privileges


@pytest.mark.parametrize(
    ("name", "value"),
    [("userAccountControl", "514"), ("mail", "x@y.test"), ("servicePrincipalName", "http/x"), ("lockoutTime", "0")],
)
async def test_our_account_can_write_nothing_but_passwords_and_their_time(
    domain: Samba, admin: DomainAdmin, name: str, value: str
) -> None:
    admin.person("fay")
    ours = connection(domain, domain.connector.user, domain.connector.password)
    assert ours.bind()

    change = {name: [(ldap3.MODIFY_REPLACE, [value])]}
    ours.modify(admin.dn("fay"), change)  # type: ignore[no-untyped-call]  # the stubs leave it out

    assert ours.result["result"] == 50
    ours.unbind()


async def test_an_account_inside_the_unit_that_is_protected_from_us_is_left_as_it_was(
    domain: Samba, admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    max_id = admin.person("max")
    admin.deny(admin.dn("max"), f"CR;{RESET_PASSWORD}", admin.sid_of(f"CN=svc-patchline,CN=Users,{domain.suffix}"))
    before = admin.changed(admin.dn("max"))

    with pytest.raises(NotAllowed, match="LDAP 50"):
        await directory.invalidate(max_id)

    assert admin.changed(admin.dn("max")) == before, "not even the half of what we may write was written"
    assert admin.binds("max")


async def test_nothing_is_written_where_nobody_could_read_back(
    domain: Samba, admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    kim = admin.person("kim")
    ours = admin.sid_of(f"CN=svc-patchline,CN=Users,{domain.suffix}")
    admin.deny(admin.dn("kim"), f"RP;{PWD_LAST_SET}", ours)

    with pytest.raises(NotAllowed, match="pwdLastSet"):
        await directory.invalidate(kim)

    assert admin.binds("kim")


async def test_a_write_that_was_accepted_and_does_not_show_is_for_a_person(domain: Samba, admin: DomainAdmin) -> None:
    lou = admin.person("lou")
    directory = active_directory(domain, kind=Deaf)

    with pytest.raises(NotAsWritten):
        await directory.invalidate(lou)

    await directory.close()


async def test_accounts_that_no_machine_resets_are_refused_before_anything_is_sent(
    domain: Samba, admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    web = admin.person("web", servicePrincipalName="http/web.corp.test")
    krbtgt = admin.id_of(f"CN=krbtgt,CN=Users,{domain.suffix}")
    own = await directory.own_id()
    assert own == admin.id_of(f"CN=svc-patchline,CN=Users,{domain.suffix}")

    for each, why in ((web, "servicePrincipalName"), (krbtgt, "krbtgt"), (own, "our own")):
        with pytest.raises(NotAllowed, match=why):
            await directory.invalidate(each)

    assert admin.binds("web")
    assert admin.binds("svc-patchline", domain.connector.password)


async def test_every_account_is_shown_with_what_gives_it_power(
    domain: Samba, admin: DomainAdmin, directory: ActiveDirectory
) -> None:
    users = f"CN=Users,{domain.suffix}"
    gwen = admin.person("gwen", displayName="Gwen Oh", proxyAddresses=["SMTP:gwen@corp.test", "smtp:g@corp.test"])
    inner = admin.group("Payroll", admin.dn("gwen"))
    outer = admin.group("Office", inner)
    admin.join(f"CN=Backup Operators,CN=Builtin,{domain.suffix}", outer)
    admin.join(f"CN=Protected Users,{users}", outer)
    admin.person("hugo", flags=NORMAL | 2 | 0x40000)

    shown = await all_accounts(directory)

    one = shown["gwen"]
    assert one.object_id == gwen
    assert one.logins == ("gwen@corp.test", "g@corp.test", "gwen", "corp\\gwen")
    assert (one.name, one.mail, one.authority, one.enabled) == ("Gwen Oh", "gwen@corp.test", Authority.ON_PREM, True)
    assert one.privileges == ("Backup Operators",)
    assert set(one.groups) >= {"Payroll", "Office", "Protected Users", "Domain Users"}
    assert Mark.PROTECTED_USERS in one.marks
    assert (one.mfa, one.recovery) == (None, None)
    assert one.created_at
    assert not shown["hugo"].enabled
    assert Mark.SMARTCARD in shown["hugo"].marks
    assert Mark.BUILT_IN in shown["krbtgt"].marks
    assert not [each for each in shown if each.endswith("$")], "no computers"


async def test_one_account_read_alone_is_the_one_of_the_list(admin: DomainAdmin, directory: ActiveDirectory) -> None:
    admin.person("ida")
    admin.group("Sales", admin.dn("ida"))

    for listed in (await all_accounts(directory)).values():
        alone = await directory.account(listed.object_id)

        assert alone
        assert set(alone.privileges) == set(listed.privileges)
        assert set(alone.groups) - {"Users"} == set(listed.groups) - {"Users"}  # an alias that only the server adds
        assert alone.marks == listed.marks
        assert alone.logins == listed.logins


async def test_pages_show_everybody_once(domain: Samba, admin: DomainAdmin) -> None:
    made = {admin.person(f"page{number}") for number in range(5)}
    directory = active_directory(domain, page_size=2, base=domain.people)

    pages = [page async for page in directory.accounts()]

    shown = [each.object_id for page in pages for each in page]
    assert set(shown) == made
    assert len(shown) == len(made)
    assert len(pages) >= 3
    await directory.close()


async def test_its_domains_are_its_own_the_added_suffixes_and_those_that_an_operator_named(
    domain: Samba, admin: DomainAdmin
) -> None:
    partitions = f"CN=Partitions,CN=Configuration,{domain.suffix}"
    admin.change(partitions, uPNSuffixes=["Example.ORG"])
    directory = active_directory(domain)

    assert await directory.domains() == {"corp.test", "example.org", "corp.example.com"}

    await directory.close()
    admin.change(partitions, uPNSuffixes=[])


@pytest.mark.parametrize("object_id", ["6a3c2f0e-0000-4b0e-8a0e-6a3c2f0e51aa", "nobody", "x>,DC=corp,DC=test"])
async def test_an_account_that_is_gone_is_nobody(directory: ActiveDirectory, object_id: str) -> None:
    assert await directory.account(object_id) is None
    with pytest.raises(NoSuchAccount):
        await directory.invalidate(object_id)
    with pytest.raises(NoSuchAccount):
        await directory.revoke(object_id)


async def test_what_stays_alive_is_said_and_nothing_is_changed(admin: DomainAdmin, directory: ActiveDirectory) -> None:
    jo = admin.person("jo")

    said = await directory.revoke(jo)

    assert "10 hours" in said
    assert admin.binds("jo", PASSWORD)

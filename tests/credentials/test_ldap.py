"""What goes wrong on the way to a real directory: every break, silence, a wrong certificate, and what is told of it."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import BreakerOpen, OutOfTime, Unavailable
from chassis.turns import calling_for, uptime
from patchline.local import certificate
from patchline.local.samba import Samba
from patchline.local.slapd import Slapd
from services.credentials.adapters import active_directory as adapter
from services.credentials.adapters import choice
from services.credentials.adapters.active_directory import ActiveDirectory
from services.credentials.adapters.ldap import Ldap, LdapRefused
from services.credentials.adapters.link import Kind, Link
from services.credentials.adapters.openldap import OpenLdap
from services.credentials.adapters.random_password import random_password
from tests.credentials.real_directories import (
    DomainAdmin,
    SlapdAdmin,
    Wire,
    active_directory,
    open_ldap,
    server_of,
)

ENOUGH = 40


@pytest.fixture
def admin(domain: Samba) -> Iterator[DomainAdmin]:
    with DomainAdmin.of(domain) as admin:
        yield admin


async def test_a_connection_to_a_domain_may_break_anywhere_and_what_is_repeated_then_is_done(
    domain: Samba, admin: DomainAdmin
) -> None:
    ann, unsure = admin.person("ann"), 0
    for portions in range(1, ENOUGH):
        admin.set_password(admin.dn("ann"))
        before = admin.changed(admin.dn("ann"))
        async with Wire.to(domain, cut_after=portions) as wire:
            broken = await _broken(active_directory(domain, url=wire.url, timeout_seconds=2), ann)
        after = admin.changed(admin.dn("ann"))
        assert after in {0, before} or not admin.binds("ann"), "a shown change is a password that works no more"
        if broken is None:
            break
        unsure += broken.ambiguous
        assert broken.ambiguous or after == before, "nothing was sent"

    assert unsure >= 2, "each write lost its answer once"
    assert not admin.binds("ann")


async def test_a_connection_to_an_openldap_may_break_anywhere_too(openldap: Slapd) -> None:
    with SlapdAdmin.of(openldap) as admin:
        ann, unsure = admin.person("ann"), 0
        for portions in range(1, ENOUGH):
            before = admin.read(admin.dn("ann"), "userPassword")
            async with Wire.to(openldap, cut_after=portions) as wire:
                broken = await _broken(open_ldap(openldap, url=wire.url, timeout_seconds=2), ann)
            if broken is None:
                break
            unsure += broken.ambiguous
            assert broken.ambiguous or admin.read(admin.dn("ann"), "userPassword") == before

        assert unsure >= 1
        assert not admin.binds("ann")


async def _broken(directory: ActiveDirectory | OpenLdap, object_id: str) -> Unavailable | None:
    """Invalidate, and return what went wrong on the way."""
    try:
        await directory.invalidate(object_id)
    except Unavailable as error:
        return error
    finally:
        await directory.close()
    return None


async def test_a_server_that_keeps_silent_is_given_up_on_and_soon_not_asked(domain: Samba) -> None:
    async with Wire.to(domain, silent=True) as wire:
        directory = active_directory(domain, url=wire.url, timeout_seconds=1, breaker_failures=1)

        with pytest.raises(Unavailable) as silent:
            await directory.domains()
        with pytest.raises(BreakerOpen):
            await directory.domains()

        assert not silent.value.ambiguous
        await directory.close()


async def test_whoever_is_cancelled_leaves_no_answer_behind_for_others(openldap: Slapd) -> None:
    with SlapdAdmin.of(openldap) as admin:
        ann, ben = admin.person("ann"), admin.person("ben")
        directory = open_ldap(openldap)
        assert await directory.account(ann)
        cancelled = 0

        for milliseconds in range(20):
            asking = asyncio.create_task(directory.account(ann))
            await asyncio.sleep(milliseconds / 1000)
            cancelled += asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            shown = await directory.account(ben)
            assert shown
            assert shown.object_id == ben

        assert cancelled > 3
        await directory.close()


async def test_pages_on_a_connection_that_breaks_are_never_taken_for_all(openldap: Slapd) -> None:
    with SlapdAdmin.of(openldap) as admin:
        made = {admin.person(f"cut{number}") for number in range(5)}
        whole: list[set[str]] = []
        broken = 0
        for portions in range(1, ENOUGH):
            async with Wire.to(openldap, cut_after=portions) as wire:
                directory = open_ldap(openldap, url=wire.url, timeout_seconds=2, page_size=2)
                try:
                    whole.append({each.object_id async for page in directory.accounts() for each in page})
                    break
                except Unavailable:
                    broken += 1
                finally:
                    await directory.close()

        assert broken > 5
        assert all(made <= each for each in whole)
        assert whole


async def test_another_authoritys_certificate_is_not_spoken_to(domain: Samba, tmp_path: Path) -> None:
    other = certificate.kept(tmp_path, domain.certificate_name, domain.address).authority
    directory = active_directory(domain, ca_file=other)

    with pytest.raises(Unavailable, match="certificate"):
        await directory.domains()

    await directory.close()


async def test_a_certificate_made_out_to_another_server_is_not_spoken_to(domain: Samba) -> None:
    async with Wire.to(domain) as wire:
        directory = active_directory(domain, url=wire.url, name="dc2.corp.test")

        with pytest.raises(Unavailable, match="certificate"):
            await directory.domains()

        await directory.close()


async def test_a_login_that_is_not_taken_is_for_a_person(domain: Samba) -> None:
    directory = active_directory(domain, password="not-the-password-7")

    with pytest.raises(LdapRefused, match=r"our own login.*52e") as refused:
        await directory.domains()

    assert "not-the-password-7" not in f"{refused.value!r}{refused.value.__cause__!r}"
    await directory.close()


@pytest.mark.parametrize("url", ["ldap://dc1.corp.test", "https://dc1.corp.test", "ldaps://", "ldaps://dc1/x"])
def test_passwords_travel_over_tls_alone(domain: Samba, url: str) -> None:
    with pytest.raises(WrongSetting, match="ldaps"):
        Ldap(server_of(domain, url=url), "user", lambda: SecretStr("x"))


async def test_nothing_is_written_after_the_moment_until_which_the_caller_may_act(
    domain: Samba, admin: DomainAdmin
) -> None:
    ben = admin.person("ben")
    directory = active_directory(domain)
    assert await directory.account(ben)

    with calling_for("a client", until=uptime() - 0.1), pytest.raises(OutOfTime):
        await directory.invalidate(ben)

    assert admin.binds("ben")
    await directory.close()


async def test_no_password_is_left_in_what_people_or_programs_are_shown(
    domain: Samba, admin: DomainAdmin, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleo, drawn = admin.person("cleo"), [random_password() for _ in range(2)]
    waiting = list(drawn)
    monkeypatch.setattr(adapter, "random_password", waiting.pop)
    directory = active_directory(domain)

    with caplog.at_level(logging.DEBUG):
        await directory.invalidate(cleo)

    held = directory._ldap._connection
    left = f"{caplog.text}{directory!r}{vars(directory)!r}{vars(directory._ldap)!r}{held!r}{vars(held)!r}"
    for secret in (domain.connector.password, *(each.get_secret_value() for each in drawn)):
        assert secret not in left
    assert not waiting
    await directory.close()


async def test_a_link_is_connected_with_the_files_that_it_names_as_they_are_then(
    domain: Samba, admin: DomainAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = admin.person("eve")
    (tmp_path / "corp.password").write_text(f"{domain.connector.password}\n")
    (tmp_path / "corp.pem").write_text(domain.authority.read_text())
    monkeypatch.setenv("PATCHLINE_DIRECTORY_SECRETS_DIR", str(tmp_path))
    options = {"url": domain.url, "user": domain.connector.user, "ca": "corp.pem", "certificate_name": "dc1.corp.test"}
    link = Link(tenant=uuid4(), directory="corp", kind=Kind.ACTIVE_DIRECTORY, options=options, secret="corp.password")

    directory = choice.connected(link)

    shown = await directory.account(eve)
    assert shown
    assert shown.logins[0] == "eve@corp.test"
    await directory.close()
    (tmp_path / "corp.password").write_text("renewed-and-wrong-8")
    with pytest.raises(LdapRefused):
        await directory.account(eve)
    (tmp_path / "corp.password").write_text(domain.connector.password)
    assert await directory.account(eve) == shown
    await directory.close()

"""A real domain, read whole by the part that reads directories: who is who there, and who can still administer it."""

from collections.abc import Iterator

import pytest

from contracts.events.credential import AccountKind
from patchline.local.samba import Samba
from services.credentials.directory import rules_identity, store_identity
from services.credentials.guard.policy import GuardPolicy
from tests.builders import ACME
from tests.credentials.directory.conftest import Room
from tests.credentials.real_directories import NEVER_EXPIRES, NORMAL, DomainAdmin, active_directory


@pytest.fixture
def admin(domain: Samba) -> Iterator[DomainAdmin]:
    with DomainAdmin.of(domain) as admin:
        yield admin


async def test_a_real_domain_is_read_and_everybody_is_known(admin: DomainAdmin, domain: Samba, room: Room) -> None:
    await room.allow(GuardPolicy(break_glass=frozenset({"rita@corp.test"})))
    await room.add("acme-ad", active_directory(domain))
    olga = admin.person("olga")
    admin.person("rita")
    admin.person("printer", flags=NORMAL | NEVER_EXPIRES, servicePrincipalName="HTTP/printer.corp.test")
    boss = admin.person("boss")
    admin.join(f"CN=Domain Admins,CN=Users,{domain.suffix}", admin.dn("boss"))

    await room.read_due()

    state = await room.state("acme-ad")
    kinds = {
        name: (each.kind, each.privileged)
        for name in ("olga", "rita", "printer", "boss", "administrator", "krbtgt")
        for each in await room.found(f"{name}@corp.test")
    }
    assert (state["last_error"], await room.is_fresh(), "corp.test" in state["domains"]) == (None, True, True)
    assert kinds == {
        "olga": (AccountKind.PERSON, False),
        "rita": (AccountKind.BREAK_GLASS, False),
        "printer": (AccountKind.SERVICE, False),
        "boss": (AccountKind.PERSON, True),
        "administrator": (AccountKind.BREAK_GLASS, True),
        "krbtgt": (AccountKind.SERVICE, True),
    }
    assert [each.object_id for each in await room.found("CORP\\Olga")] == [olga]
    async with room.pool.acquire() as connection:
        powerful = await store_identity.privileged(connection, ACME)
        [us] = await store_identity.find(connection, [(ACME, str(state["own_id"]))])
    assert ("acme-ad", boss) in rules_identity.admin_paths(powerful)
    assert us[1] == state["own_id"]

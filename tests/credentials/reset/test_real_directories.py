"""From an exposure to the end of its case in real directories: who cannot log in any more, and who still can."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.http import Unavailable
from contracts.events.credential import CaseClosed, CaseStep, CaseStepDone
from patchline.local.samba import Samba
from patchline.local.slapd import Slapd
from services.credentials.adapters.active_directory import ActiveDirectory
from services.credentials.adapters.ldap import Ldap
from services.credentials.adapters.ldap_wire import Changes
from services.credentials.adapters.openldap import OpenLdap
from tests.builders import ACME
from tests.credentials.real_directories import DomainAdmin, SlapdAdmin, active_directory, open_ldap
from tests.credentials.room import DIRECTORY, Room, exposed, opened_room
from tests.parts import Database

Anybody = DomainAdmin | SlapdAdmin


@pytest.fixture(params=["domain", "openldap"])
def admin(request: pytest.FixtureRequest) -> Iterator[Anybody]:
    """An administrator of a real directory of each kind."""
    local: Samba | Slapd = request.getfixturevalue(request.param)
    kind = DomainAdmin if isinstance(local, Samba) else SlapdAdmin
    with kind.of(local) as admin:
        yield admin


@pytest.fixture
async def room(database: Database, admin: Anybody) -> AsyncIterator[Room]:
    """A client that is past its dry run, whose break-glass accounts are listed. The clock is the directory's."""
    local = admin.local
    directory = active_directory(local) if isinstance(local, Samba) else open_ldap(local)
    async with opened_room(database) as made:
        made.now = datetime.now(UTC)
        await made.allow(break_glass=["bg-1@corp.test"], privileged_groups=["Payroll"])
        yield await _connected(made, directory)
    await directory.close()


async def _connected(room: Room, directory: ActiveDirectory | OpenLdap) -> Room:
    at_hand: dict[str, Any] = room.there
    at_hand[DIRECTORY] = directory
    await room.pool.execute(
        "INSERT INTO directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at) "
        "VALUES ($1, $2, 'openldap', '{}', 'none', 900, $3, $3)",
        DIRECTORY,
        ACME,
        room.now,
    )
    return room


async def _exposed_now(room: Room, *names: str) -> None:
    """Let everybody's password be found just now, the directory having been read."""
    room.now = datetime.now(UTC)
    await room.sync()
    found = [exposed(f"{name}@corp.test", at=room.now, exposed_at=room.now) for name in names]
    await room.hear(*found)


async def test_the_exposed_password_binds_no_more_and_the_case_ends_with_the_directorys_word(
    admin: Anybody, room: Room
) -> None:
    admin.person("alice")
    await _exposed_now(room, "alice")
    assert admin.binds("alice")

    await room.finish()

    assert not admin.binds("alice")
    done = [each.step for each in await room.told(CaseStepDone)]
    assert done.count(CaseStep.INVALIDATED) == 1
    assert done[-1] is CaseStep.VERIFIED
    [closed] = await room.told(CaseClosed)
    assert "the directory shows a change at" in closed.proof
    assert (await room.case())["reset_at"] is not None


async def test_break_glass_and_those_with_power_log_in_as_before(admin: Anybody, room: Room) -> None:
    admin.person("bg-1")
    for name in ("boss", "chief"):
        admin.person(name)
    admin.group("Payroll", admin.dn("boss"), admin.dn("chief"))
    await _exposed_now(room, "bg-1", "boss")

    await room.finish()

    assert admin.binds("bg-1")
    assert admin.binds("boss")
    decided = {each["login"]: each["decision"] for each in await room.cases()}
    assert decided == {"bg-1@corp.test": "refuse", "boss@corp.test": "ask"}


class Dying(Ldap):
    """A connection that is lost once, between the two passwords."""

    writes = 0

    async def replace(self, dn: str, changes: Changes) -> None:
        """Write, but the second time."""
        self.writes += 1
        if self.writes == 2:
            raise Unavailable("lost between the two", ambiguous=True)
        await super().replace(dn, changes)


@pytest.mark.parametrize("admin", ["domain"], indirect=True)
async def test_a_reset_that_was_lost_half_way_is_not_taken_for_a_whole_one(
    domain: Samba, admin: DomainAdmin, room: Room
) -> None:
    dying: Any = active_directory(domain, kind=Dying)
    room.there[DIRECTORY] = dying
    admin.person("dana")
    await _exposed_now(room, "dana")
    await room.settle(seconds=90)  # longer than the ticket is waited for

    assert (await room.steps())["invalidated"] != "done"
    assert admin.changed(admin.dn("dana")) == 0, "no change is shown"
    await room.finish()
    assert not admin.binds("dana")
    assert (await room.steps())["invalidated"] == "done"
    await dying.close()


@pytest.mark.parametrize("admin", ["openldap"], indirect=True)  # a domain has an administrator of its own
async def test_the_last_one_with_power_is_nobodys_to_reset(admin: Anybody, room: Room) -> None:
    admin.person("boss")
    admin.group("Payroll", admin.dn("boss"))
    await _exposed_now(room, "boss")

    await room.finish()

    assert admin.binds("boss")
    assert (await room.case())["decision"] == "refuse"


async def test_whoever_changed_the_password_after_the_exposure_keeps_the_new_one(admin: Anybody, room: Room) -> None:
    before = datetime.now(UTC) - timedelta(hours=2)
    admin.person("chris")
    admin.set_password(admin.dn("chris"), "Chosen-By-Chris-9")
    room.now = datetime.now(UTC)
    await room.sync()
    await room.hear(exposed("chris@corp.test", at=room.now, exposed_at=before))

    await room.finish()

    assert admin.binds("chris", "Chosen-By-Chris-9")
    [closed] = await room.told(CaseClosed)
    assert (await room.case())["decision"] == "remediated"
    assert closed.proof

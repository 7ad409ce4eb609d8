"""Accounts with power: two people agree first, in time, and somebody must still be able to let the others in."""

from datetime import timedelta

import pytest

from contracts.events.credential import ApprovalAsked, CaseDecided, CaseOpened, Decision
from services.credentials.people.records import Approver
from services.credentials.records import Authority
from tests.credentials.directories import KeptDirectory
from tests.credentials.people.conftest import Room as PeopleRoom
from tests.credentials.room import Room, exposed, person

ADA = "ada@acme.example"


@pytest.fixture
def people(room: Room) -> PeopleRoom:
    """Those who decide, at the moment of the room."""
    return PeopleRoom(room.pool, room.database, now=room.now)


async def agree(room: Room, people: PeopleRoom, *approvers: Approver, approve: bool = True) -> None:
    """Sign, and let it be counted."""
    people.now = room.now
    for each in approvers:
        await people.sign((await room.case())["case_id"], each, approve=approve)
        await room.decide()


async def decisions(room: Room) -> list[tuple[Decision, Decision]]:
    return [(each.before, each.decision) for each in await room.told(CaseDecided)]


async def test_two_people_agree_and_the_account_is_reset(room: Room, people: PeopleRoom) -> None:
    erin, finn = await people.enroll("Erin"), await people.enroll("Finn")
    await room.hear(exposed(ADA))
    await room.settle(seconds=90)

    await agree(room, people, erin)
    await room.settle(seconds=5)
    assert room.directory.invalidated == []

    await agree(room, people, finn)
    await room.finish()
    assert room.directory.invalidated == ["ada"]
    assert await decisions(room) == [(Decision.ASK, Decision.RESET)]


async def test_one_no_leaves_it_to_people(room: Room, people: PeopleRoom) -> None:
    erin = await people.enroll("Erin")
    await room.hear(exposed(ADA))

    await agree(room, people, erin, approve=False)
    await room.finish()

    assert room.directory.invalidated == []
    assert await decisions(room) == [(Decision.ASK, Decision.NOTIFY)]
    assert len(room.mail.letters) == 1


async def test_nobody_answers_in_time(room: Room) -> None:
    await room.hear(exposed(ADA))
    await room.settle(seconds=90)

    room.now += timedelta(hours=5)
    await room.sync()
    await room.decide()
    await room.finish()

    assert room.directory.invalidated == []
    assert await decisions(room) == [(Decision.ASK, Decision.NOTIFY)]


async def test_what_was_agreed_to_is_asked_again_when_it_has_expired(room: Room, people: PeopleRoom) -> None:
    erin, finn = await people.enroll("Erin"), await people.enroll("Finn")
    await room.hear(exposed(ADA))
    await agree(room, people, erin, finn)
    room.now += timedelta(hours=5)
    await room.sync()

    await room.finish()

    assert room.directory.invalidated == []
    assert len(await room.told(ApprovalAsked)) == 2


async def test_the_last_way_in_is_never_reset_whoever_agrees(room: Room, people: PeopleRoom) -> None:
    erin, finn = await people.enroll("Erin"), await people.enroll("Finn")
    await room.hear(exposed(ADA))
    await agree(room, people, erin, finn)
    room.directory.accounts_by_id["bob"] = person("bob", privileges=("Domain Admins",), enabled=False)

    await room.finish()

    assert room.directory.invalidated == []
    assert (await decisions(room))[-1] == (Decision.RESET, Decision.REFUSE)


async def test_of_two_administrators_only_one_is_reset(room: Room, people: PeopleRoom) -> None:
    erin, finn = await people.enroll("Erin"), await people.enroll("Finn")
    await room.hear(exposed(ADA), exposed("bob@acme.example"))
    people.now = room.now
    for case in await room.cases():
        for each in (erin, finn):
            await people.sign(case["case_id"], each)
    await room.decide()

    await room.finish()

    assert len(room.directory.invalidated) == 1
    assert [each.decision for each in await room.told(CaseDecided)].count(Decision.REFUSE) == 1


async def test_who_gets_power_after_the_case_was_opened_is_asked_about(room: Room) -> None:
    await room.hear(exposed())
    room.directory.accounts_by_id["ann"] = person("ann", privileges=("Domain Admins",))

    await room.settle(seconds=90)

    assert room.directory.invalidated == []
    assert [each.decision for each in await room.told(CaseOpened)] == [Decision.RESET]
    assert await decisions(room) == [(Decision.RESET, Decision.ASK)]
    assert len(await room.told(ApprovalAsked)) == 1
    assert (await room.steps())["invalidated"] == "pending"


async def test_an_administrator_who_came_back_lets_the_other_be_reset(room: Room, people: PeopleRoom) -> None:
    """The directory's clock is ahead of ours: only its own moments are compared."""
    erin, finn = await people.enroll("Erin"), await people.enroll("Finn")
    room.directory.clock = lambda: room.now + timedelta(minutes=5)
    await room.hear(exposed(ADA))
    await agree(room, people, erin, finn)
    await room.finish()
    await room.hear(exposed("bob@acme.example", at=room.now))
    assert [each.decision for each in await room.told(CaseOpened)][-1] is Decision.REFUSE

    room.now += timedelta(minutes=10)
    back_at = room.directory.clock()
    room.directory.accounts_by_id["ada"] = person("ada", privileges=("Domain Admins",), password_changed_at=back_at)
    await room.sync()
    await room.execute_as_operator("UPDATE credentials.exposure_case SET retry_at = now() WHERE closed_at IS NULL")
    await room.finish()

    assert (await decisions(room))[-1] == (Decision.REFUSE, Decision.ASK)


async def test_who_is_known_by_another_name_in_another_directory_does_not_decide_about_themselves(
    room: Room, people: PeopleRoom
) -> None:
    copy = person("cloud-ada", logins=(ADA, "ada.cloud@acme.example"), authority=Authority.SYNCED)
    await room.add(KeptDirectory.of(copy), "acme-entra")
    ada = await people.enroll("Ada", accounts=["ada.cloud@acme.example"])
    erin = await people.enroll("Erin")
    await room.hear(exposed(ADA))

    await agree(room, people, ada, erin)
    await room.finish()

    assert room.directory.invalidated == []

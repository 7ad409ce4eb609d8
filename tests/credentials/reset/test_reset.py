"""From an exposure to the end of its case: what is done, what is told, and what a machine leaves alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.postgres import Connection
from contracts.events.credential import (
    AccountKind,
    CaseClosed,
    CaseDecided,
    CaseOpened,
    CaseStep,
    CaseStepDone,
    Decision,
)
from contracts.events.exposure import ExposureOrigin, SecretForm
from services.credentials.directory import store_identity
from services.credentials.records import Authority, Identity, Mark
from tests.builders import NOON
from tests.credentials.directories import KeptDirectory
from tests.credentials.room import Room, exposed, person

ALL = [
    CaseStep.TICKETED,
    CaseStep.INVALIDATED,
    CaseStep.REVOKED,
    CaseStep.READ_BACK,
    CaseStep.NOTIFIED,
    CaseStep.VERIFIED,
]


async def done(room: Room) -> list[CaseStep]:
    return [each.step for each in await room.told(CaseStepDone)]


async def test_a_persons_exposed_password_is_made_invalid_and_the_case_ends_with_the_proof(room: Room) -> None:
    await room.hear(exposed())
    await room.ticket_opens()

    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert room.directory.revoked == ["ann"]
    assert [letter.to for letter in room.mail.letters] == ["olive@acme.example"]
    assert await done(room) == ALL
    [closed] = await room.told(CaseClosed)
    assert "the directory shows a change at" in closed.proof
    assert (await room.case())["closed_at"] is not None


async def test_a_case_does_not_wait_longer_than_its_minute_for_the_ticket(room: Room) -> None:
    await room.hear(exposed())
    await room.settle(seconds=30)
    assert room.directory.invalidated == []

    await room.settle(seconds=30)

    assert room.directory.invalidated == ["ann"]
    assert (await room.steps())["ticketed"] == "passed"


async def test_a_ticket_that_comes_late_is_linked_and_told(room: Room) -> None:
    await room.hear(exposed())
    await room.settle(seconds=90)

    await room.ticket_opens("4711")

    assert (await room.steps())["ticketed"] == "done"
    assert (await done(room))[-1] is CaseStep.TICKETED


@pytest.mark.parametrize(
    ("changes", "policy"),
    [
        pytest.param({}, {"break_glass": ["ann@acme.example"]}, id="break-glass"),
        pytest.param({}, {"service_accounts": ["ann@acme.example"]}, id="a service account"),
        pytest.param({"marks": frozenset({Mark.SYNC})}, {}, id="the synchronisation's own"),
        pytest.param({}, {"shared": ["ann@acme.example"]}, id="a shared account"),
    ],
)
async def test_who_becomes_protected_after_the_case_was_opened_is_left_alone(
    room: Room, changes: dict[str, Any], policy: dict[str, Any]
) -> None:
    await room.hear(exposed())
    await room.allow(**policy)
    room.directory.accounts_by_id["ann"] = person("ann", **changes)

    await room.finish()

    assert room.directory.invalidated == []
    [decided] = await room.told(CaseDecided)
    assert (decided.before, decided.decision) == (Decision.RESET, Decision.REFUSE)
    assert (await room.steps())["verified"] == "pending"


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        pytest.param({"recovery": False}, Decision.ASK, id="no way back in"),
        pytest.param({"marks": frozenset({Mark.SYNC})}, Decision.REFUSE, id="the synchronisation's own"),
    ],
)
async def test_what_was_read_of_the_account_itself_counts_though_a_sync_keeps_less_meanwhile(
    room: Room, changes: dict[str, Any], decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(tx: Connection, identity: Identity) -> None:
        """Keep what a list of accounts shows, which does not tell all, and is as new."""
        listed = replace(identity, account=person("ann"), kind=AccountKind.PERSON, privileged=False)
        await save_fresh(tx, listed)

    save_fresh = store_identity.save_fresh
    await room.hear(exposed())
    room.directory.accounts_by_id["ann"] = person("ann", **changes)
    monkeypatch.setattr(store_identity, "save_fresh", overtaken)

    await room.finish()

    assert room.directory.invalidated == []
    assert (await room.told(CaseDecided))[0].decision == decision


async def test_our_own_connector_is_never_reset(room: Room) -> None:
    room.directory.own = "ann"
    await room.sync()

    await room.hear(exposed())
    await room.finish()

    assert room.directory.invalidated == []
    assert [each.decision for each in await room.told(CaseOpened)] == [Decision.REFUSE]


async def test_a_stale_directory_resets_nobody(room: Room) -> None:
    await room.hear(exposed())
    room.now += timedelta(minutes=61)

    await room.finish(seconds=120)
    assert room.directory.invalidated == []
    reason = await room.pool.fetchval("SELECT reason FROM case_step WHERE step = 'invalidated'")
    assert "stale" in reason

    await room.sync()
    await room.finish(seconds=60)
    assert room.directory.invalidated == ["ann"]


async def test_who_changed_the_password_meanwhile_is_not_reset(room: Room) -> None:
    await room.hear(exposed())
    room.directory.accounts_by_id["ann"] = person("ann", password_changed_at=NOON)

    await room.finish()

    assert room.directory.invalidated == []
    [closed] = await room.told(CaseClosed)
    assert closed.decision is Decision.REMEDIATED


async def test_weak_evidence_is_told_and_ends_with_its_ticket(room: Room) -> None:
    await room.hear(exposed(form=SecretForm.NONE, origin=ExposureOrigin.BREACH))
    await room.ticket_opens()
    await room.finish()
    assert len(room.mail.letters) == 1
    assert await room.told(CaseClosed) == []

    await room.ticket_is_closed()
    await room.finish()

    [closed] = await room.told(CaseClosed)
    assert "a person closed the ticket" in closed.proof
    assert room.directory.invalidated == []


async def test_evidence_that_grows_while_a_case_waits_leads_to_a_reset(room: Room) -> None:
    await room.hear(exposed(form=SecretForm.NONE, origin=ExposureOrigin.BREACH))
    await room.finish()

    await room.hear(exposed(at=room.now, exposed_at=NOON))
    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert [(each.before, each.decision) for each in await room.told(CaseDecided)] == [
        (Decision.NOTIFY, Decision.RESET)
    ]
    assert len(room.mail.letters) == 1


async def test_a_protected_accounts_case_ends_when_a_person_has_changed_the_password(room: Room) -> None:
    await room.allow(service_accounts=["ann@acme.example"])
    await room.hear(exposed())
    await room.finish()
    assert await room.told(CaseClosed) == []

    room.directory.accounts_by_id["ann"] = person("ann", password_changed_at=room.now)
    await room.sync()
    await room.finish()

    [closed] = await room.told(CaseClosed)
    assert "the directory shows that the password was changed" in closed.proof


async def test_the_first_is_verified_before_the_next_five_begin(room: Room) -> None:
    await room.allow(caps={"per_hour": 1000, "share": 1.0, "batches": [1, 5], "per_delivery": 100})
    names = [f"p{number}" for number in range(9)]
    room.directory.accounts_by_id.update({name: person(name) for name in names})
    await room.sync()
    await room.hear(*(exposed(f"{name}@acme.example") for name in names))

    counts = []
    for _ in range(40):
        await room.settle(seconds=5)
        counts.append(len(room.directory.invalidated))

    assert sorted(set(counts)) == [0, 1, 6, 9]


async def test_where_a_synced_copy_exists_its_sessions_end_too(room: Room) -> None:
    copies = KeptDirectory.of(person("cloud-ann", logins=("ann@acme.example",), authority=Authority.SYNCED))
    await room.add(copies, "acme-entra")

    await room.hear(exposed())
    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert (room.directory.revoked, copies.revoked, copies.invalidated) == (["ann"], ["cloud-ann"], [])


async def test_without_a_mail_server_a_person_tells_the_owner(room: Room) -> None:
    await room.allow(owner={})
    await room.hear(exposed())
    await room.finish()
    assert (await room.steps())["notified"] == "parked"

    await room.execute_as_operator("UPDATE credentials.exposure_case SET told_by_hand = 'by phone, 10:15'")
    await room.execute_as_operator("UPDATE credentials.case_step SET state = 'pending' WHERE state = 'parked'")
    await room.finish()

    assert (await room.case())["closed_at"] is not None
    assert "by phone, 10:15" in next(e.proof for e in await room.told(CaseStepDone) if e.step is CaseStep.NOTIFIED)


async def test_what_is_exposed_after_a_reset_is_a_persons_to_look_at(room: Room) -> None:
    await room.hear(exposed())
    await room.finish()

    await room.hear(exposed(at=room.now, exposed_at=room.now, fingerprint="another"))
    await room.finish()

    assert room.directory.invalidated == ["ann"]
    assert [(case["rule"], case["closed_at"] is None) for case in await room.cases()] == [
        ("allowed", False),
        ("cooling", True),
    ]

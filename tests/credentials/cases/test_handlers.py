"""The handler on a real database: it does it, repeats change nothing, late ones too, bad neighbours are refused."""

from datetime import timedelta

from contracts.events.credential import (
    ApprovalAsked,
    BreakerMoved,
    CaseClosed,
    CaseOpened,
    CaseStep,
    CaseStepDone,
    Decision,
    ExposureAppended,
)
from contracts.events.exposure import ExposureOrigin, SecretForm
from contracts.events.ticket import TicketOpened
from services.credentials.cases.releasing import Releasing
from tests.builders import BIRCH, HOUR, NOON, client_changed, event
from tests.credentials.room import DIRECTORY, HIBP, Room, exposed, person


async def test_an_exposure_opens_one_case_with_its_first_step(room: Room) -> None:
    await room.hear(exposed())

    [opened] = await room.told(CaseOpened)
    assert (opened.decision, opened.login, opened.identity) == (Decision.RESET, "ann@acme.example", "ann")
    assert (opened.dry_run, opened.foreign, opened.privileged) == (False, False, False)
    assert "A readable password of ann@acme.example was found" in opened.summary
    assert await room.steps() == {"ticketed": "pending"}
    assert (await room.case())["directory"] == DIRECTORY


async def test_the_same_exposure_again_changes_nothing(room: Room) -> None:
    await room.hear(exposed())

    fates = await room.hear(exposed())

    assert fates == {"duplicate": 1}
    assert await room.story() == [CaseOpened.TYPE]


async def test_an_exposure_twice_in_one_batch_counts_once(room: Room) -> None:
    fates = await room.hear(exposed(), exposed())

    assert fates == {"duplicate": 1}
    assert (await room.case())["exposures"] == 1


async def test_another_feed_that_tells_the_same_belongs_to_the_case(room: Room) -> None:
    await room.hear(exposed(fingerprint="f1"))

    await room.hear(exposed(source=HIBP, fingerprint="f1", at=NOON + HOUR))

    assert (await room.case())["exposures"] == 2
    [appended] = await room.told(ExposureAppended)
    assert (appended.feed, appended.exposures) == ("hibp", 2)


async def test_the_same_person_again_within_the_cooling_period_is_appended(room: Room) -> None:
    await room.hear(exposed())
    await room.finish()
    assert (await room.case())["closed_at"] is not None

    await room.hear(exposed(at=NOON + HOUR, fingerprint="another"))
    await room.finish()

    assert (await room.case())["exposures"] == 2
    assert room.directory.invalidated == ["ann"]


async def test_after_the_cooling_period_a_new_secret_opens_the_next_case(room: Room) -> None:
    await room.hear(exposed())
    await room.finish()
    room.now += timedelta(hours=30)
    await room.sync()

    await room.hear(exposed(at=room.now, fingerprint="another", exposed_at=room.now))

    assert [case["number"] for case in await room.cases()] == [1, 2]


async def test_a_late_and_older_exposure_weakens_nothing(room: Room) -> None:
    await room.hear(exposed(exposed_at=NOON))

    await room.hear(exposed(at=NOON - HOUR, exposed_at=NOON - 100 * HOUR, origin=ExposureOrigin.COMBOLIST))

    case = await room.case()
    assert (case["strength"], case["evidence_at"], case["exposures"]) == ("real", NOON, 2)


async def test_a_bad_neighbour_is_refused_alone(room: Room) -> None:
    fates = await room.hear(exposed("ben@acme.example", tenant=None), exposed(), client_changed("Acme", sequence=1))

    assert fates == {"refused": 1}
    assert (await room.case())["login"] == "ann@acme.example"
    assert await room.pool.fetchval("SELECT name FROM client") == "Acme"


async def test_a_late_record_of_a_client_changes_nothing(room: Room) -> None:
    await room.hear(client_changed("Acme", sequence=2))

    fates = await room.hear(client_changed("Old name", sequence=1))

    assert fates == {"superseded": 1}
    assert await room.pool.fetchval("SELECT name FROM client") == "Acme"


async def test_a_password_changed_after_the_exposure_closes_the_case_with_the_proof(room: Room) -> None:
    await room.hear(exposed(exposed_at=NOON.replace(year=2024)))

    [closed] = await room.told(CaseClosed)
    assert closed.decision is Decision.REMEDIATED
    assert "the password was changed on 2025-11-10 12:00 UTC, after the exposure of 2024-11-10" in closed.proof
    assert await room.steps() == {}


async def test_a_domain_that_is_not_the_clients_is_kept_and_nobody_is_reset(room: Room) -> None:
    await room.hear(exposed("ann@elsewhere.example"))
    await room.finish()

    [opened] = await room.told(CaseOpened)
    assert (opened.foreign, opened.decision) == (True, Decision.REFUSE)
    assert room.directory.invalidated == []
    assert room.mail.letters == []
    assert (await room.case())["closed_at"] is None


async def test_two_logins_of_one_account_have_one_case(room: Room) -> None:
    room.directory.accounts_by_id["ann"] = person("ann", logins=("ann@acme.example", "a@acme.example"))
    await room.sync()

    await room.hear(exposed(), exposed("a@acme.example", at=NOON + HOUR))

    assert (await room.case())["exposures"] == 2


async def test_a_delivery_that_names_too_many_is_held_until_a_person_releases_it(room: Room) -> None:
    await room.hear(exposed(named=10_000), exposed("ben@acme.example", named=10_000))
    assert await room.cases() == []
    [moved] = await room.told(BreakerMoved)
    assert moved.held == 10_000

    await room.pool.execute("UPDATE exposure SET released_at = $1", room.now)
    await Releasing(room.on).look()

    assert [case["login"] for case in await room.cases()] == ["ann@acme.example", "ben@acme.example"]
    assert {case["rule"] for case in await room.cases()} == {"breaker"}
    assert await Releasing(room.on).look() == 0


async def test_people_are_asked_about_who_has_power(room: Room) -> None:
    await room.hear(exposed("ada@acme.example"))

    [asked] = await room.told(ApprovalAsked)
    assert asked.needed == 2
    assert [each.TYPE for each in await room.told(CaseOpened)] == [CaseOpened.TYPE]


async def test_a_feed_in_its_dry_run_resets_nobody_and_asks_nobody(room: Room) -> None:
    await room.allow(live_feeds=[HIBP])

    await room.hear(exposed(), exposed("ada@acme.example"))
    await room.finish()

    assert [each.dry_run for each in await room.told(CaseOpened)] == [True, True]
    assert await room.told(ApprovalAsked) == []
    assert (room.directory.invalidated, room.mail.letters) == ([], [])


async def test_the_ticket_is_linked_whenever_it_comes(room: Room) -> None:
    await room.hear(exposed(form=SecretForm.NONE, origin=ExposureOrigin.BREACH))
    await room.finish()

    await room.ticket_opens("4711")
    await room.ticket_opens("4711")

    assert (await room.case())["ticket_number"] == "4711"
    done = [each.step for each in await room.told(CaseStepDone)]
    assert done.count(CaseStep.TICKETED) == 1


async def test_tickets_of_other_things_and_clients_are_left_alone(room: Room) -> None:
    ticket = TicketOpened(ticket="pl-x-g1", kind="patch_failed", subject="x", generation=1, title="x", devices=1)

    fates = await room.hear(event(ticket, subject="pl-x-g1", tenant=BIRCH))

    assert fates == {"ignored": 1}

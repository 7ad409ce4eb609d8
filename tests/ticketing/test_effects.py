"""Tickets in a real Roundup: opened, kept up to date, resolved and reopened, each thing once."""

import asyncpg

from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from contracts.events.obligation import State
from contracts.events.ticket import (
    TicketAppended,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from tests.builders import ACME, BIRCH, client_changed, event
from tests.parts import Database
from tests.ticketing.desk import Desk, Room
from tests.ticketing.findings import catalogued, failed_again, state_changed, uncatalogued

KNOWN = client_changed("Acme Dental", sequence=1)


async def test_a_failure_opens_one_ticket_that_says_all_a_technician_needs(
    room: Room, desk: Desk, requirement: str
) -> None:
    await room.done(KNOWN, state_changed("front", State.FAILED, 1, requirement=requirement))

    [key] = await room.keys()
    issue = desk.issue(key)
    assert issue.title == "Windows 11 24H2 x64 cumulative 2026-11: update fails at Acme Dental"
    assert (issue.client, issue.status) == ("Acme Dental", "unread")
    [note] = issue.notes
    for words in ("FRONT-PC", "workstation", "0x80070643 (fatal error during installation)"):
        assert words in note
    for words in ("failed once", "What to do:", f"ticket {key}", requirement, "device front", "rmm/ninjaone/main"):
        assert words in note


async def test_what_was_opened_is_published_after_it_was_read_back(room: Room, desk: Desk, requirement: str) -> None:
    failed = state_changed("a", State.FAILED, 1, requirement=requirement)

    await room.done(KNOWN, failed)

    [key], [opened] = await room.keys(), await room.published()
    assert isinstance(opened.data, TicketOpened)
    assert (opened.data.ticket, opened.data.external, opened.data.devices) == (key, desk.issue(key).number, 1)
    assert (opened.subject, opened.causation, opened.tenant) == (key, failed.id, ACME)
    assert opened.sequence is not None
    assert (opened.time, opened.received) == (failed.time, failed.received)


async def test_the_same_events_again_change_nothing_in_the_tracker(room: Room, desk: Desk, requirement: str) -> None:
    events = [KNOWN, *(state_changed(device, State.FAILED, 1, requirement=requirement) for device in "abc")]
    await room.done(*events)
    [key] = await room.keys()
    before = desk.issue(key)

    await room.done(*events)
    for each in events:
        await room.done(each)

    assert desk.issue(key) == before
    assert len(await room.published()) == 1


async def test_a_whole_life_of_a_ticket(room: Room, desk: Desk, requirement: str) -> None:
    def change(device: str, state: State, sequence: int) -> Envelope:
        return state_changed(device, state, sequence, requirement=requirement)

    await room.done(KNOWN, change("a", State.FAILED, 1))
    await room.done(change("b", State.FAILED, 1))
    await room.done(change("a", State.VERIFIED, 2))
    await room.done(change("b", State.VERIFIED, 2))
    [key] = await room.keys()
    resolved = desk.issue(key)
    await room.done(change("b", State.MISSING_OVERDUE, 3))

    reopened = desk.issue(key)
    assert (resolved.status, reopened.status) == ("resolved", "unread")
    assert [note.splitlines()[0] for note in reopened.notes[1:]] == [
        "Failing too (1):",
        "No device on this ticket is failing any more.",
        "Open again.",
    ]
    assert "- A-PC: proven installed\n- B-PC: proven installed" in reopened.notes[2]
    assert "B-PC was proven good and is not any more: MISSING_OVERDUE." in reopened.notes[3]
    life: list[type] = [TicketOpened, TicketAppended, TicketResolved, TicketReopened]
    assert [type(each.data) for each in await room.published()] == life
    sequences = [each.sequence or 0 for each in await room.published()]
    assert sequences == sorted(set(sequences))


FORGET = (
    "TRUNCATE client, matter, standing, ticket, ticket_device, intent, history, outbox, outbox_pack, "
    "aggregate_sequence, merge, merged"
)


async def forget_all(database: Database) -> None:
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = ticketing")
    await admin.execute(FORGET)
    await admin.close()


async def test_a_database_that_was_restored_finds_what_it_did_and_says_nothing_twice(
    room: Room, desk: Desk, requirement: str, database: Database
) -> None:
    def change(device: str, state: State, sequence: int) -> Envelope:
        return state_changed(device, state, sequence, requirement=requirement)

    life = [
        [KNOWN, change("a", State.FAILED, 1)],
        [change("b", State.FAILED, 1)],
        [change("a", State.VERIFIED, 2), change("b", State.VERIFIED, 2)],
        [change("b", State.MISSING_OVERDUE, 3)],
        [change("b", State.VERIFIED, 4)],
    ]
    for events in life:
        await room.done(*events)
    [key] = await room.keys()
    before = desk.issue(key)
    await forget_all(database)

    for events in life:
        await room.done(*events)

    after = desk.issue(key)
    assert (await room.keys(), after.status, after.title) == ([key], before.status, before.title)
    assert len([note for note in after.notes if note.startswith("Failing")]) == 1


async def test_a_ticket_that_we_closed_is_no_ticket_that_a_person_closed_to_an_older_database(
    room: Room, desk: Desk, requirement: str, database: Database
) -> None:
    def change(device: str, state: State, sequence: int) -> Envelope:
        return state_changed(device, state, sequence, requirement=requirement)

    await room.done(KNOWN, change("a", State.FAILED, 1))
    await room.done(change("a", State.VERIFIED, 2))
    [key] = await room.keys()
    before = desk.issue(key)
    await forget_all(database)

    await room.done(KNOWN, change("a", State.FAILED, 1))
    await room.done(change("b", State.FAILED, 1))  # heard of in another order than before
    await room.done(change("b", State.VERIFIED, 2), change("a", State.VERIFIED, 2))

    assert await room.keys() == [key]
    assert desk.issue(key) == before
    await room.done(change("b", State.MISSING_OVERDUE, 3))
    assert (await room.keys(), desk.issue(key).status) == ([key], "unread")


async def test_a_note_that_a_restored_database_finds_is_followed_by_what_failed_since(
    room: Room, desk: Desk, requirement: str, database: Database
) -> None:
    a, b, c = (state_changed(device, State.FAILED, 1, requirement=requirement) for device in "abc")
    await room.done(KNOWN, a)
    await room.done(b)
    await forget_all(database)

    await room.done(KNOWN, a)
    await room.done(b, c)
    await room.done(b, c)

    [key] = await room.keys()
    _, second, third = desk.issue(key).notes
    assert second.startswith("Failing too (1):\n- B-PC")
    assert third.startswith("Failing too (1):\n- C-PC")


async def test_a_device_that_fails_nine_times_gets_one_ticket_and_one_note(
    room: Room, desk: Desk, requirement: str
) -> None:
    await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
    for count in range(2, 10):
        await room.done(failed_again("a", count, failures=count, requirement=requirement))

    [key] = await room.keys()
    [_, note] = desk.issue(key).notes
    assert "Still failing (1):\n- A-PC" in note
    assert "failed 3 times" in note


async def test_a_storm_of_one_device_is_a_few_notes(room: Room, desk: Desk, requirement: str) -> None:
    await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))

    async with room.working():
        for start in range(2, 5002, 500):
            again = (failed_again("a", n, failures=n, requirement=requirement) for n in range(start, start + 500))
            await room.handle(*again)
        await room.quiet()

    [key] = await room.keys()
    assert len(desk.issue(key).notes) <= 9
    assert await room.pool.fetchval("SELECT failures FROM ticket_device") == 5001


async def test_repeats_are_looked_at_but_say_nothing(room: Room, desk: Desk, requirement: str) -> None:
    await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
    await room.done(failed_again("a", 2, failures=2, requirement=requirement))
    assert await room.intents("pending") == ["append"]

    room.clock.move(seconds=31)
    await room.done()

    [key] = await room.keys()
    assert (len(desk.issue(key).notes), await room.intents("pending")) == (1, [])
    assert len(await room.published()) == 1


async def test_many_devices_at_once_go_into_one_ticket(room: Room, desk: Desk, requirement: str) -> None:
    devices = [f"pc{number:03}" for number in range(120)]

    await room.done(KNOWN, *(state_changed(device, State.FAILED, 1, requirement=requirement) for device in devices))

    [key] = await room.keys()
    [note] = desk.issue(key).notes
    assert "Devices (120):" in note
    assert "- and 70 more" in note


async def test_a_ticket_waits_until_its_client_is_known(room: Room, desk: Desk, requirement: str) -> None:
    await room.done(state_changed("a", State.FAILED, 1, requirement=requirement, tenant=BIRCH), KNOWN)
    assert await room.intents() == ["open pending"]
    named = ClientChanged(name="Birch Law", zone="Europe/Paris", psa_company="BIRCH-0042")

    await room.done(event(named, subject=str(BIRCH), tenant=BIRCH, sequence=1))

    [key] = await room.keys()
    issue = desk.issue(key)
    assert (issue.client, issue.title.endswith("at Birch Law")) == ("BIRCH-0042", True)


class TestPerson:
    """What a person does at the tracker counts."""

    async def test_a_closure_followed_by_a_new_failure_opens_the_next_generation(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(
            KNOWN, *(state_changed(device, State.FAILED, 1, requirement=requirement) for device in ("a", "b"))
        )
        [first] = await room.keys()
        desk.edit(desk.issue(first).number, status="done-cbb")

        room.clock.move(minutes=1)
        await room.done(failed_again("a", 2, failures=2, requirement=requirement))

        [_, second] = await room.keys()
        assert second == first.removesuffix("g1") + "g2"
        assert (desk.issue(first).status, len(desk.issue(first).notes)) == ("done-cbb", 1)
        assert "Devices (1):\n- A-PC" in desk.issue(second).notes[0]
        closed, opened = (await room.published())[1:]
        assert isinstance(closed.data, TicketResolved)
        assert closed.data.by_person
        assert isinstance(opened.data, TicketOpened)
        assert opened.data.generation == 2

    async def test_a_closure_is_left_alone_when_nothing_fails(self, room: Room, desk: Desk, requirement: str) -> None:
        await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
        [key] = await room.keys()
        desk.edit(desk.issue(key).number, status="resolved")

        await room.done(state_changed("a", State.VERIFIED, 2, requirement=requirement))

        assert await room.pool.fetchval("SELECT state FROM ticket") == "closed"
        assert len(desk.issue(key).notes) == 1
        last = (await room.published())[-1].data
        assert isinstance(last, TicketResolved)
        assert last.by_person

    async def test_a_proof_undone_does_not_reopen_what_a_person_closed(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
        [key] = await room.keys()
        desk.edit(desk.issue(key).number, status="resolved")

        await room.done(state_changed("a", State.VERIFIED, 2, requirement=requirement))
        await room.done(state_changed("a", State.MISSING_OVERDUE, 3, requirement=requirement))

        assert desk.issue(key).status == "resolved"
        assert await room.keys() == [key]

    async def test_a_deleted_ticket_is_followed_by_the_next_generation(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
        [first] = await room.keys()
        desk.delete(desk.issue(first).number)

        room.clock.move(minutes=1)
        await room.done(state_changed("b", State.FAILED, 1, requirement=requirement))

        [_, second] = await room.keys()
        assert "- B-PC" in desk.issue(second).notes[0]

    async def test_words_and_status_of_a_person_stay(self, room: Room, desk: Desk, requirement: str) -> None:
        await room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
        [key] = await room.keys()
        desk.edit(desk.issue(key).number, status="in-progress", title="Ours now")

        await room.done(state_changed("b", State.FAILED, 1, requirement=requirement))

        issue = desk.issue(key)
        assert (issue.status, issue.title, len(issue.notes)) == ("in-progress", "Ours now", 2)


class TestCatalog:
    """Loading the catalog links the ticket of an unknown patch to its requirement."""

    async def test_one_ticket_from_the_unknown_patch_to_the_proof(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        patch = requirement[-100:]
        await room.done(KNOWN, uncatalogued("a", 1, patch=patch))
        [key] = await room.keys()
        assert desk.issue(key).title == "Preview update, not in the catalog: update fails at Acme Dental"

        await room.done(
            catalogued("a", 2, patch=patch, requirement=requirement),
            state_changed("a", State.FAILED, 3, requirement=requirement),
        )
        await room.done(state_changed("a", State.VERIFIED, 4, requirement=requirement))

        assert await room.keys() == [key]
        issue = desk.issue(key)
        assert issue.status == "resolved"
        assert issue.notes[1].startswith("The catalog knows this patch now: Windows 11 24H2 x64, cumulative.")

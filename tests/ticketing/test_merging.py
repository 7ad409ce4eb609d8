"""Two tickets of one key in a real Roundup: found, merged once, nothing of a person's lost, whoever dies meanwhile."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from contracts.events.ticket import TicketAppended, TicketMerged, TicketOpened, TicketResolved
from services.ticketing import store_merges
from services.ticketing.adapters.roundup import Roundup, Words
from services.ticketing.records import Note, TicketRef
from services.ticketing.store_intents import LostLease
from tests.builders import ACME, client_changed
from tests.ticketing.desk import Desk, Issue, Room
from tests.ticketing.findings import state_changed
from tests.ticketing.hanging import Wrapped

KNOWN = client_changed("Acme Dental", sequence=1)


def failed(device: str, requirement: str, sequence: int = 1) -> Envelope:
    return state_changed(device, State.FAILED, sequence, requirement=requirement)


async def opened(room: Room, desk: Desk, requirement: str) -> tuple[str, str]:
    """Open one ticket and return its key and number."""
    await room.done(KNOWN, failed("a", requirement))
    [key] = await room.keys()
    return key, desk.issue(key).number


def links(issue: Issue) -> list[str]:
    """Return the notes about another ticket of the same key."""
    return [note.splitlines()[0] for note in issue.notes if "has the same key" in note]


async def tracked(room: Room) -> str:
    number: str = await room.pool.fetchval("SELECT external FROM ticket")
    return number


async def test_a_planted_ticket_is_found_and_gives_way_to_ours(
    room: Room, desk: Desk, requirement: str, caplog: pytest.LogCaptureFixture
) -> None:
    key, ours = await opened(room, desk, requirement)
    planted = desk.create(key)
    desk.say(planted, "I called them.", status="in-progress")

    await room.merged()

    kept, gone = desk.issue_of(ours), desk.issue_of(planted)
    assert (kept.status, gone.status) == ("unread", "resolved")
    assert desk.superseders(planted) == [ours]
    assert kept.notes[1:] == ["I called them.", links(kept)[0]]
    assert [f"Ticket {planted} has the same key" in note for note in links(kept)] == [True]
    assert [f"Ticket {ours} has the same key" in note for note in links(gone)] == [True]
    assert (await tracked(room), [r.message for r in caplog.records].count("two tickets of one key")) == (ours, 1)


async def test_a_merge_is_published_once(room: Room, desk: Desk, requirement: str) -> None:
    key, ours = await opened(room, desk, requirement)
    planted = [desk.create(key), desk.create(key)]

    await room.merged()
    room.clock.move(hours=1)
    await room.merged()

    first, told = await room.published()
    assert isinstance(told.data, TicketMerged)
    assert (told.data.ticket, told.data.external, told.data.merged) == (key, ours, tuple(sorted(planted)))
    assert (told.subject, told.causation, told.tenant) == (key, first.causation, ACME)


async def test_the_next_rounds_find_nothing_and_say_nothing(room: Room, desk: Desk, requirement: str) -> None:
    key, ours = await opened(room, desk, requirement)
    planted = desk.create(key)
    await room.merged()
    before = desk.issue_of(ours), desk.issue_of(planted)

    for _ in range(2):
        room.clock.move(minutes=11)
        await room.merged()
    await room.done(failed("b", requirement))

    assert (desk.issue_of(ours).notes[:-1], desk.issue_of(planted)) == (before[0].notes, before[1])
    assert "- B-PC" in desk.issue_of(ours).notes[-1]
    assert [type(each.data) for each in await room.published()] == [TicketOpened, TicketMerged, TicketAppended]


async def test_the_next_note_finds_it_without_waiting_for_a_round(room: Room, desk: Desk, requirement: str) -> None:
    key, ours = await opened(room, desk, requirement)
    planted = desk.create(key)

    await room.done(failed("b", requirement))
    tracker = room.tracker()
    assert await room.merging(tracker).carry_out_next()
    await tracker.close()

    assert "- B-PC" in desk.issue_of(ours).notes[1]
    assert (desk.issue_of(planted).status, len(links(desk.issue_of(ours)))) == ("resolved", 1)


async def test_tickets_planted_before_ours_are_used_and_merged(room: Room, desk: Desk, requirement: str) -> None:
    await room.handle(KNOWN, failed("a", requirement))
    [key] = await room.keys()
    older, newer = desk.create(key), desk.create(key)

    await room.done()
    await room.merged()

    assert sorted(desk.numbers(key)) == sorted([older, newer])
    assert await tracked(room) == older
    assert (desk.issue_of(older).status, desk.issue_of(newer).status) == ("unread", "resolved")


class TestPerson:
    """What people do with the two counts."""

    async def test_who_closes_the_other_one_does_not_close_ours(self, room: Room, desk: Desk, requirement: str) -> None:
        key, ours = await opened(room, desk, requirement)
        planted = desk.create(key)
        desk.say(planted, "Double, I think.", status="done-cbb")

        await room.merged()
        await room.done(failed("b", requirement))

        kept, gone = desk.issue_of(ours), desk.issue_of(planted)
        assert (kept.status, gone.status, await tracked(room)) == ("unread", "done-cbb", ours)
        assert "Double, I think." in kept.notes
        assert "- B-PC" in kept.notes[-1]
        assert await room.keys() == [key]

    async def test_who_closes_ours_as_the_double_one_has_the_other_one_kept(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        key, ours = await opened(room, desk, requirement)
        planted = desk.create(key)
        desk.say(ours, "Continued in the other one.", status="resolved")

        await room.merged()
        await room.done(failed("b", requirement))

        kept = desk.issue_of(planted)
        assert (kept.status, await tracked(room), await room.keys()) == ("unread", planted, [key])
        assert "Continued in the other one." in kept.notes
        assert "- B-PC" in kept.notes[-1]
        assert desk.issue_of(ours).status == "resolved"
        assert not any(isinstance(each.data, TicketResolved) for each in await room.published())

    async def test_who_opens_a_merged_one_again_is_left_alone(self, room: Room, desk: Desk, requirement: str) -> None:
        key, ours = await opened(room, desk, requirement)
        planted = desk.create(key)
        await room.merged()
        desk.say(planted, "I need this one.", status="unread")
        before = desk.issue_of(ours), desk.issue_of(planted)

        room.clock.move(minutes=11)
        await room.merged()
        await room.done()

        assert (desk.issue_of(ours), desk.issue_of(planted)) == before

    async def test_one_that_is_left_open_after_ours_was_resolved_is_closed(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        key, ours = await opened(room, desk, requirement)
        await room.done(state_changed("a", State.VERIFIED, 2, requirement=requirement))
        planted = desk.create(key)

        await room.merged()

        assert (desk.issue_of(ours).status, desk.issue_of(planted).status) == ("resolved", "resolved")
        assert await tracked(room) == ours

    async def test_who_writes_while_it_is_merged_loses_nothing(self, room: Room, desk: Desk, requirement: str) -> None:
        key, ours = await opened(room, desk, requirement)
        planted = desk.create(key)

        class Writes(Wrapped):
            """Lets a person write on the ticket that is about to be closed."""

            async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
                if "Wait!" not in desk.issue_of(other.id).notes:
                    await asyncio.to_thread(desk.say, other.id, "Wait!")
                await super().give_way(other, kept, key=key, note=note)

        tracker = Writes(room.tracker())
        await room.merged(tracker)
        assert desk.issue_of(planted).status == "unread"
        room.clock.move(seconds=5)
        await room.merged(tracker)
        await tracker.close()

        assert desk.issue_of(planted).status == "resolved"
        assert desk.issue_of(ours).notes.count("Wait!") == 1
        assert len(links(desk.issue_of(ours))) == 1


class Dies(Exception):
    """The process is gone."""


class DiesAt(Wrapped):
    """Is killed before or after one of the two writes."""

    def __init__(self, inner: Roundup, moment: str) -> None:
        super().__init__(inner)
        self._moment = moment

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        self._reached("before it is kept")
        await super().take_over(kept, other, key=key, note=note)
        self._reached("after it is kept")

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        await super().give_way(other, kept, key=key, note=note)
        self._reached("after it was closed")

    def _reached(self, moment: str) -> None:
        if moment == self._moment:
            raise Dies


class TestCrash:
    @pytest.mark.parametrize("moment", ["before it is kept", "after it is kept", "after it was closed"])
    async def test_anywhere_ends_in_the_same(self, room: Room, desk: Desk, requirement: str, moment: str) -> None:
        key, ours = await opened(room, desk, requirement)
        planted = desk.create(key)
        desk.say(planted, "I called them.")
        dying = DiesAt(room.tracker(), moment)
        with pytest.raises(Dies):
            await room.merged(dying)
        await dying.close()

        room.clock.move(seconds=30)  # the lease of the dead one ends
        await room.merged()

        kept, gone = desk.issue_of(ours), desk.issue_of(planted)
        assert (len(links(kept)), len(links(gone)), kept.notes.count("I called them.")) == (1, 1, 1)
        assert (kept.status, gone.status, desk.superseders(planted)) == ("unread", "resolved", [ours])
        assert [type(each.data) for each in await room.published()] == [TicketOpened, TicketMerged]

    async def test_who_wakes_after_the_lease_writes_nothing(self, room: Room, desk: Desk, requirement: str) -> None:
        key, _ = await opened(room, desk, requirement)
        planted = desk.create(key)
        await store_merges.ask(room.pool, key, [planted], room.clock())
        old = await store_merges.take(room.pool, room.clock(), until=room.clock())
        assert old is not None

        await room.merged()

        with pytest.raises(LostLease):
            await store_merges.check_lease(room.pool, old, room.clock())
        async with room.pool.acquire() as connection:
            with pytest.raises(LostLease):
                await store_merges.finish(connection, old)

    async def test_two_at_once_merge_once(self, room: Room, desk: Desk, requirement: str) -> None:
        key, ours = await opened(room, desk, requirement)
        planted = [desk.create(key) for _ in range(3)]

        async with room.working():
            await asyncio.gather(room.merged(), room.merged(), room.handle(failed("b", requirement)))
            await room.quiet()
        room.clock.move(seconds=30)
        await room.merged()

        kept = desk.issue_of(ours)
        assert len(links(kept)) == 3
        assert [desk.issue_of(each).status for each in planted] == ["resolved"] * 3
        assert [len(links(desk.issue_of(each))) for each in planted] == [1] * 3
        assert sum("- B-PC" in note for note in kept.notes) == 1
        merged = [each.data for each in await room.published() if isinstance(each.data, TicketMerged)]
        assert sorted(number for each in merged for number in each.merged) == sorted(planted)


class TestRound:
    async def test_one_goes_at_a_time_and_the_next_when_it_is_due(self, room: Room) -> None:
        class Counts(Wrapped):
            pages = 0

            async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
                self.pages += page == 1 and changed_since is None
                return await super().marked(changed_since=changed_since, page=page)

        tracker, rounds = Counts(room.tracker()), []
        one, other, never = room.reconciler(tracker), room.reconciler(tracker), asyncio.Event()
        for moved in (0, 0, 9, 2):
            room.clock.move(minutes=moved)
            await asyncio.gather(one.go_round(never), other.go_round(never))
            rounds.append(tracker.pages)
        await tracker.close()

        assert rounds == [1, 1, 1, 2]
        completed = await store_merges.last_round(room.pool)
        assert completed is not None
        assert (room.clock() - completed).total_seconds() < 30

    async def test_a_stop_breaks_it_off_and_the_next_process_begins_it_anew(self, room: Room) -> None:
        tracker, stopping = room.tracker(), asyncio.Event()
        stopping.set()
        await room.reconciler(tracker).go_round(stopping)
        broken_off = await store_merges.last_round(room.pool)

        await room.reconciler(tracker).go_round(asyncio.Event())
        await tracker.close()

        assert broken_off is None
        assert await store_merges.last_round(room.pool) is not None

    async def test_a_process_that_lost_its_round_stops_it(self, room: Room, desk: Desk, requirement: str) -> None:
        await opened(room, desk, requirement)

        class Slow(Wrapped):
            async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
                await room.pool.execute("UPDATE round SET holder = gen_random_uuid()")
                return await super().marked(changed_since=changed_since, page=page)

        tracker = Slow(room.tracker())
        with pytest.raises(LostLease):
            await room.reconciler(tracker).go_round(asyncio.Event())
        await tracker.close()

    async def test_strangers_with_a_key_like_ours_are_left_alone_and_asked_about_once(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await opened(room, desk, requirement)
        stranger = desk.create(f"pl-another-house-{requirement[-40:]}")

        asked: list[str] = []

        class Asked(Wrapped):
            async def key_of(self, number: str) -> str | None:
                asked.append(number)
                return await super().key_of(number)

        tracker = Asked(room.tracker())
        reconciler = room.reconciler(tracker)
        for _ in range(2):
            await reconciler.go_round(asyncio.Event())
            room.clock.move(minutes=11)
        await tracker.close()

        assert asked.count(stranger) == 1
        assert (desk.issue_of(stranger).status, desk.issue_of(stranger).notes) == ("unread", [])
        assert await room.pool.fetchval("SELECT count(*) FROM merge") == 0


async def test_what_the_tracker_refuses_to_merge_keeps_nothing_waiting(
    room: Room, desk: Desk, requirement: str
) -> None:
    key, ours = await opened(room, desk, requirement)
    planted = desk.create(key)
    refusing = room.tracker(words=Words(superseder="no such property"))

    await room.merged(refusing)
    await room.done(failed("b", requirement))
    await refusing.close()

    reason, due_at = await room.pool.fetchrow("SELECT reason, due_at FROM merge") or ("", room.clock())
    assert "no such property" in reason
    assert (due_at - room.clock()).total_seconds() > 3000
    assert "- B-PC" in desk.issue_of(ours).notes[-1]
    assert desk.issue_of(planted).status == "unread"


@pytest.mark.parametrize("strike", [Desk.delete, lambda desk, number: desk.edit(number, correlation_key="")])
async def test_one_that_is_gone_before_it_is_merged_is_nothing_to_merge(
    room: Room, desk: Desk, requirement: str, strike: Callable[[Desk, str], None]
) -> None:
    key, ours = await opened(room, desk, requirement)
    planted = desk.create(key)
    await store_merges.ask(room.pool, key, [planted], room.clock())
    strike(desk, planted)

    await room.merged()

    assert await room.pool.fetchval("SELECT count(*) FROM merge") == 0
    assert links(desk.issue_of(ours)) == []
    assert len(await room.published()) == 1

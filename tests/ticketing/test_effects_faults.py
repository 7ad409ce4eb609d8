"""Crashes, lost answers, limits and refusals against a real Roundup: one ticket, nothing lost, nothing said twice."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from contracts.events.ticket import TicketAppended, TicketOpened, TicketParked
from patchline.local.roundup import Roundup as LocalRoundup
from services.ticketing import store_intents
from services.ticketing.adapters.roundup import Roundup, Words
from services.ticketing.records import Draft, Note, TicketRef
from simulators.faulty_proxy import Fault, FaultyProxy, Seen, faulty_proxy
from tests.builders import BIRCH, client_changed
from tests.parts import Database
from tests.ticketing.desk import LIMITS, Desk, Room, emptied, until
from tests.ticketing.findings import failed_again, state_changed

KNOWN = client_changed("Acme Dental", sequence=1)


def failed(device: str, requirement: str, sequence: int = 1) -> Envelope:
    return state_changed(device, State.FAILED, sequence, requirement=requirement)


class Wrapped:
    """A tracker with a moment in which a test can strike."""

    def __init__(self, inner: Roundup) -> None:
        self.inner = inner

    async def find(self, key: str) -> list[TicketRef]:
        return await self.inner.find(key)

    async def reserve(self) -> str | None:
        return await self.inner.reserve()

    async def say_first(self, note: Note) -> str | None:
        return await self.inner.say_first(note)

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        return await self.inner.create(draft, reservation)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        return await self.inner.has_note(ref, marker)

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        return await self.inner.last_note(ref, key)

    async def words(self, ref: TicketRef, key: str) -> str:
        return await self.inner.words(ref, key)

    async def append(self, ref: TicketRef, note: Note) -> None:
        await self.inner.append(ref, note)

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        await self.inner.resolve(ref, note)

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        await self.inner.reopen(ref, note)

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        return await self.inner.marked(changed_since=changed_since, page=page)

    async def key_of(self, number: str) -> str | None:
        return await self.inner.key_of(number)

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        await self.inner.take_over(kept, other, key=key, note=note)

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        await self.inner.give_way(other, kept, key=key, note=note)

    async def close(self) -> None:
        await self.inner.close()


class HangsAfter(Wrapped):
    """Does what it is told and never comes back: whoever waits is killed."""

    def __init__(self, inner: Roundup) -> None:
        super().__init__(inner)
        self.reached = asyncio.Event()

    async def _hang(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        made = await self.inner.create(draft, reservation)
        await self._hang()
        return made

    async def append(self, ref: TicketRef, note: Note) -> None:
        await self.inner.append(ref, note)
        await self._hang()

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        await self.inner.resolve(ref, note)
        await self._hang()


class HangsBefore(HangsAfter):
    """Never does what it is told."""

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        await self._hang()
        return await self.inner.create(draft, reservation)

    async def append(self, ref: TicketRef, note: Note) -> None:
        await self._hang()
        await self.inner.append(ref, note)


async def killed(room: Room, tracker: HangsAfter) -> None:
    """Run a worker until `tracker` hangs, and kill it there; then let its lease end."""
    task = asyncio.create_task(room.worker(tracker).run(asyncio.Event()))
    await tracker.reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "leased" in [each.partition(" ")[2] for each in await room.intents()]
    room.clock.move(seconds=LIMITS.lease_seconds)


class TestCrash:
    async def test_between_the_post_and_the_record_leaves_one_ticket(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        await killed(room, HangsAfter(room.tracker()))

        await room.done()

        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1
        assert [type(each.data) for each in await room.published()] == [TicketOpened]

    async def test_before_the_post_leaves_one_ticket(self, room: Room, desk: Desk, requirement: str) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        await killed(room, HangsBefore(room.tracker()))
        [key] = await room.keys()
        assert desk.numbers(key) == []

        await room.done()

        assert len(desk.numbers(key)) == 1

    async def test_after_a_note_leaves_one_note(self, room: Room, desk: Desk, requirement: str) -> None:
        await room.done(KNOWN, failed("a", requirement))
        await room.handle(failed("b", requirement))
        await killed(room, HangsAfter(room.tracker()))

        await room.done()

        [key] = await room.keys()
        assert len(desk.issue(key).notes) == 2
        assert len(await room.published()) == 2

    @pytest.mark.parametrize("hangs", [HangsBefore, HangsAfter])
    async def test_beside_the_note_that_a_restored_database_owes_leaves_one_note(
        self, room: Room, desk: Desk, requirement: str, database: Database, *, hangs: type[HangsAfter]
    ) -> None:
        await room.done(KNOWN, failed("a", requirement))
        await emptied(database)
        await room.handle(KNOWN, failed("a", requirement), failed("b", requirement))
        await killed(room, hangs(room.tracker()))

        await room.done()

        [key] = await room.keys()
        _, note = desk.issue(key).notes
        assert note.startswith("Failing too (1):\n- B-PC")
        assert [each.data.TYPE for each in await room.published()] == [TicketOpened.TYPE, TicketAppended.TYPE]

    async def test_after_the_resolution_is_not_taken_for_a_persons_closure(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, failed("a", requirement))
        await room.handle(state_changed("a", State.VERIFIED, 2, requirement=requirement))
        await killed(room, HangsAfter(room.tracker()))

        await room.done()

        assert await room.pool.fetchval("SELECT state FROM ticket") == "resolved"
        [key] = await room.keys()
        assert len(desk.issue(key).notes) == 2

    async def test_of_the_database_while_recording_leaves_one_ticket(
        self, room: Room, desk: Desk, requirement: str, database: Database
    ) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        admin = await asyncpg.connect(database.admin)
        await admin.execute("REVOKE INSERT ON ticketing.outbox FROM ticketing_writer")  # recording publishes, too

        try:
            async with room.working():
                await until(lambda: _is(room, "SELECT state = 'uncertain' FROM intent"))
        finally:
            await admin.execute("GRANT INSERT ON ticketing.outbox TO ticketing_writer")
            await admin.close()
        await room.done()

        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1
        assert len(await room.published()) == 1

    async def test_a_worker_that_comes_back_after_its_lease_records_nothing(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        [old] = await room.worker(room.tracker())._taken()
        room.clock.move(seconds=LIMITS.lease_seconds)
        await room.done()

        with pytest.raises(store_intents.LostLease):
            await store_intents.begin_write(room.pool, old, reservation=None, now=room.clock())

        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1


async def _is(room: Room, question: str) -> bool:
    return bool(await room.pool.fetchval(question))


@asynccontextmanager
async def proxy(roundup: LocalRoundup) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(urlsplit(roundup.url).port or 80) as between:
        yield between


def create(seen: Seen) -> bool:
    return seen.method == "POST" and seen.path.startswith("/rest/data/issue/@poe/")


def change(seen: Seen) -> bool:
    return seen.method == "PATCH"


class TestLostAnswer:
    async def test_to_the_creation_makes_one_ticket(self, room: Room, desk: Desk, requirement: str) -> None:
        async with proxy(room.roundup) as between:
            between.faults.inject(Fault.LOSE_AFTER, where=create)
            tracker = room.tracker(url=between.url)
            await room.done(KNOWN, failed("a", requirement), tracker=tracker)
            await tracker.close()

        assert len(between.faults.injected) == 1
        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1
        assert [type(each.data) for each in await room.published()] == [TicketOpened]

    async def test_a_creation_that_never_arrived_is_made_once_the_settle_time_is_over(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        async with proxy(room.roundup) as between:
            between.faults.inject(Fault.LOSE_REQUEST, where=create)
            tracker = room.tracker(url=between.url)
            await room.done(KNOWN, failed("a", requirement), tracker=tracker)
            await tracker.close()

        assert len(between.faults.injected) == 1
        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1
        written, done = await room.pool.fetchrow("SELECT acted_at, done_at FROM intent") or (None, None)
        assert written is not None
        assert done is not None

    async def test_nothing_is_written_before_the_settle_time_is_over(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        async with proxy(room.roundup) as between:
            between.faults.inject(Fault.LOSE_REQUEST, where=create)
            tracker = room.tracker(url=between.url)
            await room.handle(KNOWN, failed("a", requirement))
            async with room.working(tracker):
                await until(lambda: _is(room, "SELECT state = 'uncertain' FROM intent"))
                started = time.monotonic()
                await room.quiet()
            await tracker.close()

        assert time.monotonic() - started > 0.5
        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1

    async def test_a_one_time_link_that_made_nothing_is_replaced(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        await room.pool.execute("UPDATE intent SET reservation = 'used-or-expired'")

        await room.done()

        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1
        assert await room.pool.fetchval("SELECT reservation <> 'used-or-expired' FROM intent")

    async def test_the_settle_time_counts_from_when_the_write_may_have_left_last(
        self, room: Room, requirement: str
    ) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        tracker = room.tracker()
        [intent] = await room.worker(tracker)._taken()
        await store_intents.begin_write(room.pool, intent, reservation=None, now=room.clock())
        room.clock.move(seconds=4)
        given_up_at = room.clock()

        await store_intents.postpone(room.pool, intent, now=given_up_at, until=given_up_at, reason="no answer")

        assert await room.pool.fetchval("SELECT acted_at FROM intent") == given_up_at
        [again] = await room.worker(tracker)._taken()
        await store_intents.postpone(room.pool, again, now=room.clock(), until=room.clock(), reason="still looking")
        assert await room.pool.fetchval("SELECT acted_at FROM intent") == given_up_at
        await tracker.close()

    async def test_of_a_dead_worker_the_last_moment_is_its_deadline(self, room: Room, requirement: str) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        tracker = room.tracker()
        [intent] = await room.worker(tracker)._taken()
        await store_intents.begin_write(room.pool, intent, reservation=None, now=room.clock())
        ends_at = await room.pool.fetchval("SELECT due_at FROM intent")
        room.clock.move(seconds=LIMITS.lease_seconds + 1)

        [again] = await room.worker(tracker)._taken()
        await tracker.close()

        margin = timedelta(seconds=LIMITS.lease_seconds - LIMITS.deadline_seconds)
        assert again.acted_at == ends_at - margin

    async def test_a_worker_that_wrote_nothing_leaves_nothing_to_wait_for(self, room: Room, requirement: str) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        tracker = room.tracker()
        [_dead] = await room.worker(tracker)._taken()
        room.clock.move(seconds=LIMITS.lease_seconds + 1)

        [again] = await room.worker(tracker)._taken()
        await tracker.close()

        assert again.acted_at is None

    async def test_a_lease_that_is_over_lets_nobody_write_though_nobody_else_has_it(
        self, room: Room, requirement: str
    ) -> None:
        await room.handle(KNOWN, failed("a", requirement))
        tracker = room.tracker()
        [late] = await room.worker(tracker)._taken()
        await tracker.close()
        room.clock.move(seconds=LIMITS.lease_seconds + 1)

        with pytest.raises(store_intents.LostLease):
            await store_intents.begin_write(room.pool, late, reservation=None, now=room.clock())

    @pytest.mark.parametrize("state", [State.FAILED, State.VERIFIED])
    async def test_to_a_change_changes_once(self, room: Room, desk: Desk, requirement: str, state: State) -> None:
        await room.done(KNOWN, failed("a", requirement))
        device = "b" if state is State.FAILED else "a"
        async with proxy(room.roundup) as between:
            between.faults.inject(Fault.LOSE_AFTER, where=change)
            tracker = room.tracker(url=between.url)
            await room.done(state_changed(device, state, 2, requirement=requirement), tracker=tracker)
            await tracker.close()

        assert len(between.faults.injected) == 1
        [key] = await room.keys()
        assert len(desk.issue(key).notes) == 2
        assert await room.pool.fetchval("SELECT state <> 'closed' FROM ticket")
        assert len(await room.published()) == 2


class Meddling(httpx.AsyncHTTPTransport):
    """Lets a person in just before the first change is sent."""

    def __init__(self, person: Callable[[], None], *, times: int = 1) -> None:
        super().__init__()
        self._person = person
        self.left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH" and self.left:
            self.left -= 1
            await asyncio.to_thread(self._person)
        return await super().handle_async_request(request)


class TestRace:
    """A person changes the ticket between our look and our change: 412."""

    async def test_an_edit_in_between_is_kept_and_the_note_added(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        number = desk.issue(key).number
        meddling = Meddling(lambda: desk.edit(number, title="Edited", status="in-progress"))

        tracker = room.tracker(transport=meddling)
        await room.done(failed("b", requirement), tracker=tracker)
        await tracker.close()

        issue = desk.issue(key)
        assert (meddling.left, issue.title, issue.status, len(issue.notes)) == (0, "Edited", "in-progress", 2)

    async def test_a_closure_in_between_is_believed(self, room: Room, desk: Desk, requirement: str) -> None:
        await room.done(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        number = desk.issue(key).number

        tracker = room.tracker(transport=Meddling(lambda: desk.edit(number, status="resolved")))
        await room.done(failed("b", requirement), tracker=tracker)
        await tracker.close()

        [_, second] = await room.keys()
        assert (desk.issue(key).status, len(desk.issue(key).notes)) == ("resolved", 1)
        assert "- B-PC" in desk.issue(second).notes[0]

    async def test_someone_who_types_all_the_time_only_delays_us(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        number, typed = desk.issue(key).number, iter(range(100))
        meddling = Meddling(lambda: desk.edit(number, title=f"typed {next(typed)}"), times=5)

        tracker = room.tracker(transport=meddling)
        await room.done(failed("b", requirement), tracker=tracker)
        await tracker.close()

        assert (meddling.left, len(desk.issue(key).notes)) == (0, 2)


class Counting(httpx.AsyncHTTPTransport):
    """Counts the answers by status."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: Counter[int] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.statuses[response.status_code] += 1
        return response


async def test_a_tracker_that_limits_us_gets_every_ticket_once(
    room: Room, limited_roundup: LocalRoundup, requirement: str
) -> None:
    limited = replace(room, roundup=limited_roundup)
    counting = Counting()
    tracker = limited.tracker(transport=counting)
    await limited.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(4)))

    async with limited.working(tracker):
        await until(lambda: _is(room, "SELECT bool_and(state = 'done') FROM intent"), seconds=60)
    await tracker.close()

    with Desk.of(limited_roundup) as desk:
        assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 4
    assert counting.statuses[429] > 0


class TestRefusal:
    """The tracker says no: a person must look, everything else goes on."""

    async def test_what_is_refused_is_parked_with_the_reason(self, room: Room, desk: Desk, requirement: str) -> None:
        refusing = room.tracker(words=Words(open_status="no such status"))

        await room.done(KNOWN, failed("a", requirement), tracker=refusing)
        await refusing.close()

        [key] = await room.keys()
        [parked] = await room.published()
        assert await room.intents() == ["open parked"]
        assert isinstance(parked.data, TicketParked)
        assert "'no such status' is not a status" in parked.data.reason
        assert desk.numbers(key) == []

    async def test_what_follows_on_the_same_ticket_waits_and_other_tickets_do_not(
        self, room: Room, requirement: str
    ) -> None:
        refusing = room.tracker(words=Words(open_status="no such status"))
        await room.done(KNOWN, failed("a", requirement), tracker=refusing)
        await refusing.close()

        await room.handle(failed("b", requirement), failed("a", f"{requirement} 2"))
        async with room.working():
            await until(lambda: _is(room, "SELECT bool_or(state = 'done') FROM intent"))

        assert sorted(await room.intents()) == ["append pending", "open done", "open parked"]

    async def test_a_wrong_password_parks_nothing(self, room: Room, desk: Desk, requirement: str) -> None:
        stranger = room.tracker(password="wrong")
        await room.handle(KNOWN, failed("a", requirement))
        async with room.working(stranger):
            await until(lambda: _is(room, "SELECT reason IS NOT NULL FROM intent"))
        await stranger.close()
        assert "refuses the login of patchline" in await room.pool.fetchval("SELECT reason FROM intent")

        room.clock.move(minutes=1)
        await room.done()

        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1

    async def test_a_bug_of_ours_parks_one_ticket_and_the_others_go_on(self, room: Room, requirement: str) -> None:
        class Broken(Wrapped):
            async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
                if draft.key == key:
                    raise TypeError("a bug")
                return await super().create(draft, reservation)

        await room.handle(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        tracker = Broken(room.tracker())

        async with room.working(tracker):
            await room.handle(failed("a", f"{requirement} 2"))
            await room.quiet()
        await tracker.close()

        assert sorted(await room.intents()) == ["open done", "open parked"]


async def test_a_tracker_that_is_down_is_waited_for(room: Room, desk: Desk, requirement: str) -> None:
    async with proxy(room.roundup) as between:
        address = between.url
    down = room.tracker(url=address)
    await room.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(10)))
    async with room.working(down):
        await until(lambda: _is(room, "SELECT count(*) > 5 FROM intent WHERE reason IS NOT NULL"))
    await down.close()
    assert await _is(room, "SELECT bool_and(acted_at IS NULL AND state = 'pending') FROM intent")

    room.clock.move(minutes=10)
    await room.done()

    assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 10


async def test_one_tenants_storm_does_not_slow_another(room: Room, requirement: str) -> None:
    other = client_changed("Birch Law", sequence=1, tenant=BIRCH)
    await room.handle(KNOWN, other, *(failed("a", f"{requirement} {number}") for number in range(60)))

    async with room.working():
        await until(lambda: _is(room, "SELECT count(*) >= 8 FROM intent WHERE state = 'done'"))
        await room.handle(state_changed("b", State.FAILED, 1, requirement=requirement, tenant=BIRCH))
        await until(lambda: _is(room, f"SELECT state = 'done' FROM intent WHERE tenant_id = '{BIRCH}'"))
        left = await room.pool.fetchval("SELECT count(*) FROM intent WHERE state <> 'done'")

    assert left > 30


async def test_a_stop_finishes_what_is_under_way(room: Room, desk: Desk, requirement: str) -> None:
    await room.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(30)))

    async with room.working():
        await until(lambda: _is(room, "SELECT count(*) >= 2 FROM intent WHERE state = 'done'"))

    assert await room.intents("leased") == []
    opened = [key for key in await room.keys() if desk.numbers(key)]
    assert len(opened) == len(await room.intents("done"))


async def test_two_workers_share_the_work_and_double_nothing(room: Room, desk: Desk, requirement: str) -> None:
    events = [failed(device, f"{requirement} {number}") for number in range(8) for device in ("a", "b")]
    again = [failed_again("a", 2, failures=3, requirement=f"{requirement} {number}") for number in range(8)]

    async with room.working(), room.working(), room.working():
        await room.handle(KNOWN, *events)
        await room.handle(*again)
        await room.quiet()

    assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 8
    keys = [(each.subject, type(each.data)) for each in await room.published()]
    assert len([key for key in keys if key[1] is TicketOpened]) == 8

"""Answers of a real Roundup that are lost on their way: one ticket, nothing lost, nothing said twice."""

import time
from datetime import timedelta

import pytest

from contracts.events.obligation import State
from contracts.events.ticket import TicketOpened
from services.ticketing import store_intents
from simulators.faulty_proxy import Fault, Seen
from tests.ticketing.desk import LIMITS, Desk, Room, until
from tests.ticketing.findings import state_changed
from tests.ticketing.hanging import KNOWN, failed, holds, proxy


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
                await until(lambda: holds(room, "SELECT state = 'uncertain' FROM intent"))
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

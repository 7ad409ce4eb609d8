"""Workers that die at any moment, against a real Roundup: one ticket, nothing lost, nothing said twice."""

import asyncio

import asyncpg
import pytest

from contracts.events.obligation import State
from contracts.events.ticket import TicketAppended, TicketOpened
from services.ticketing import store_intents
from services.ticketing.records import Draft, Note, TicketRef
from tests.parts import Database
from tests.ticketing.desk import LIMITS, Desk, Room, emptied, until
from tests.ticketing.findings import state_changed
from tests.ticketing.hanging import KNOWN, HangsAfter, failed, holds


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
                await until(lambda: holds(room, "SELECT state = 'uncertain' FROM intent"))
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

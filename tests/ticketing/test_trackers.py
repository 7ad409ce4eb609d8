"""One life, one ticket, whatever the ticket system is: the same cases on each real one.

What only a lack of Roundup's guards makes hard, and `test_effects*` and `test_merging` show for Roundup, runs on the
others alone.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from contracts.events.ticket import TicketMerged, TicketOpened
from patchline.local.request_tracker import RequestTracker as LocalRequestTracker
from patchline.local.roundup import Roundup as LocalRoundup
from services.ticketing.adapters.connectwise import Words
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.records import Note, TicketRef
from simulators.connectwise import BOARD, Sandbox
from simulators.faulty_proxy import Fault, Seen, faulty_proxy
from tests.builders import client_changed
from tests.parts import Database
from tests.ticketing.desk import AnyRoom, Desk, Issue, Room, emptied
from tests.ticketing.findings import failed_again, state_changed
from tests.ticketing.hanging import Wrapped
from tests.ticketing.psa import renewed
from tests.ticketing.psa_desk import PsaDesk, PsaRoom, plain
from tests.ticketing.rt_desk import Meddling, RtDesk, RtRoom

KNOWN = client_changed("Acme Dental", sequence=1)
Local = LocalRoundup | LocalRequestTracker | Sandbox


@dataclass(frozen=True)
class House:
    """A ticket system with ticketing beside it. `new` and `reopened` are its words, `writes` what changes a ticket."""

    room: AnyRoom
    desk: Desk | RtDesk | PsaDesk
    url: str
    new: str
    reopened: str
    creates: Callable[[Seen], bool]
    writes: tuple[Callable[[Seen], bool], ...]

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    async def issue(self) -> Issue:
        """Return the only ticket of the only key."""
        [key] = await self.room.keys()
        return self.desk.issue(key)


without_guards = pytest.mark.parametrize("local", ["request_tracker", "connectwise"], indirect=True)


@pytest.fixture(params=["roundup", "request_tracker", "connectwise"])
def local(request: pytest.FixtureRequest) -> Local:
    started: Local = request.getfixturevalue(request.param)
    return started


@pytest.fixture
def person(local: Local) -> Iterator[Desk | RtDesk | PsaDesk]:
    if isinstance(local, LocalRoundup):
        with Desk.of(local) as desk:
            yield desk
    elif isinstance(local, Sandbox):
        yield PsaDesk(plain(renewed(local)))
    else:
        with RtDesk.of(local) as rt_desk:
            yield rt_desk


@pytest.fixture
async def house(database: Database, local: Local, person: Desk | RtDesk | PsaDesk) -> AsyncIterator[House]:
    await emptied(database)
    if isinstance(local, LocalRoundup):
        async with Room.on(database, local) as room:
            writes = (_is("PATCH", "/rest/data/issue/"),)
            creates = _is("POST", "/rest/data/issue/@poe/")
            yield House(room, person, local.url, "unread", "unread", creates, writes)
    elif isinstance(local, Sandbox):
        async with PsaRoom.on(database, local) as psa_room:
            tickets = f"/{local.codebase}apis/3.0/service/tickets"
            psa_writes = (_is("POST", f"{tickets}/"), _is("PATCH", f"{tickets}/"))
            psa_room.words = Words(board=BOARD, reopened_status="open")
            yield House(psa_room, person, local.url, "new", "open", _is("POST", tickets), psa_writes)
    else:
        async with RtRoom.on(database, local) as rt_room:
            rt_writes = (_is("POST", "/REST/2.0/ticket/"), _is("PUT", "/REST/2.0/ticket/"))
            creates = _is("POST", "/REST/2.0/ticket")
            yield House(rt_room, person, local.url, "new", "open", creates, rt_writes)


def _is(method: str, path: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.method == method and seen.path.startswith(path)


@pytest.fixture
def changed(requirement: str) -> Callable[..., Envelope]:
    def of(device: str, state: State, sequence: int = 1) -> Envelope:
        return state_changed(device, state, sequence, requirement=requirement)

    return of


async def test_a_whole_life_of_a_ticket(house: House, changed: Callable[..., Envelope]) -> None:
    room = house.room
    await room.done(KNOWN, changed("a", State.FAILED))
    await room.done(changed("b", State.FAILED))
    await room.done(changed("a", State.VERIFIED, 2))
    await room.done(changed("b", State.VERIFIED, 2))
    resolved = await house.issue()
    await room.done(changed("b", State.MISSING_OVERDUE, 3))

    reopened = await house.issue()
    assert (resolved.client, resolved.status, reopened.status) == ("Acme Dental", "resolved", house.reopened)
    assert [each.splitlines()[0] for each in reopened.notes[1:]] == [
        "Failing too (1):",
        "No device on this ticket is failing any more.",
        "Open again.",
    ]
    told = [type(each.data).__name__ for each in await room.published()]
    assert told == ["TicketOpened", "TicketAppended", "TicketResolved", "TicketReopened"]


async def test_the_same_events_again_change_nothing(house: House, changed: Callable[..., Envelope]) -> None:
    events = [KNOWN, *(changed(device, State.FAILED) for device in "abc")]
    await house.room.done(*events)
    before = await house.issue()

    for each in ([*events], [events[1]], [events[3], KNOWN]):
        await house.room.done(*each)

    assert await house.issue() == before
    assert len(await house.room.published()) == 1


@without_guards
async def test_a_restored_database_finds_what_it_did_and_says_nothing_twice(
    house: House, changed: Callable[..., Envelope], database: Database
) -> None:
    life = [
        [KNOWN, changed("a", State.FAILED)],
        [changed("b", State.FAILED)],
        [changed("a", State.VERIFIED, 2), changed("b", State.VERIFIED, 2)],
        [changed("b", State.MISSING_OVERDUE, 3)],
    ]
    for each in life:
        await house.room.done(*each)
    before = await house.issue()

    await emptied(database)
    for each in life:
        await house.room.done(*each)

    after = await house.issue()
    assert (after.number, after.status) == (before.number, before.status)
    assert after.notes[: len(before.notes)] == before.notes
    introduced = [note for note in after.notes if "- B-PC (" in note and note.startswith("Failing too")]
    assert len(introduced) == 1


async def test_a_restored_database_tells_once_what_failed_since(
    house: House, changed: Callable[..., Envelope], database: Database
) -> None:
    a, b, c = (changed(device, State.FAILED) for device in "abc")
    for known in ([KNOWN, a], [KNOWN, a, b], [KNOWN, a, b], [KNOWN, a, b, c]):
        await emptied(database)
        await house.room.done(*known)

    _, second, third = (await house.issue()).notes
    assert second.startswith("Failing too (1):\n- B-PC")
    assert third.startswith("Failing too (1):\n- C-PC")


async def test_a_persons_closure_followed_by_a_failure_opens_the_next_generation(
    house: House, changed: Callable[..., Envelope], requirement: str
) -> None:
    await house.room.done(KNOWN, changed("a", State.FAILED))
    [first] = await house.room.keys()
    house.desk.edit(house.desk.issue(first).number, status="resolved")

    house.room.clock.move(minutes=1)
    await house.room.done(failed_again("a", 2, failures=2, requirement=requirement))

    [_, second] = await house.room.keys()
    assert second == first.removesuffix("g1") + "g2"
    assert (house.desk.issue(first).status, len(house.desk.issue(first).notes)) == ("resolved", 1)
    assert house.desk.issue(second).status == house.new


@without_guards
async def test_a_closure_at_the_very_moment_of_a_note_loses_no_failure(
    house: House, changed: Callable[..., Envelope]
) -> None:
    await house.room.done(KNOWN, changed("a", State.FAILED))
    number = (await house.issue()).number
    tracker = house.room.tracker(transport=Meddling("POST", lambda: house.desk.edit(number, status="resolved")))

    await house.room.done(changed("b", State.FAILED), tracker=tracker)
    await tracker.close()

    [first, second] = await house.room.keys()
    assert house.desk.issue(first).status == "resolved"
    assert "- B-PC" in house.desk.issue(second).notes[0]


@without_guards
async def test_a_deleted_ticket_is_followed_by_the_next_generation(
    house: House, changed: Callable[..., Envelope]
) -> None:
    await house.room.done(KNOWN, changed("a", State.FAILED))
    house.desk.delete((await house.issue()).number)

    house.room.clock.move(minutes=1)
    await house.room.done(changed("b", State.FAILED))

    [_, second] = await house.room.keys()
    assert "- B-PC" in house.desk.issue(second).notes[0]


@without_guards
class TestLostAnswer:
    """The proxy does to one request what networks do."""

    @pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.LOSE_REQUEST])
    async def test_to_the_creation_makes_one_ticket(
        self, house: House, changed: Callable[..., Envelope], fault: Fault
    ) -> None:
        async with faulty_proxy(house.port) as between:
            between.faults.inject(fault, where=house.creates)
            tracker = house.room.tracker(url=between.url)
            await house.room.done(KNOWN, changed("a", State.FAILED), tracker=tracker)
            await tracker.close()

        assert len(between.faults.injected) == 1
        assert len((await house.issue()).notes) == 1
        assert [type(each.data) for each in await house.room.published()] == [TicketOpened]

    @pytest.mark.parametrize(
        ("state", "write", "fault"),
        [
            pytest.param(State.FAILED, 0, Fault.LOSE_AFTER, id="a note, its answer lost"),
            pytest.param(State.VERIFIED, 0, Fault.LOSE_AFTER, id="a closing note, its answer lost"),
            pytest.param(State.VERIFIED, 1, Fault.LOSE_REQUEST, id="a status that never arrived"),
            pytest.param(State.VERIFIED, 1, Fault.ERROR_AFTER, id="a status, its answer a 500"),
        ],
    )
    async def test_to_a_change_changes_once(
        self, house: House, changed: Callable[..., Envelope], *, state: State, write: int, fault: Fault
    ) -> None:
        await house.room.done(KNOWN, changed("a", State.FAILED))
        device = "b" if state is State.FAILED else "a"
        async with faulty_proxy(house.port) as between:
            between.faults.inject(fault, where=house.writes[write])
            tracker = house.room.tracker(url=between.url)
            await house.room.done(changed(device, state, 2), tracker=tracker)
            await tracker.close()

        issue = await house.issue()
        assert (len(issue.notes), issue.status) == (2, house.new if state is State.FAILED else "resolved")
        assert await house.room.pool.fetchval("SELECT state <> 'closed' FROM ticket")
        assert len(await house.room.published()) == 2


class Dies(Exception):
    """The process is gone."""


class DiesAt(Wrapped):
    """Is killed before or after one of the two halves of a merge."""

    def __init__(self, inner: Any, moment: str) -> None:
        super().__init__(inner)
        self._moment = moment

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        await super().take_over(kept, other, key=key, note=note)
        self._reached("after it is kept")

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        await super().give_way(other, kept, key=key, note=note)
        self._reached("after it was closed")

    def _reached(self, moment: str) -> None:
        if moment == self._moment:
            raise Dies


@without_guards
class TestDuplicate:
    @pytest.mark.parametrize("moment", ["after it is kept", "after it was closed"])
    async def test_a_planted_one_gives_way_once_whenever_the_process_dies(
        self, house: House, changed: Callable[..., Envelope], moment: str
    ) -> None:
        await house.room.done(KNOWN, changed("a", State.FAILED))
        ours, [key] = await house.issue(), await house.room.keys()
        planted = house.desk.create(key)
        house.desk.say(planted, "I called them.")
        dying: Tracker = DiesAt(house.room.tracker(), moment)
        with pytest.raises(Dies):
            await house.room.merged(dying)
        await dying.close()
        house.room.clock.move(seconds=30)  # the lease of the dead one ends

        await house.room.merged()
        house.room.clock.move(minutes=11)
        await house.room.merged()

        kept, gone = house.desk.issue_of(ours.number), house.desk.issue_of(planted)
        assert (kept.status, gone.status, house.desk.superseders(planted)) == (house.new, "resolved", [ours.number])
        assert sum("I called them." in each for each in kept.notes) == 1
        assert sum("has the same key" in each for each in kept.notes) == 1
        assert sum("has the same key" in each for each in gone.notes) == 1
        assert [type(each.data) for each in await house.room.published()] == [TicketOpened, TicketMerged]

    async def test_one_that_a_person_opens_again_is_left_alone(
        self, house: House, changed: Callable[..., Envelope]
    ) -> None:
        await house.room.done(KNOWN, changed("a", State.FAILED))
        ours, [key] = await house.issue(), await house.room.keys()
        planted = house.desk.create(key)
        await house.room.merged()
        house.desk.edit(planted, status=house.reopened)
        before = house.desk.issue_of(ours.number), house.desk.issue_of(planted)

        house.room.clock.move(minutes=11)
        await house.room.merged()

        assert (house.desk.issue_of(ours.number), house.desk.issue_of(planted)) == before

"""At the tracker live goes before bulk, and bulk has its turn all the same."""

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from chassis.clock import moved_clock
from contracts.envelope import Envelope
from contracts.events.obligation import State
from contracts.events.ticket import TicketOpened
from contracts.topics import Lane
from services.ticketing import rules_effects, store_intents
from services.ticketing.records import Draft, TicketRef
from services.ticketing.rules_effects import BULK_EVERY, Due, few_of_bulk, in_lanes, lane_first
from services.ticketing.worker import Limits
from tests.builders import client_changed
from tests.ticketing.desk import OnlyOpens, Room, until
from tests.ticketing.findings import state_changed

TENANT = uuid4()


def due(*lanes: Lane) -> list[Due]:
    return [Due(TENANT, f"ticket-{number}", 1, lane) for number, lane in enumerate(lanes)]


LIVE, BULK = Lane.LIVE, Lane.BULK


@pytest.mark.parametrize(
    ("first", "order"),
    [
        pytest.param(LIVE, [1, 3, 0, 2], id="live first, each in its order"),
        pytest.param(BULK, [0, 2, 1, 3], id="bulk's turn"),
    ],
)
def test_one_lane_comes_before_the_other(first: Lane, order: list[int]) -> None:
    turns = due(BULK, LIVE, BULK, LIVE)

    assert in_lanes(turns, first) == [turns[number] for number in order]


@pytest.mark.parametrize(
    ("most", "left"),
    [
        pytest.param(1, [0, 1, 3], id="one"),
        pytest.param(0, [1, 3], id="none"),
        pytest.param(-1, [1, 3], id="more are under way than may be"),
        pytest.param(9, [0, 1, 2, 3], id="room for all"),
    ],
)
def test_bulk_never_has_the_whole_tracker(most: int, left: list[int]) -> None:
    turns = due(BULK, LIVE, BULK, LIVE)

    assert few_of_bulk(turns, most) == [turns[number] for number in left]


def test_every_eighth_turn_is_bulks() -> None:
    first = [lane_first(turns) for turns in range(3 * BULK_EVERY)]

    assert first.count(BULK) == 3
    assert first[0] is LIVE


@dataclass
class PatientTracker(OnlyOpens):
    """Creates tickets in memory and remembers their order."""

    created: list[str] = field(default_factory=list)

    async def find(self, key: str) -> list[TicketRef]:
        return [TicketRef(id=key, is_open=True)] if key in self.created else []

    async def reserve(self) -> str | None:
        return None

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        del reservation
        self.created.append(draft.key)
        return TicketRef(id=draft.key, is_open=True)

    async def close(self) -> None:
        self.created.clear()


@dataclass
class StuckTracker(PatientTracker):
    """Holds the first ticket that it is to create until it may go on."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        if not self.entered.is_set():
            self.entered.set()
            await self.may_go_on.wait()
        return await super().create(draft, reservation)


def failed(requirement: str, lane: Lane, *, device: str = "a", sequence: int = 1) -> Envelope:
    return state_changed(device, State.FAILED, sequence, requirement=requirement)._replace(lane=lane)


async def lanes_due(room: Room) -> list[Lane]:
    """Return the lanes of what is due, one per ticket."""
    return [each.lane for each in await store_intents.load_due(room.pool, moved_clock(0)(), per_tenant=99)]


async def test_a_live_failure_is_opened_before_what_a_resync_brought_and_all_are_opened(
    room: Room, requirement: str
) -> None:
    tracker = PatientTracker()
    await room.handle(
        client_changed("Acme Dental", sequence=1), *(failed(f"{requirement} {number}", BULK) for number in range(10))
    )
    [*before] = await room.keys()
    await room.handle(failed(f"{requirement} live", LIVE))
    [live] = set(await room.keys()) - set(before)

    async with room.working(tracker, limits=Limits(slots=1, most_per_tenant=1)):

        async def all_created() -> bool:
            return len(tracker.created) == 11

        await until(all_created)

    assert tracker.created[0] == live
    assert set(tracker.created) == {live, *before}


async def test_live_goes_on_while_bulk_has_its_turn_and_its_act_does_not_end(
    room: Room, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_effects, "lane_first", lambda _turns: BULK)
    tracker = StuckTracker()
    await room.handle(
        client_changed("Acme Dental", sequence=1), *(failed(f"{requirement} {number}", BULK) for number in range(3))
    )

    async with room.working(tracker, limits=Limits(slots=8, most_per_tenant=2, bulk_slots=1)):
        await asyncio.wait_for(tracker.entered.wait(), 10)
        [*before] = await room.keys()
        await room.handle(failed(f"{requirement} live", LIVE))
        [live] = set(await room.keys()) - set(before)

        async def live_is_created() -> bool:
            return tracker.created == [live]

        await until(live_is_created)
        tracker.may_go_on.set()


async def test_a_note_that_bulk_asked_for_becomes_live_when_live_asks_too(room: Room, requirement: str) -> None:
    await room.handle(client_changed("Acme Dental", sequence=1), failed(requirement, BULK))
    assert await lanes_due(room) == [BULK]

    await room.handle(failed(requirement, BULK, device="b"))
    assert await lanes_due(room) == [BULK]
    await room.handle(failed(requirement, LIVE, device="c"))

    assert await lanes_due(room) == [LIVE]


async def test_a_repeat_from_the_other_lane_changes_nothing(room: Room, requirement: str) -> None:
    await room.handle(client_changed("Acme Dental", sequence=1), failed(requirement, LIVE))

    await room.handle(failed(requirement, BULK))

    assert await lanes_due(room) == [LIVE]


async def test_what_bulk_adds_to_an_open_ticket_waits_to_be_one_note_until_live_adds_something(
    room: Room, requirement: str
) -> None:
    await room.handle(client_changed("Acme Dental", sequence=1), failed(requirement, LIVE))
    async with room.working(PatientTracker()):
        await room.quiet()
    await room.handle(failed(requirement, BULK, device="b"), failed(requirement, BULK, device="c"))
    assert await lanes_due(room) == []

    await room.handle(failed(requirement, LIVE, device="d"))

    assert await lanes_due(room) == [LIVE]


async def test_what_is_told_of_a_ticket_travels_in_the_lane_in_which_it_was_asked_for(
    room: Room, requirement: str
) -> None:
    await room.handle(
        client_changed("Acme Dental", sequence=1), failed(requirement, BULK), failed(f"{requirement} live", LIVE)
    )
    async with room.working(PatientTracker()):
        await room.quiet()

    told = {each.data.subject: each.lane for each in await room.published() if isinstance(each.data, TicketOpened)}

    assert told == {requirement: BULK, f"{requirement} live": LIVE}

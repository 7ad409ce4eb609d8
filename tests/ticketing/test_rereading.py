"""What a person does at a real Roundup: told, told twice, late, told by a liar, or never told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from chassis.batch import Fate
from chassis.health import Progress
from chassis.postgres import transaction
from chassis.relay import Relay
from contracts.envelope import Envelope
from contracts.events.obligation import State
from contracts.events.psa import TicketChange, TicketTold
from contracts.events.ticket import TicketNoted, TicketOpened, TicketReopened, TicketResolved
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.handlers import TicketingHandler
from services.ticketing.rereading import Rereading, Rereads
from tests.builders import batch_of, client_changed, event
from tests.ticketing.desk import AnyRoom, Desk, Room
from tests.ticketing.findings import state_changed

KNOWN = client_changed("Acme Dental", sequence=1)
C = TicketChange


def told(
    number: str, change: TicketChange, *, by: str | None = "admin", key: str | None = None, event_id: UUID | None = None
) -> Envelope:
    """Return what the tracker's webhook said, as the gateway passes it on."""
    content = TicketTold(number=number, change=change, by=by, key=key)
    now = datetime.now(UTC)
    source = "psa/roundup/desk"
    return event(
        content, subject=number, source=source, tenant=None, event_id=event_id or uuid4(), at=now, received=now
    )


class Hearing:
    """Ticketing that listens to its tracker."""

    def __init__(self, room: AnyRoom, tracker: Tracker) -> None:
        self.room = room
        room.handler = TicketingHandler(look_every=timedelta(seconds=30), own_names=frozenset({"patchline"}))
        self._rereading = Rereading(
            pool=room.pool,
            tracker=tracker,
            clock=room.clock,
            progress=Progress(),
            relay=Relay(dsn=room.dsn, kafka="127.0.0.1:9", progress=Progress()),
            rereads=Rereads(settle_seconds=15),
        )

    async def hear(self, *events: Envelope) -> None:
        """Take in what was told, and look at everything that is due."""
        await self.room.handle(*events)
        await self.look()

    async def look(self) -> None:
        while await self._rereading.carry_out_next():
            continue

    async def states(self) -> list[str]:
        rows = await self.room.pool.fetch("SELECT state FROM ticket ORDER BY generation")
        return [row["state"] for row in rows]

    async def waiting(self) -> int:
        return int(await self.room.pool.fetchval("SELECT count(*) FROM hint"))

    async def said(self) -> list[object]:
        return [each.data for each in await self.room.published()]


@pytest.fixture
async def hearing(room: Room) -> AsyncIterator[Hearing]:
    tracker = room.tracker()
    yield Hearing(room, tracker)
    await tracker.close()


@pytest.fixture
async def number(hearing: Hearing, desk: Desk, requirement: str) -> str:
    """The number of a ticket about device a."""
    await hearing.room.done(KNOWN, state_changed("a", State.FAILED, 1, requirement=requirement))
    [key] = await hearing.room.keys()
    return desk.issue(key).number


async def test_a_persons_closure_is_known_at_once_and_the_next_failure_opens_the_next_generation(
    hearing: Hearing, desk: Desk, number: str, requirement: str
) -> None:
    desk.edit(number, status="resolved")
    await hearing.hear(told(number, C.CLOSED))
    states = await hearing.states()
    await hearing.room.done(state_changed("a", State.FAILED, 2, failures=2, requirement=requirement))

    assert states == ["closed"]
    assert await hearing.states() == ["closed", "open"]
    first, second = await hearing.room.keys()
    assert (first[-3:], second[-3:]) == ("-g1", "-g2")
    assert desk.issue(second).status == "unread"
    opened, closed, again = await hearing.said()
    assert isinstance(closed, TicketResolved)
    assert (closed.by_person, closed.generation, closed.external) == (True, 1, number)
    assert isinstance(again, TicketOpened)
    assert opened != again


async def test_the_same_word_twice_and_another_of_the_same_closure_change_nothing_more(
    hearing: Hearing, desk: Desk, number: str
) -> None:
    desk.edit(number, status="resolved")
    once = told(number, C.CLOSED)
    await hearing.hear(once)
    before = await hearing.room.published()

    await hearing.hear(once, once)
    await hearing.hear(told(number, C.CHANGED))

    assert await hearing.room.published() == before
    assert (await hearing.states(), await hearing.waiting()) == (["closed"], 0)


async def test_a_closure_that_was_told_late_finds_what_the_worker_found(
    hearing: Hearing, desk: Desk, number: str, requirement: str
) -> None:
    desk.edit(number, status="resolved")
    hearing.room.clock.move(minutes=5)
    await hearing.room.done(state_changed("b", State.FAILED, 1, requirement=requirement))
    before = await hearing.room.published()

    await hearing.hear(told(number, C.CLOSED))

    assert await hearing.room.published() == before
    assert await hearing.states() == ["closed", "open"]


async def test_a_closure_that_nobody_told_is_found_by_the_round(hearing: Hearing, desk: Desk, number: str) -> None:
    desk.edit(number, status="resolved")
    hearing.room.clock.move(minutes=11)

    await hearing.room.merged()
    await hearing.look()

    assert (await hearing.states(), await hearing.waiting()) == (["closed"], 0)


async def test_a_round_asks_for_nothing_where_all_is_as_it_should_be(hearing: Hearing, number: str) -> None:
    hearing.room.clock.move(minutes=11)

    await hearing.room.merged()

    assert (number != "", await hearing.waiting()) == (True, 0)


async def test_a_liar_who_says_that_a_ticket_was_closed_closes_nothing(hearing: Hearing, number: str) -> None:
    await hearing.hear(told(number, C.CLOSED))
    while_young = await hearing.waiting()
    hearing.room.clock.move(seconds=30)
    await hearing.look()

    assert (while_young, await hearing.waiting(), await hearing.states()) == (1, 0, ["open"])


async def test_a_word_that_comes_before_its_commit_is_believed_once_it_shows(
    hearing: Hearing, desk: Desk, number: str
) -> None:
    await hearing.hear(told(number, C.CLOSED))
    desk.edit(number, status="resolved")
    hearing.room.clock.move(seconds=2)
    await hearing.look()

    assert await hearing.states() == ["closed"]


async def test_what_is_told_of_others_tickets_does_nothing_and_is_counted(
    hearing: Hearing, desk: Desk, number: str
) -> None:
    stranger = desk.create("somebody else's key")
    desk.edit(stranger, status="resolved")
    batch = batch_of(
        [told(stranger, C.CLOSED), told("999999", C.CLOSED), told(number, C.CLOSED, key="of another system")]
    )

    async with transaction(hearing.room.pool) as tx:
        await hearing.room.handler.on_batch(tx, batch)

    assert list(batch.fates.values()) == [Fate.IGNORED] * 3
    assert (await hearing.waiting(), await hearing.states()) == (0, ["open"])


async def test_our_own_doings_are_no_persons(hearing: Hearing, desk: Desk, number: str, requirement: str) -> None:
    await hearing.room.done(state_changed("a", State.VERIFIED, 2, requirement=requirement))
    before = await hearing.room.published()

    await hearing.hear(told(number, C.CLOSED, by="patchline"), told(number, C.NOTED, by="patchline"))
    await hearing.hear(told(number, C.CHANGED, by=None), told(number, C.NOTED, by=None))

    assert await hearing.room.published() == before
    assert await hearing.states() == ["resolved"]
    assert desk.issue_of(number).status == "resolved"


async def test_a_ticket_that_a_person_opened_again_is_kept_up_to_date_and_closed_by_a_person_once_more(
    hearing: Hearing, desk: Desk, number: str, requirement: str
) -> None:
    await hearing.room.done(state_changed("a", State.VERIFIED, 2, requirement=requirement))
    desk.edit(number, status="chatting")

    await hearing.hear(told(number, C.REOPENED))
    await hearing.room.done(state_changed("b", State.FAILED, 1, requirement=requirement))
    opened_again = desk.issue_of(number)
    desk.edit(number, status="resolved")
    await hearing.hear(told(number, C.CLOSED))

    assert opened_again.status == "chatting"
    assert "A person opened this ticket again" in opened_again.notes[-1]
    assert "B-PC" in opened_again.notes[-1]
    assert await hearing.states() == ["closed"]
    reopened = [each for each in await hearing.said() if isinstance(each, TicketReopened)]
    assert [each.by_person for each in reopened] == [True]


async def test_devices_that_were_proven_good_while_it_was_closed_are_off_the_list_of_a_ticket_opened_again(
    hearing: Hearing, desk: Desk, number: str, requirement: str
) -> None:
    desk.edit(number, status="resolved")
    await hearing.hear(told(number, C.CLOSED))
    await hearing.room.done(state_changed("a", State.VERIFIED, 2, requirement=requirement))
    desk.edit(number, status="unread")

    await hearing.hear(told(number, C.REOPENED))

    assert await hearing.states() == ["open"]
    assert await hearing.room.pool.fetchval("SELECT cleared_as FROM ticket_device") == "VERIFIED"


async def test_an_older_generation_that_is_opened_again_is_told_and_left_alone(
    hearing: Hearing, desk: Desk, number: str, requirement: str
) -> None:
    desk.edit(number, status="resolved")
    await hearing.hear(told(number, C.CLOSED))
    await hearing.room.done(state_changed("a", State.FAILED, 2, failures=2, requirement=requirement))
    notes = desk.issue_of(number).notes
    desk.edit(number, status="unread")

    await hearing.hear(told(number, C.REOPENED), told(number, C.REOPENED))
    await hearing.room.done()

    assert desk.issue_of(number).notes == notes
    assert len([each for each in await hearing.said() if isinstance(each, TicketReopened)]) == 1


async def test_the_fact_of_a_note_is_told_and_never_the_note(hearing: Hearing, desk: Desk, number: str) -> None:
    desk.say(number, "the owner's password is hunter2")
    noted = told(number, C.NOTED)

    await hearing.hear(noted)
    await hearing.hear(noted)

    [fact] = [each for each in await hearing.room.published() if isinstance(each.data, TicketNoted)]
    assert isinstance(fact.data, TicketNoted)
    assert (fact.data.by, fact.data.external, fact.causation) == ("admin", number, noted.id)
    assert "hunter2" not in fact.data.model_dump_json()


async def test_a_bad_neighbour_holds_nobody_up(hearing: Hearing, desk: Desk, number: str) -> None:
    desk.edit(number, status="resolved")
    nobodys = state_changed("x", State.FAILED, 1, tenant=None)

    await hearing.hear(nobodys, told(number, C.CLOSED), told("no number", C.CHANGED))

    assert await hearing.states() == ["closed"]


async def test_a_closure_is_waited_for_while_the_tracker_is_away(hearing: Hearing, desk: Desk, number: str) -> None:
    desk.edit(number, status="resolved")
    away = hearing.room.tracker(url="http://127.0.0.1:9/")
    elsewhere = Hearing(hearing.room, away)

    await elsewhere.hear(told(number, C.CLOSED))
    held = await elsewhere.waiting()
    await away.close()
    hearing.room.clock.move(minutes=10)
    await hearing.look()

    assert (held, await hearing.waiting(), await hearing.states()) == (1, 0, ["closed"])

"""What a person does is believed from each ticket system alike: told by hand, read again at the real one."""

from collections.abc import Callable

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from contracts.events.psa import TicketChange
from contracts.events.ticket import TicketNoted, TicketReopened, TicketResolved
from services.ticketing.adapters.tracker import Tracker
from tests.ticketing.test_rereading import Hearing, told
from tests.ticketing.test_trackers import KNOWN, House, changed, house, local, person

pytestmark = pytest.mark.usefixtures("local", "person")
__all__ = ["changed", "house", "local", "person"]  # the fixtures of every ticket system

C = TicketChange
Changed = Callable[..., Envelope]


async def hearing_at(house: House) -> tuple[Hearing, Tracker]:
    tracker = house.room.tracker()
    return Hearing(house.room, tracker), tracker


async def test_a_ticket_is_closed_opened_and_closed_again_by_a_person(house: House, changed: Changed) -> None:
    hearing, tracker = await hearing_at(house)
    await house.room.done(KNOWN, changed("a", State.FAILED))
    number = (await house.issue()).number

    house.desk.edit(number, status="resolved")
    await hearing.hear(told(number, C.CLOSED, by="a person"))
    closed = await hearing.states()
    house.desk.edit(number, status=house.reopened)
    await hearing.hear(told(number, C.REOPENED, by="a person"), told(number, C.NOTED, by="a person"))
    await house.room.done(changed("b", State.FAILED))
    opened = await hearing.states()
    house.desk.edit(number, status="resolved")
    await hearing.hear(told(number, C.CHANGED, by=None))
    await house.room.done(changed("c", State.FAILED))
    await tracker.close()

    assert (closed, opened, await hearing.states()) == (["closed"], ["open"], ["closed", "open"])
    kinds = [
        type(each) for each in await hearing.said() if isinstance(each, TicketResolved | TicketReopened | TicketNoted)
    ]
    assert kinds == [TicketResolved, TicketReopened, TicketNoted, TicketResolved]


async def test_our_own_closing_is_nobodys_and_a_persons_opening_after_it_is(house: House, changed: Changed) -> None:
    hearing, tracker = await hearing_at(house)
    await house.room.done(KNOWN, changed("a", State.FAILED))
    await house.room.done(changed("a", State.VERIFIED, 2))
    number = (await house.issue()).number

    await hearing.hear(told(number, C.CHANGED, by=None), told(number, C.NOTED, by=None))
    ours = await hearing.states()
    house.desk.edit(number, status=house.reopened)
    await hearing.hear(told(number, C.CHANGED, by=None))
    await tracker.close()

    assert (ours, await hearing.states()) == (["resolved"], ["open"])
    assert [type(each) for each in await hearing.said() if isinstance(each, TicketNoted)] == []

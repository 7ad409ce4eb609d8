"""Tickets about breaches and exceptions in a real Roundup: does it, repeats it, gets it late, with a bad neighbour."""

from contracts.events import exception
from contracts.events.obligation import State
from contracts.events.ticket import TicketOpened
from tests.builders import client_changed
from tests.ticketing.compliance import EXCEPTION, breached, granted, of_exception, requested, silent
from tests.ticketing.desk import Desk, Room

KNOWN = client_changed("Acme Dental", sequence=1)


async def test_an_exception_has_one_ticket_that_tells_its_story(room: Room, desk: Desk) -> None:
    await room.done(KNOWN, requested())
    await room.done(granted())
    await room.done(of_exception(exception.ExceptionExpired, 3))

    [key] = await room.keys()
    issue = desk.issue(key)
    assert issue.title == "Exception for Windows Server 2022, cumulative at Acme Dental"
    assert issue.status == "resolved"
    assert "patchline exception sign" in issue.notes[0]
    assert f"exception {EXCEPTION}" in issue.notes[0]
    assert "Nora West" in issue.notes[1]
    assert "no deadline has moved" in issue.notes[-1]
    [opened] = [each.data for each in await room.published() if isinstance(each.data, TicketOpened)]
    assert (opened.kind, opened.subject, opened.external) == ("exception", EXCEPTION, issue.number)


async def test_an_overdue_update_names_its_machines_and_is_resolved_with_them(room: Room, desk: Desk) -> None:
    ended = breached(2, is_so=False, state=State.VERIFIED)
    bad = breached(3, asset="a-9")._replace(tenant=None)
    await room.done(KNOWN, breached(1), bad)
    [key] = await room.keys()
    opened = desk.issue(key)

    await room.done(ended)
    await room.done(breached(1), ended)

    issue = desk.issue(key)
    assert issue.title == "Windows Server 2022 cumulative KB5070001: overdue at Acme Dental"
    assert "HOST-a-1 (windows, server): due 2026-11-10 12:00 UTC, PENDING_REBOOT: the restart" in opened.notes[0]
    assert (opened.status, issue.status) == ("unread", "resolved")
    assert len(issue.notes) == 2


async def test_a_silent_source_is_the_msps_to_see(room: Room, desk: Desk) -> None:
    room.msp_company = "Patch Masters"

    await room.done(KNOWN, silent(), breached())

    assert {desk.issue(key).client for key in await room.keys()} == {"Patch Masters", "Acme Dental"}

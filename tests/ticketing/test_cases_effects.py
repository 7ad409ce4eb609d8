"""Tickets about exposed credentials in a real Roundup: does it, repeats it, gets it late, with a bad neighbour."""

import pytest

from contracts.events.credential import BreakerState, CaseStep, Decision
from contracts.events.obligation import State
from contracts.events.ticket import TicketOpened, TicketResolved
from tests.builders import client_changed
from tests.ticketing.cases import LOGIN, Story, breaker, hygiene
from tests.ticketing.desk import Desk, Room
from tests.ticketing.findings import state_changed

KNOWN = client_changed("Acme Dental", sequence=1)


@pytest.fixture
def story() -> Story:
    return Story()


async def test_a_case_has_one_ticket_that_tells_its_story(room: Room, desk: Desk, story: Story) -> None:
    await room.done(KNOWN, story.opened())
    await room.done(story.done(CaseStep.INVALIDATED), story.done(CaseStep.NOTIFIED))
    await room.done(story.closed())

    [key] = await room.keys()
    issue = desk.issue(key)
    assert issue.title == f"Exposed credential of {LOGIN} at Acme Dental"
    assert (issue.client, issue.status) == ("Acme Dental", "resolved")
    assert "found in a stealer log" in issue.notes[0]
    assert "Reach the person by phone" in issue.notes[0]
    assert "The exposed password is invalid." in issue.notes[1]
    assert "The case is closed." in issue.notes[-1]
    published = [each.data for each in await room.published()]
    [opened] = [each for each in published if isinstance(each, TicketOpened)]
    assert (opened.kind, opened.subject, opened.external) == ("exposure", story.case, issue.number)
    assert isinstance(published[-1], TicketResolved)


async def test_the_same_events_again_change_nothing(room: Room, desk: Desk, story: Story) -> None:
    events = [KNOWN, story.opened(), story.parked(), story.broken()]
    await room.done(*events)
    before = {key: desk.issue(key) for key in await room.keys()}

    await room.done(*events)
    for each in events:
        await room.done(each)

    assert {key: desk.issue(key) for key in await room.keys()} == before
    assert len(before) == 2


async def test_what_comes_after_the_end_changes_nothing(room: Room, desk: Desk, story: Story) -> None:
    late = story.appended()
    await room.done(KNOWN, story.opened())
    await room.done(story.closed())
    [key] = await room.keys()
    before = desk.issue(key)

    await room.done(late)

    assert desk.issue(key) == before


async def test_a_case_of_nobody_is_refused_and_its_neighbours_get_their_tickets(
    room: Room, desk: Desk, story: Story, requirement: str
) -> None:
    nobodys = Story().opened()._replace(tenant=None)

    failed = state_changed("a", State.FAILED, 1, requirement=requirement)
    batch = await room.handle(KNOWN, nobodys, story.opened(Decision.ASK), failed)
    await room.done()

    assert [reason for _, reason in batch.refused] == ["ce_tenantid: a case belongs to a client"]
    titles = {desk.issue(key).title for key in await room.keys()}
    assert titles == {
        f"Exposed credential of {LOGIN} at Acme Dental",
        "Windows 11 24H2 x64 cumulative 2026-11: update fails at Acme Dental",
    }


async def test_hygiene_and_a_breaker_have_tickets_of_their_own(room: Room, desk: Desk) -> None:
    await room.done(KNOWN, hygiene("ana@acme.example", 1), breaker(BreakerState.TRIPPED, held=10_000))
    await room.done(hygiene("ana@acme.example", 2, failing=False), breaker(BreakerState.ARMED, sequence=2))

    issues = {issue.title: issue for issue in map(desk.issue, await room.keys())}
    without = issues["Accounts without a second factor at Acme Dental"]
    stopped = issues["Automatic password resets are stopped at Acme Dental"]
    assert "- ana@acme.example: no second factor is registered" in without.notes[0]
    assert "10000 accounts wait" in stopped.notes[0]
    assert (without.status, stopped.status) == ("resolved", "resolved")


async def test_what_is_the_msps_to_see_goes_to_the_msps_own_company(room: Room, desk: Desk) -> None:
    foreign = Story(foreign=True, login="who@elsewhere.example")
    room.msp_company = "Patch Masters"

    await room.done(KNOWN, foreign.opened(Decision.REFUSE), Story().opened())

    companies = {issue.title: issue.client for issue in map(desk.issue, await room.keys())}
    assert companies == {
        "Exposed credential of who@elsewhere.example at Acme Dental": "Patch Masters",
        f"Exposed credential of {LOGIN} at Acme Dental": "Acme Dental",
    }

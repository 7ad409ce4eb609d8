"""What compliance tells besides failures opens, feeds and resolves tickets; who wants them is not decided here."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.envelope import Envelope
from contracts.events import exception
from contracts.events.monitor import Monitor, RebootVerdict
from contracts.events.obligation import State
from services.ticketing.facts import Unusable, facts_of
from services.ticketing.records import Act, Kind, TicketState
from services.ticketing.rules_cases import Chapter, Turn
from services.ticketing.rules_desk import Desk
from services.ticketing.rules_fold import TOGETHER, Fact, folded
from services.ticketing.rules_text import SUBJECTS, TO_DO_BY_KIND
from tests.builders import NOON
from tests.ticketing.compliance import (
    EXCEPTION,
    REQUIREMENT,
    UNTIL,
    breached,
    granted,
    monitor,
    of_exception,
    requested,
    restarted,
    silent,
    triage,
    window_empty,
    window_missed,
)


def fold(desk: Desk, *events: Envelope) -> Desk:
    facts: list[Fact] = []
    for each in events:
        found = facts_of(each)
        assert not isinstance(found, Unusable)
        facts += found
    return folded(desk, facts, now=NOON, look_every=timedelta(hours=1))


def states(desk: Desk) -> dict[str, tuple[TicketState, int]]:
    return {ticket.matter.kind: (ticket.state, ticket.failing) for ticket in desk.tickets.values()}


CHAPTERS = [
    ("requested", requested(), Turn.OPEN, "ada@console asks to leave it undone on 2 machines: DC01, DC02"),
    ("controls", requested(), Turn.OPEN, "- restricted access: two people"),
    ("isolated", requested(lane="isolated"), Turn.OPEN, "can never be patched"),
    ("for all", requested(machines=None, names=()), Turn.OPEN, "on every machine of the client, from"),
    ("granted", granted(), Turn.TELL, "Nora West, the client's owner, signed it"),
    (
        "refused",
        of_exception(exception.ExceptionRefused, why="the owner said no"),
        Turn.RESOLVE,
        "not granted: the owner",
    ),
    ("expiring", of_exception(exception.ExceptionExpiring), Turn.RAISE, "Patch before that, or ask for a renewal"),
    ("expired", of_exception(exception.ExceptionExpired), Turn.RESOLVE, "no deadline has moved"),
    (
        "revoked",
        of_exception(exception.ExceptionRevoked, revoked_at=NOON, why="patched after all"),
        Turn.RESOLVE,
        "patched after all",
    ),
    (
        "renewed",
        of_exception(exception.ExceptionRenewed, renewed_by="x-2", renewed_until=UNTIL),
        Turn.RESOLVE,
        "signed another one",
    ),
]


@pytest.mark.parametrize(("told", "turn", "words"), [each[1:] for each in CHAPTERS], ids=[each[0] for each in CHAPTERS])
def test_an_exception_is_a_story_in_plain_words(told: Envelope, turn: Turn, words: str) -> None:
    found = facts_of(told)

    assert not isinstance(found, Unusable)
    [chapter] = found
    assert isinstance(chapter, Chapter)
    assert (chapter.turn, chapter.matter.kind, chapter.matter.subject) == (turn, Kind.EXCEPTION, EXCEPTION)
    assert words in chapter.words


def test_the_warning_opens_a_ticket_where_a_person_closed_the_first() -> None:
    desk = fold(Desk(), requested(), granted())
    [ticket] = desk.tickets.values()
    closed = desk.copy()
    closed.tickets[ticket.key] = replace(ticket, state=TicketState.CLOSED)

    warned = fold(closed, of_exception(exception.ExceptionExpiring, 3))

    assert sorted(each.state for each in warned.tickets.values()) == [TicketState.CLOSED, TicketState.OPEN]


def test_each_overdue_machine_is_listed_and_cleared() -> None:
    two = fold(Desk(), breached(1, asset="a-1"), breached(2, asset="a-2"))
    one = fold(two, breached(3, asset="a-1", is_so=False, state=State.VERIFIED))
    none = fold(one, breached(4, asset="a-2", is_so=False, state=State.EXCEPTED))

    assert [states(each) for each in (two, one, none)] == [
        {"patch_overdue": (TicketState.OPEN, 2)},
        {"patch_overdue": (TicketState.OPEN, 1)},
        {"patch_overdue": (TicketState.RESOLVED, 0)},
    ]
    assert {each.matter.subject for each in none.tickets.values()} == {REQUIREMENT}


def test_a_deadline_of_thousands_of_machines_is_one_ticket_and_few_notes() -> None:
    desk = fold(Desk(), breached(1))
    [ticket] = desk.tickets.values()
    opened = desk.waiting[ticket.key]
    desk.waiting[ticket.key] = ()  # the worker has opened it meanwhile

    for batch in range(5):
        desk = fold(desk, *(breached(each, asset=f"a-{each}") for each in range(100 * batch + 2, 100 * batch + 102)))

    [note] = desk.waiting[ticket.key]
    assert [(each.act, each.due_at) for each in (*opened, note)] == [(Act.OPEN, NOON), (Act.APPEND, NOON + TOGETHER)]
    assert states(desk) == {"patch_overdue": (TicketState.OPEN, 501)}


def test_a_breach_told_late_or_again_changes_nothing() -> None:
    ended = fold(Desk(), breached(1), breached(3, is_so=False, state=State.VERIFIED))

    again = fold(ended, breached(2), breached(1), breached(3, is_so=False, state=State.VERIFIED))

    assert again == ended


def test_what_is_overdue_again_after_an_exception_gets_the_next_ticket() -> None:
    excepted = fold(Desk(), breached(1), breached(2, is_so=False, state=State.EXCEPTED))

    expired = fold(excepted, breached(3, state=State.MISSING_OVERDUE))

    assert sorted(each.generation for each in expired.tickets.values()) == [1, 2]


def test_an_undone_proof_opens_the_same_ticket_again() -> None:
    proven = fold(Desk(), breached(1), breached(2, is_so=False, state=State.VERIFIED))

    undone = fold(proven, breached(3, state=State.CONTRADICTED))

    assert states(undone) == {"patch_overdue": (TicketState.OPEN, 1)}
    assert len(undone.tickets) == 1


def test_a_merged_machine_goes_on_as_the_other_asset() -> None:
    before = fold(Desk(), breached(1, asset="a-2"))

    merged = fold(
        before,
        breached(2, asset="a-2", is_so=False, state=State.RETIRED, continues_on="a-1", continues_breached=True),
        breached(1, asset="a-1"),
    )

    assert states(merged) == {"patch_overdue": (TicketState.OPEN, 1)}


TURNS = [
    ("monitor", monitor(1), monitor(2, failing=False), Kind.MONITOR),
    ("source", silent(1), silent(2, is_so=False), Kind.SOURCE_SILENT),
    ("window missed", window_missed(1), window_missed(2, missed=False, ticket=False), Kind.WINDOW_MISSED),
    ("window empty", window_empty(1), window_empty(2, empty=False), Kind.WINDOW_EMPTY),
    ("restart", restarted(1), restarted(2, verdict=RebootVerdict.CONSENTED), Kind.REBOOT_SURPRISE),
    ("triage", triage(1), triage(2, closed=True), Kind.TRIAGE),
]


@pytest.mark.parametrize(("begun", "ended", "kind"), [each[1:] for each in TURNS], ids=[each[0] for each in TURNS])
def test_each_kind_opens_and_resolves_its_own_ticket(begun: Envelope, ended: Envelope, kind: Kind) -> None:
    opened = fold(Desk(), begun)
    resolved = fold(opened, ended)

    assert [each.state for each in opened.tickets.values()] == [TicketState.OPEN]
    assert {each.matter.kind: each.state for each in resolved.tickets.values()} == {kind: TicketState.RESOLVED}
    assert kind in SUBJECTS
    assert "What to do" in TO_DO_BY_KIND[kind]


@pytest.mark.parametrize(
    "told",
    [
        monitor(kind=Monitor.UPDATES_FAILED),
        window_missed(ticket=False),
        restarted(verdict=RebootVerdict.IN_WINDOW),
        window_empty(empty=False),
    ],
    ids=["a failed update has its own ticket", "not the n-th miss", "a restart in its window", "a window that comes"],
)
def test_what_needs_nobody_opens_no_ticket(told: Envelope) -> None:
    assert fold(Desk(), told).tickets == {}


def test_two_surprise_restarts_are_two_lines_and_one_may_be_excused() -> None:
    two = fold(Desk(), restarted(1), restarted(2, hours=5))

    one = fold(two, restarted(3, hours=5, verdict=RebootVerdict.APPROVED))

    assert [states(each)["reboot_surprise"][1] for each in (two, one)] == [2, 1]


@pytest.mark.parametrize("told", [breached(), requested(), silent()], ids=["breach", "exception", "silence"])
def test_without_a_client_or_a_number_it_is_no_fact(told: Envelope) -> None:
    assert isinstance(facts_of(told._replace(tenant=None)), Unusable)
    assert isinstance(facts_of(told._replace(sequence=None)), Unusable)

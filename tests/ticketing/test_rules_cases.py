"""What each event of credentials means for tickets, as tables."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from contracts.envelope import Envelope
from contracts.events.credential import BreakerState, CaseStep, Decision, Promise
from services.ticketing.facts import Unusable, facts_of
from services.ticketing.records import Kind, TicketState
from services.ticketing.rules import Finding, Verdict
from services.ticketing.rules_cases import Chapter, Turn
from services.ticketing.rules_desk import Desk
from services.ticketing.rules_fold import Fact, folded
from tests.builders import NOON
from tests.ticketing.cases import Story, breaker, hygiene

CHAPTERS: list[tuple[str, Callable[[Story], Envelope], Turn, str]] = [
    ("opened", lambda s: s.opened(), Turn.OPEN, "nobody is told a new one"),
    ("opened for people", lambda s: s.opened(Decision.ASK), Turn.OPEN, "waits for people"),
    ("opened, nothing to do", lambda s: s.opened(Decision.REMEDIATED), Turn.OPEN, "nothing is to be done"),
    ("opened in dry run", lambda s: s.opened(dry_run=True), Turn.OPEN, "DRY RUN"),
    ("opened, privileged", lambda s: s.opened(privileged=True), Turn.OPEN, "most urgent"),
    ("reported again", lambda s: s.appended(3), Turn.TELL, "3 reports so far"),
    ("decided", lambda s: s.decided(Decision.RESET), Turn.RAISE, "two people agreed"),
    ("asked", lambda s: s.asked(), Turn.TELL, "2 different people"),
    ("agreed", lambda s: s.counted(), Turn.TELL, "dana.kim agreed; 1 of 2"),
    ("said no", lambda s: s.counted(approve=False), Turn.TELL, "dana.kim said no"),
    ("invalidated", lambda s: s.done(CaseStep.INVALIDATED), Turn.TELL, "exposed password is invalid"),
    ("parked", lambda s: s.parked(), Turn.RAISE, "A person must act, step revoked"),
    ("late", lambda s: s.broken(), Turn.RAISE, "SERVICE LEVEL MISSED: the owner was not told"),
    ("closed", lambda s: s.closed(), Turn.RESOLVE, "Changed at 12:01"),
]


def facts(envelope: Envelope) -> tuple[Fact, ...]:
    found = facts_of(envelope)
    assert not isinstance(found, Unusable)
    return found


@pytest.mark.parametrize(("told", "turn", "words"), [each[1:] for each in CHAPTERS], ids=[each[0] for each in CHAPTERS])
def test_each_event_of_a_case_is_a_chapter_in_plain_words(
    told: Callable[[Story], Envelope], turn: Turn, words: str
) -> None:
    story = Story()

    chapter = facts(told(story))[0]

    assert isinstance(chapter, Chapter)
    assert (chapter.turn, chapter.matter.kind, chapter.matter.subject) == (turn, Kind.EXPOSURE, story.case)
    assert words in chapter.words


@pytest.mark.parametrize("step", [CaseStep.OPENED, CaseStep.READ_BACK, CaseStep.CLOSED])
def test_steps_that_nobody_needs_to_read_of_are_no_facts(step: CaseStep) -> None:
    assert facts(Story().done(step)) == ()


def test_a_login_of_no_domain_of_the_client_is_the_msps_to_see() -> None:
    chapter = facts(Story(foreign=True).opened(Decision.REFUSE))[0]

    assert chapter.matter.kind is Kind.EXPOSURE_FOREIGN


@pytest.mark.parametrize(
    ("step", "promise"),
    [
        (CaseStep.TICKETED, Promise.TICKET),
        (CaseStep.INVALIDATED, Promise.RESET),
        (CaseStep.NOTIFIED, Promise.NOTICE),
        (CaseStep.VERIFIED, Promise.VERIFIED),
    ],
)
def test_a_missed_promise_lists_its_case_until_the_step_is_done(step: CaseStep, promise: Promise) -> None:
    story = Story()

    missed = next(each for each in facts(story.broken(promise)) if isinstance(each, Finding))
    kept = next(each for each in facts(story.done(step)) if isinstance(each, Finding))

    assert (missed.matter, missed.asset) == (kept.matter, kept.asset)
    assert missed.matter.subject == promise
    assert (missed.verdict, kept.verdict) == (Verdict.FAILING, Verdict.PROVEN)


def test_a_closed_case_misses_no_promise_any_more() -> None:
    levels = {each.matter.subject for each in facts(Story().closed()) if isinstance(each, Finding)}

    assert levels == set(Promise)


def test_a_breaker_of_all_clients_belongs_to_none_and_a_case_of_nobody_is_refused() -> None:
    nobodys = Story().opened()._replace(tenant=None)

    assert facts(breaker(BreakerState.TRIPPED, tenant=None)) == ()
    assert isinstance(facts_of(nobodys), Unusable)


def fold(desk: Desk, *told: Envelope) -> Desk:
    every = [fact for envelope in told for fact in facts(envelope)]
    return folded(desk, every, now=NOON, look_every=timedelta(0))


def test_a_story_has_one_ticket_from_its_opening_to_its_end() -> None:
    story = Story()

    desk = fold(Desk(), story.opened(), story.appended(), story.done(CaseStep.INVALIDATED), story.closed())

    [ticket] = desk.tickets.values()
    assert ticket.state is TicketState.RESOLVED
    [opening, end] = desk.waiting[ticket.key]
    assert "Reported again by hibp" in opening.why
    assert "exposed password is invalid" in opening.why
    assert end.why.endswith("The case is closed.")


@pytest.mark.parametrize(
    ("told", "tickets"),
    [("parked", 2), ("broken", 3), ("appended", 1), ("counted", 1)],  # a broken promise has a ticket of its own too
)
def test_after_a_persons_closure_only_what_needs_somebody_opens_the_next_ticket(told: str, tickets: int) -> None:
    story = Story()
    before = fold(Desk(), story.opened())
    [key] = before.tickets
    object.__setattr__(before.tickets[key], "state", TicketState.CLOSED)
    before.waiting[key] = ()

    desk = fold(before, getattr(story, told)())

    assert len(desk.tickets) == tickets


def test_what_comes_after_the_end_says_nothing_more() -> None:
    story = Story()
    before = fold(Desk(), story.opened(), story.closed())

    assert fold(before, story.appended()).waiting == before.waiting


def test_a_breaker_opens_one_ticket_and_arming_it_resolves_that() -> None:
    tripped = fold(Desk(), breaker(BreakerState.TRIPPED, held=10_000), breaker(BreakerState.KILLED, sequence=2))
    armed = fold(tripped, breaker(BreakerState.ARMED, sequence=3))

    [ticket] = tripped.tickets.values()
    assert ticket.state is TicketState.OPEN
    assert "10000 accounts wait" in tripped.waiting[ticket.key][0].why
    assert armed.tickets[ticket.key].state is TicketState.RESOLVED


def test_findings_of_hygiene_are_listed_and_cleared_one_by_one() -> None:
    found = fold(Desk(), hygiene("ana@acme.example", 1), hygiene("ben@acme.example", 1))
    one_less = fold(found, hygiene("ana@acme.example", 2, failing=False))
    none = fold(one_less, hygiene("ben@acme.example", 2, failing=False))

    [key] = found.tickets
    assert [found.tickets[key].failing, one_less.tickets[key].failing, none.tickets[key].failing] == [2, 1, 0]
    assert none.tickets[key].state is TicketState.RESOLVED

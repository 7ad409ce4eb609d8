"""Batches folded over what is kept: which tickets there are, whom they list, and what is left to do."""

from datetime import timedelta

import pytest

from contracts.events.obligation import State
from services.ticketing import rules, rules_fold
from services.ticketing.records import Act, TicketState
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON
from tests.ticketing.findings import (
    failed_again,
    finding,
    state_changed,
)
from tests.ticketing.folds import LOOK_EVERY, acts, all_told, folded, listed, only


def test_the_first_failure_opens_a_ticket() -> None:
    desk = folded(state_changed("a", State.FAILED, 1))

    ticket = only(desk)
    assert ticket.key.startswith("pl-patch_failed-")
    assert ticket.key.endswith("-g1")
    assert (ticket.state, ticket.failing, acts(desk, ticket.key)) == (TicketState.OPEN, 1, [Act.OPEN])


def test_devices_that_fail_before_the_ticket_is_open_go_into_its_first_words() -> None:
    desk = folded(state_changed("a", State.FAILED, 1), state_changed("b", State.FAILED, 1))

    ticket = only(desk)
    assert listed(desk, ticket.key) == {"a": None, "b": None}
    assert acts(desk, ticket.key) == [Act.OPEN]


def test_a_device_that_fails_later_is_appended() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))

    desk = folded(state_changed("b", State.FAILED, 1), before=before, now=NOON + MINUTE)

    ticket = only(desk)
    [append] = desk.waiting[ticket.key]
    assert (ticket.failing, append.act, append.due_at) == (2, Act.APPEND, NOON + MINUTE)


def test_clients_never_share_a_ticket() -> None:
    desk = folded(state_changed("a", State.FAILED, 1), state_changed("b", State.FAILED, 1, tenant=BIRCH))

    assert sorted(ticket.matter.tenant for ticket in desk.tickets.values()) == sorted([ACME, BIRCH])


def test_a_repeat_is_counted_and_the_tracker_only_looked_at_now_and_then() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))

    desk = folded(failed_again("a", 2, failures=2), before=before, now=NOON + timedelta(seconds=1))

    [append] = desk.waiting[only(desk).key]
    assert [each.failures for each in desk.listings.values()] == [2]
    assert append.due_at == NOON + LOOK_EVERY


def test_a_count_at_a_threshold_is_told_at_once() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))

    desk = folded(failed_again("a", 2, failures=2), failed_again("a", 3, failures=3), before=before, now=NOON + MINUTE)

    [append] = desk.waiting[only(desk).key]
    assert append.due_at == NOON + MINUTE


def test_a_storm_of_repeats_leaves_one_thing_to_do() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))

    desk = folded(*(failed_again("a", n, failures=n) for n in range(2, 2000)), before=before)

    assert len(desk.waiting[only(desk).key]) == 1
    assert [each.failures for each in desk.listings.values()] == [1999]


def test_the_last_proof_resolves() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1), state_changed("b", State.FAILED, 1)))

    half = folded(state_changed("a", State.VERIFIED, 2), before=before)
    whole = folded(state_changed("b", State.RETIRED, 2), before=half)

    assert (only(half).state, acts(half, only(half).key)) == (TicketState.OPEN, [])
    assert (only(whole).state, acts(whole, only(whole).key)) == (TicketState.RESOLVED, [Act.RESOLVE])
    assert listed(whole, only(whole).key) == {"a": "VERIFIED", "b": "RETIRED"}


@pytest.mark.parametrize("state", [s for s, v in rules.VERDICTS.items() if v in {"unproven", "silent"}])
def test_what_is_no_proof_leaves_the_device_on_the_list(state: State) -> None:
    desk = folded(state_changed("a", state, 2), before=all_told(folded(state_changed("a", State.FAILED, 1))))

    assert listed(desk, only(desk).key) == {"a": None}
    assert only(desk).state is TicketState.OPEN


def test_a_proof_that_is_undone_reopens_the_same_ticket() -> None:
    before = folded(state_changed("a", State.FAILED, 1), state_changed("a", State.VERIFIED, 2))

    desk = folded(state_changed("a", State.MISSING_OVERDUE, 3), before=all_told(before))

    ticket = only(desk)
    [reopen] = desk.waiting[ticket.key]
    assert (ticket.state, ticket.generation, reopen.act) == (TicketState.OPEN, 1, Act.REOPEN)
    assert reopen.why == "A-PC was proven good and is not any more: MISSING_OVERDUE."


def test_a_proof_undone_before_the_ticket_was_resolved_leaves_it_open() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))

    desk = folded(state_changed("a", State.VERIFIED, 2), state_changed("a", State.MISSING_OVERDUE, 3), before=before)

    assert acts(desk, only(desk).key) == [Act.APPEND]
    assert only(desk).state is TicketState.OPEN


def test_a_device_that_flaps_leaves_no_queue_behind() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))
    flaps = [state_changed("a", State.VERIFIED if n % 2 == 0 else State.MISSING_OVERDUE, n) for n in range(2, 400)]

    desk = folded(*flaps, before=before)

    assert len(desk.waiting[only(desk).key]) <= 2


def test_another_device_after_resolution_opens_the_next_generation() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1), state_changed("a", State.VERIFIED, 2)))

    desk = folded(state_changed("b", State.FAILED, 1), before=before)

    assert sorted((each.generation, each.state) for each in desk.tickets.values()) == [
        (1, TicketState.RESOLVED),
        (2, TicketState.OPEN),
    ]


def test_no_older_ticket_is_reopened_beside_a_newer_one() -> None:
    events = [
        state_changed("a", State.FAILED, 1),
        state_changed("a", State.VERIFIED, 2),
        state_changed("b", State.FAILED, 1),
    ]

    desk = folded(state_changed("a", State.MISSING_OVERDUE, 3), before=all_told(folded(*events)))

    assert [each.generation for each in desk.tickets.values() if each.state is TicketState.OPEN] == [2]


def test_a_late_finding_changes_nothing() -> None:
    before = folded(state_changed("a", State.VERIFIED, 7))

    assert folded(state_changed("a", State.FAILED, 6), before=before) == before


def test_a_person_closes_and_a_new_failure_opens_the_next_generation() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1), state_changed("b", State.FAILED, 1)))
    failed = folded(failed_again("a", 2, failures=2), before=before)
    again = finding(failed_again("a", 2, failures=2))

    desk = rules_fold.closed_by_person(failed, only(failed).key, cause=again.cause, now=NOON + HOUR)

    first, second = sorted(desk.tickets.values(), key=lambda each: each.generation)
    assert (first.state, second.state, second.generation) == (TicketState.CLOSED, TicketState.OPEN, 2)
    assert (listed(desk, second.key), acts(desk, second.key)) == ({"a": None}, [Act.OPEN])
    assert acts(desk, first.key) == []


def test_a_person_closes_and_nothing_failed_since() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))

    desk = rules_fold.closed_by_person(
        before, only(before).key, cause=finding(state_changed("a", State.FAILED, 1)).cause, now=NOON
    )

    assert only(desk).state is TicketState.CLOSED


def test_a_person_closes_what_we_were_about_to_resolve() -> None:
    before = all_told(folded(state_changed("a", State.FAILED, 1)))
    resolved = folded(state_changed("a", State.VERIFIED, 2), before=before)

    desk = rules_fold.closed_by_person(
        resolved, only(resolved).key, cause=finding(state_changed("a", State.VERIFIED, 2)).cause, now=NOON
    )

    assert only(desk).state is TicketState.CLOSED

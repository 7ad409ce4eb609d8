"""Batches folded over what is kept: which tickets there are, whom they list, and what is left to do."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.ticketing import rules, rules_fold
from services.ticketing.records import Act, Kind, Ticket, TicketState
from services.ticketing.rules_desk import Desk
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON
from tests.ticketing.findings import (
    OTHER_REQUIREMENT,
    REQUIREMENT,
    catalogued,
    fact,
    failed_again,
    finding,
    state_changed,
    uncatalogued,
)

LOOK_EVERY = timedelta(seconds=30)


def folded(*events: Envelope, before: Desk | None = None, now: datetime = NOON) -> Desk:
    return rules_fold.folded(before or Desk(), [fact(each) for each in events], now=now, look_every=LOOK_EVERY)


def only(desk: Desk) -> Ticket:
    [ticket] = desk.tickets.values()
    return ticket


def acts(desk: Desk, key: str) -> list[Act]:
    return [each.act for each in desk.waiting[key]]


def listed(desk: Desk, key: str) -> dict[str, str | None]:
    return {listing.label.device: listing.cleared_as for _, listing in desk.listings_of(key)}


def all_told(desk: Desk, *, looked_at: datetime = NOON) -> Desk:
    """Return the desk after the worker did all that waited."""
    told = desk.copy()
    for key, ticket in desk.tickets.items():
        told.waiting[key] = ()
        told.tickets[key] = replace(ticket, external="1", looked_at=looked_at)
    for pair, listing in desk.listings.items():
        told.listings[pair] = replace(listing, noted_failures=listing.failures, checked_failures=listing.failures)
    return told


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


class TestCatalog:
    """A patch that no catalog knew, when the catalog comes to know it."""

    def test_the_unknown_patch_has_a_ticket_of_its_own_kind(self) -> None:
        ticket = only(folded(uncatalogued("a", 1)))

        assert (ticket.matter.kind, ticket.matter.subject) == (Kind.FAILED_UNCATALOGUED, '["","KB5099999"]')

    def test_its_ticket_becomes_the_requirements_own(self) -> None:
        before = all_told(folded(uncatalogued("a", 1)))

        desk = folded(catalogued("a", 2), state_changed("a", State.FAILED, 3), before=before)

        ticket = only(desk)
        [append] = desk.waiting[ticket.key]
        assert (ticket.adopted_by, ticket.failing) == (REQUIREMENT, 1)
        assert append.why.startswith("The catalog knows this patch now: Windows 11 24H2 x64, cumulative.")

    def test_proof_of_the_requirement_resolves_the_adopted_ticket(self) -> None:
        before = all_told(folded(uncatalogued("a", 1), catalogued("a", 2), state_changed("a", State.FAILED, 3)))

        desk = folded(state_changed("a", State.VERIFIED, 4), before=before)

        assert only(desk).state is TicketState.RESOLVED

    def test_two_unknown_patches_of_one_requirement_end_in_one_ticket(self) -> None:
        before = all_told(folded(uncatalogued("a", 1), uncatalogued("b", 1, patch="KB5088888")))

        desk = folded(catalogued("a", 2), catalogued("b", 2, patch="KB5088888"), before=before)

        [kept] = [each for each in desk.tickets.values() if each.state is TicketState.OPEN]
        [merged] = [each for each in desk.tickets.values() if each.state is TicketState.RESOLVED]
        assert listed(desk, kept.key) == {"a": None, "b": None}
        assert listed(desk, merged.key) == {"b": rules.MOVED}
        assert desk.waiting[merged.key][0].why.endswith("it continues in ticket 1.")

    def test_a_requirement_that_has_a_ticket_takes_the_device_over(self) -> None:
        before = all_told(folded(state_changed("c", State.FAILED, 1), uncatalogued("a", 1)))

        desk = folded(catalogued("a", 2), before=before)

        [kept] = [each for each in desk.tickets.values() if each.state is TicketState.OPEN]
        assert (kept.matter.kind, listed(desk, kept.key)) == (Kind.PATCH_FAILED, {"a": None, "c": None})

    def test_the_same_patch_may_be_another_requirement_on_another_device(self) -> None:
        before = all_told(folded(uncatalogued("a", 1), uncatalogued("b", 1)))

        desk = folded(catalogued("a", 2), catalogued("b", 2, requirement=OTHER_REQUIREMENT), before=before)

        by_owner = {each.adopted_by or each.matter.subject: listed(desk, each.key) for each in desk.tickets.values()}
        assert by_owner == {REQUIREMENT: {"a": None, "b": rules.MOVED}, OTHER_REQUIREMENT: {"b": None}}

    def test_a_device_stays_on_the_adopted_ticket_while_its_requirement_fails_there(self) -> None:
        before = all_told(folded(uncatalogued("b", 1), catalogued("b", 2), uncatalogued("a", 1)))
        failed = folded(state_changed("a", State.FAILED, 2), before=before)

        both = folded(catalogued("a", 3, requirement=OTHER_REQUIREMENT), before=failed)
        proven = folded(state_changed("a", State.VERIFIED, 4), before=both)

        listings = [
            {each.adopted_by or each.matter.subject: listed(desk, each.key) for each in desk.tickets.values()}
            for desk in (both, proven)
        ]
        assert listings == [
            {REQUIREMENT: {"a": None, "b": None}, OTHER_REQUIREMENT: {"a": None}},
            {REQUIREMENT: {"a": "VERIFIED", "b": None}, OTHER_REQUIREMENT: {"a": None}},
        ]

    def test_proof_of_the_requirement_is_none_of_a_patch_that_is_unknown_on_that_device(self) -> None:
        before = all_told(folded(uncatalogued("b", 1), catalogued("b", 2), uncatalogued("a", 1)))

        desk = folded(state_changed("a", State.VERIFIED, 2), before=before)

        assert listed(desk, only(desk).key) == {"a": None, "b": None}

    def test_a_device_that_fails_no_longer_is_cleared_from_the_adopted_ticket_too(self) -> None:
        before = all_told(folded(uncatalogued("a", 1), uncatalogued("b", 1), catalogued("a", 2)))

        desk = folded(uncatalogued("b", 2, failing=False), before=before)

        assert listed(desk, only(desk).key) == {"a": None, "b": rules.NO_LONGER_FAILING}

    def test_a_person_closes_the_adopted_ticket_and_both_follow_the_next(self) -> None:
        before = all_told(folded(uncatalogued("a", 1), catalogued("a", 2), uncatalogued("b", 1)))
        failed = folded(failed_again("a", 3, failures=2), before=before)

        closed = rules_fold.closed_by_person(
            failed, only(failed).key, cause=finding(failed_again("a", 3, failures=2)).cause, now=NOON
        )
        desk = folded(uncatalogued("b", 2, failures=2), before=closed)

        [still_open] = [each for each in desk.tickets.values() if each.state is TicketState.OPEN]
        assert listed(desk, still_open.key) == {"a": None, "b": None}

    def test_a_link_that_comes_late_changes_nothing(self) -> None:
        before = folded(uncatalogued("a", 3))

        assert folded(catalogued("a", 2), before=before) == before


STATES = st.sampled_from([*State, State.FAILED, State.FAILED, State.VERIFIED])


@st.composite
def histories(draw: st.DrawFn) -> list[Envelope]:
    """What compliance may say of three devices, interleaved; each device's own events in their order."""
    events: list[Envelope] = []
    sequence = dict.fromkeys("abc", 0)
    failures = dict.fromkeys("abc", 0)
    for _ in range(draw(st.integers(1, 25))):
        device = draw(st.sampled_from("abc"))
        sequence[device] += 1
        match draw(st.sampled_from(["state", "state", "again", "uncatalogued", "catalogued"])):
            case "state":
                state = draw(STATES)
                failures[device] += state is State.FAILED
                release = draw(st.sampled_from(["2026-10", "2026-11"]))
                change = state_changed(device, state, sequence[device], failures=failures[device], release=release)
            case "again":
                failures[device] += 1
                change = failed_again(device, sequence[device], failures=failures[device])
            case "uncatalogued":
                change = uncatalogued(device, sequence[device], failing=draw(st.booleans()))
            case _:
                requirement = draw(st.sampled_from([REQUIREMENT, OTHER_REQUIREMENT]))
                change = catalogued(device, sequence[device], requirement=requirement)
        events.append(change)
    return events


@st.composite
def repeated_histories(draw: st.DrawFn) -> tuple[list[Envelope], list[Envelope]]:
    """A history, and the same one with any event repeated at any later place."""
    history = draw(histories())
    repeated = list(history)
    for _ in range(draw(st.integers(0, 15))):
        index = draw(st.integers(0, len(repeated) - 1))
        repeated.insert(draw(st.integers(index + 1, len(repeated))), repeated[index])
    return history, repeated


@given(repeated_histories())
def test_repetition_changes_nothing(pair: tuple[list[Envelope], list[Envelope]]) -> None:
    history, repeated = pair

    assert folded(*repeated) == folded(*history)


@given(histories(), st.integers(1, 7))
def test_the_size_of_batches_changes_nothing(history: list[Envelope], size: int) -> None:
    desk = Desk()
    for start in range(0, len(history), size):
        desk = folded(*history[start : start + size], before=desk)

    assert desk == folded(*history)


@given(histories())
def test_what_is_counted_is_what_is_listed(history: list[Envelope]) -> None:
    desk = folded(*history)

    for key, ticket in desk.tickets.items():
        assert ticket.failing == list(listed(desk, key).values()).count(None)
        assert (ticket.failing == 0) == (ticket.state is TicketState.RESOLVED)


@given(histories())
def test_a_device_that_failed_last_is_on_an_open_ticket(history: list[Envelope]) -> None:
    desk = folded(*history)

    still_open = {key for key, ticket in desk.tickets.items() if ticket.state is TicketState.OPEN}
    failing = {
        (matter, asset) for (matter, asset), standing in desk.standings.items() if standing.state == State.FAILED
    }
    for matter, asset in failing:
        ticket = desk.newest_ticket(matter)
        assert ticket is not None
        assert ticket.key in still_open
        assert desk.listings[ticket.key, asset].cleared_as is None


@given(histories())
def test_a_matter_never_has_two_open_tickets(history: list[Envelope]) -> None:
    desk = folded(*history)

    of = [ticket.matter for ticket in desk.tickets.values() if ticket.state is TicketState.OPEN]
    assert len(of) == len(set(of))

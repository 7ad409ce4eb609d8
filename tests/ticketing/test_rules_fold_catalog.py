"""A patch that no catalog knew, when the catalog comes to know it: one device may be listed for two reasons."""

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.ticketing import rules, rules_fold
from services.ticketing.records import Kind, TicketState
from tests.builders import NOON
from tests.ticketing.findings import (
    OTHER_REQUIREMENT,
    REQUIREMENT,
    catalogued,
    failed_again,
    finding,
    state_changed,
    uncatalogued,
)
from tests.ticketing.folds import all_told, folded, listed, only


def test_the_unknown_patch_has_a_ticket_of_its_own_kind() -> None:
    ticket = only(folded(uncatalogued("a", 1)))

    assert (ticket.matter.kind, ticket.matter.subject) == (Kind.FAILED_UNCATALOGUED, '["","KB5099999"]')


def test_its_ticket_becomes_the_requirements_own() -> None:
    before = all_told(folded(uncatalogued("a", 1)))

    desk = folded(catalogued("a", 2), state_changed("a", State.FAILED, 3), before=before)

    ticket = only(desk)
    [append] = desk.waiting[ticket.key]
    assert (ticket.adopted_by, ticket.failing) == (REQUIREMENT, 1)
    assert append.why.startswith("The catalog knows this patch now: Windows 11 24H2 x64, cumulative.")


def test_proof_of_the_requirement_resolves_the_adopted_ticket() -> None:
    before = all_told(folded(uncatalogued("a", 1), catalogued("a", 2), state_changed("a", State.FAILED, 3)))

    desk = folded(state_changed("a", State.VERIFIED, 4), before=before)

    assert only(desk).state is TicketState.RESOLVED


def test_two_unknown_patches_of_one_requirement_end_in_one_ticket() -> None:
    before = all_told(folded(uncatalogued("a", 1), uncatalogued("b", 1, patch="KB5088888")))

    desk = folded(catalogued("a", 2), catalogued("b", 2, patch="KB5088888"), before=before)

    [kept] = [each for each in desk.tickets.values() if each.state is TicketState.OPEN]
    [merged] = [each for each in desk.tickets.values() if each.state is TicketState.RESOLVED]
    assert listed(desk, kept.key) == {"a": None, "b": None}
    assert listed(desk, merged.key) == {"b": rules.MOVED}
    assert desk.waiting[merged.key][0].why.endswith("it continues in ticket 1.")


def test_a_requirement_that_has_a_ticket_takes_the_device_over() -> None:
    before = all_told(folded(state_changed("c", State.FAILED, 1), uncatalogued("a", 1)))

    desk = folded(catalogued("a", 2), before=before)

    [kept] = [each for each in desk.tickets.values() if each.state is TicketState.OPEN]
    assert (kept.matter.kind, listed(desk, kept.key)) == (Kind.PATCH_FAILED, {"a": None, "c": None})


def test_the_same_patch_may_be_another_requirement_on_another_device() -> None:
    before = all_told(folded(uncatalogued("a", 1), uncatalogued("b", 1)))

    desk = folded(catalogued("a", 2), catalogued("b", 2, requirement=OTHER_REQUIREMENT), before=before)

    by_owner = {each.adopted_by or each.matter.subject: listed(desk, each.key) for each in desk.tickets.values()}
    assert by_owner == {REQUIREMENT: {"a": None, "b": rules.MOVED}, OTHER_REQUIREMENT: {"b": None}}


def test_a_device_stays_on_the_adopted_ticket_while_its_requirement_fails_there() -> None:
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


def test_proof_of_the_requirement_is_none_of_a_patch_that_is_unknown_on_that_device() -> None:
    before = all_told(folded(uncatalogued("b", 1), catalogued("b", 2), uncatalogued("a", 1)))

    desk = folded(state_changed("a", State.VERIFIED, 2), before=before)

    assert listed(desk, only(desk).key) == {"a": None, "b": None}


def test_a_device_that_fails_no_longer_is_cleared_from_the_adopted_ticket_too() -> None:
    before = all_told(folded(uncatalogued("a", 1), uncatalogued("b", 1), catalogued("a", 2)))

    desk = folded(uncatalogued("b", 2, failing=False), before=before)

    assert listed(desk, only(desk).key) == {"a": None, "b": rules.NO_LONGER_FAILING}


def test_a_person_closes_the_adopted_ticket_and_both_follow_the_next() -> None:
    before = all_told(folded(uncatalogued("a", 1), catalogued("a", 2), uncatalogued("b", 1)))
    failed = folded(failed_again("a", 3, failures=2), before=before)

    closed = rules_fold.closed_by_person(
        failed, only(failed).key, cause=finding(failed_again("a", 3, failures=2)).cause, now=NOON
    )
    desk = folded(uncatalogued("b", 2, failures=2), before=closed)

    [still_open] = [each for each in desk.tickets.values() if each.state is TicketState.OPEN]
    assert listed(desk, still_open.key) == {"a": None, "b": None}


def test_a_link_that_comes_late_changes_nothing() -> None:
    before = folded(uncatalogued("a", 3))

    assert folded(catalogued("a", 2), before=before) == before


A_FAILS = state_changed("a", State.FAILED, 2)
A_IS_PROVEN = state_changed("a", State.VERIFIED, 3)
THE_PATCH_ENDED = uncatalogued("a", 4, failing=False)
OPENED_AGAIN = [
    pytest.param([], [], None, id="nothing came"),
    pytest.param([], [THE_PATCH_ENDED], "NO_LONGER_FAILING", id="the patch ended, nothing else was said"),
    pytest.param([], [A_IS_PROVEN], None, id="the end of the requirement is none of the patch"),
    pytest.param([A_FAILS], [A_IS_PROVEN], None, id="the requirement ended, the patch is still unknown"),
    pytest.param([A_FAILS], [THE_PATCH_ENDED], None, id="the requirement still fails"),
    pytest.param([A_FAILS], [A_IS_PROVEN, THE_PATCH_ENDED], "VERIFIED", id="both ended"),
    pytest.param([], [catalogued("a", 2)], None, id="it goes on as the requirement"),
    pytest.param([], [catalogued("a", 2), A_IS_PROVEN], "VERIFIED", id="it went on as the requirement and ended"),
]


@pytest.mark.parametrize(("while_open", "while_closed", "cleared_as"), OPENED_AGAIN)
def test_a_person_opens_the_adopted_ticket_again(
    while_open: list[Envelope], while_closed: list[Envelope], cleared_as: str | None
) -> None:
    cause = finding(state_changed("b", State.FAILED, 1)).cause
    before = all_told(folded(uncatalogued("b", 1), catalogued("b", 2), uncatalogued("a", 1), *while_open))
    key = only(before).key
    closed = folded(*while_closed, before=rules_fold.closed_by_person(before, key, cause=cause, now=NOON))

    desk = rules_fold.reopened_by_person(closed, key, cause=cause, now=NOON)

    assert listed(desk, key) == {"a": cleared_as, "b": None}
    assert only(desk).state is TicketState.OPEN

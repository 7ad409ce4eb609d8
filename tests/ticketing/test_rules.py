"""One finding and one ticket: every pair of states, and the counts that are worth a note."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.ticketing import rules
from services.ticketing.records import Label, Listing, TicketState
from services.ticketing.rules import Move, Verdict, is_worth_a_note, move
from tests.builders import NOON
from tests.ticketing.findings import finding, state_changed, uncatalogued

OPEN, RESOLVED, CLOSED = TicketState.OPEN, TicketState.RESOLVED, TicketState.CLOSED


def listing(cleared_as: str | None = None, *, release: str | None = "2026-11", noted: int | None = 1) -> Listing:
    return Listing(
        label=Label(source="rmm/x/y", device="a"),
        failures=1,
        listed_at=NOON,
        release=release,
        cleared_as=cleared_as,
        noted_failures=noted,
    )


FAILING = listing()
VERIFIED = listing("VERIFIED")
VERIFIED_LAST_MONTH = listing("VERIFIED", release="2026-10")
RETIRED = listing("RETIRED")

TABLE = [
    # no ticket yet
    (None, None, State.FAILED, Move.OPEN),
    (None, None, State.VERIFIED, Move.NOTHING),
    (None, None, State.MISSING_OVERDUE, Move.NOTHING),
    (None, None, State.CONTRADICTED, Move.NOTHING),
    (None, None, State.RETIRED, Move.NOTHING),
    # an open ticket that does not list the device
    (OPEN, None, State.FAILED, Move.LIST),
    (OPEN, None, State.VERIFIED, Move.NOTHING),
    (OPEN, None, State.MISSING_OVERDUE, Move.NOTHING),
    (OPEN, None, State.STALE, Move.NOTHING),
    # an open ticket that lists the device
    (OPEN, FAILING, State.FAILED, Move.COUNT),
    (OPEN, FAILING, State.VERIFIED, Move.CLEAR),
    (OPEN, FAILING, State.EXCEPTED, Move.CLEAR),
    (OPEN, FAILING, State.NOT_APPLICABLE, Move.CLEAR),
    (OPEN, FAILING, State.OUT_OF_SCOPE, Move.CLEAR),
    (OPEN, FAILING, State.RETIRED, Move.CLEAR),
    (OPEN, FAILING, State.REPORTED_UNVERIFIED, Move.NOTHING),
    (OPEN, FAILING, State.PENDING_REBOOT, Move.NOTHING),
    (OPEN, FAILING, State.MISSING_IN_SLA, Move.NOTHING),
    (OPEN, FAILING, State.MISSING_OVERDUE, Move.NOTHING),
    (OPEN, FAILING, State.CONTRADICTED, Move.NOTHING),
    (OPEN, FAILING, State.STALE, Move.NOTHING),
    (OPEN, FAILING, State.UNKNOWN, Move.NOTHING),
    # an open ticket on which the device was cleared
    (OPEN, VERIFIED, State.VERIFIED, Move.NOTHING),
    (OPEN, VERIFIED, State.FAILED, Move.LIST),
    (OPEN, VERIFIED, State.MISSING_OVERDUE, Move.LIST),
    (OPEN, VERIFIED, State.STALE, Move.NOTHING),
    (OPEN, VERIFIED_LAST_MONTH, State.MISSING_IN_SLA, Move.NOTHING),
    (OPEN, VERIFIED_LAST_MONTH, State.FAILED, Move.LIST),
    (OPEN, RETIRED, State.FAILED, Move.LIST),
    (OPEN, RETIRED, State.MISSING_OVERDUE, Move.NOTHING),
    # a ticket that we resolved
    (RESOLVED, VERIFIED, State.FAILED, Move.REOPEN),
    (RESOLVED, VERIFIED, State.MISSING_IN_SLA, Move.REOPEN),
    (RESOLVED, VERIFIED, State.MISSING_OVERDUE, Move.REOPEN),
    (RESOLVED, VERIFIED, State.REPORTED_UNVERIFIED, Move.REOPEN),
    (RESOLVED, VERIFIED, State.PENDING_REBOOT, Move.REOPEN),
    (RESOLVED, VERIFIED, State.CONTRADICTED, Move.REOPEN),
    (RESOLVED, VERIFIED, State.STALE, Move.NOTHING),
    (RESOLVED, VERIFIED, State.UNKNOWN, Move.NOTHING),
    (RESOLVED, VERIFIED, State.EXCEPTED, Move.NOTHING),
    (RESOLVED, VERIFIED, State.RETIRED, Move.NOTHING),
    (RESOLVED, VERIFIED, State.VERIFIED, Move.NOTHING),
    (RESOLVED, VERIFIED_LAST_MONTH, State.MISSING_IN_SLA, Move.NOTHING),
    (RESOLVED, VERIFIED_LAST_MONTH, State.FAILED, Move.OPEN),
    (RESOLVED, RETIRED, State.FAILED, Move.OPEN),
    (RESOLVED, RETIRED, State.MISSING_OVERDUE, Move.NOTHING),
    (RESOLVED, None, State.FAILED, Move.OPEN),
    (RESOLVED, None, State.MISSING_OVERDUE, Move.NOTHING),
    # a ticket that a person closed
    (CLOSED, FAILING, State.FAILED, Move.OPEN),
    (CLOSED, FAILING, State.VERIFIED, Move.NOTHING),
    (CLOSED, VERIFIED, State.FAILED, Move.OPEN),
    (CLOSED, VERIFIED, State.MISSING_OVERDUE, Move.NOTHING),
    (CLOSED, None, State.FAILED, Move.OPEN),
]


def name(ticket: TicketState | None, listed: Listing | None, state: State) -> str:
    on = "not listed" if listed is None else listed.cleared_as or "failing"
    month = "" if listed is None or listed.release == "2026-11" else " last month"
    return f"{ticket.value if ticket else 'no'} ticket, {on}{month}, {state.value}"


@pytest.mark.parametrize(
    ("ticket", "listed", "state", "expected"), [pytest.param(*row, id=name(*row[:3])) for row in TABLE]
)
def test_a_finding_does_to_a_ticket(
    ticket: TicketState | None, listed: Listing | None, state: State, expected: Move
) -> None:
    assert move(ticket, listed, finding(state_changed("a", state, 1))) is expected


@pytest.mark.parametrize(
    ("ticket", "listed", "failing", "expected"),
    [
        pytest.param(None, None, True, Move.OPEN, id="a patch that no catalog knows opens a ticket too"),
        pytest.param(OPEN, listing(release=None), False, Move.CLEAR, id="it fails no longer"),
        pytest.param(
            RESOLVED, listing(rules.NO_LONGER_FAILING, release=None), True, Move.REOPEN, id="it fails after all"
        ),
        pytest.param(CLOSED, listing(release=None), True, Move.OPEN, id="a person closed it"),
    ],
)
def test_an_uncatalogued_patch_does_to_a_ticket(
    ticket: TicketState | None, listed: Listing | None, expected: Move, *, failing: bool
) -> None:
    assert move(ticket, listed, finding(uncatalogued("a", 1, failing=failing))) is expected


def test_every_state_has_a_verdict_and_only_proof_or_leaving_clears() -> None:
    clears = {state for state, verdict in rules.VERDICTS.items() if verdict in {Verdict.PROVEN, Verdict.GONE}}

    assert set(rules.VERDICTS) == set(State)
    assert clears == {State.VERIFIED, State.EXCEPTED} | OUTSIDE_POPULATION


@pytest.mark.parametrize(
    ("noted", "failures", "worth"),
    [
        (0, 1, False),
        (1, 2, False),
        (1, 3, True),
        (3, 9, False),
        (3, 10, True),
        (10, 29, False),
        (10, 30, True),
        (30, 100, True),
        (100, 299, False),
        (100, 300, True),
        (1, 100_000, True),
        (100_000, 100_001, False),
    ],
)
def test_a_count_is_worth_a_note_at_thresholds(noted: int, failures: int, *, worth: bool) -> None:
    assert is_worth_a_note(noted, failures) is worth


def test_a_hundred_thousand_failures_of_one_device_make_ten_notes() -> None:
    noted, notes = 1, []
    for failures in range(2, 100_001):
        if is_worth_a_note(noted, failures):
            noted = failures
            notes.append(failures)

    assert notes == [3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000]


@given(noted=st.integers(0, 10**6), failures=st.integers(0, 10**6))
def test_a_count_that_did_not_grow_is_never_worth_a_note(noted: int, failures: int) -> None:
    assert not (failures <= noted and is_worth_a_note(noted, failures))


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param(listing(noted=None), True, id="never told"),
        pytest.param(listing(noted=1), True, id="failed since it was last seen open"),
        pytest.param(
            Listing(label=FAILING.label, failures=2, listed_at=NOON, noted_failures=1, checked_failures=2),
            False,
            id="nothing since",
        ),
        pytest.param(listing("VERIFIED", noted=None), False, id="cleared"),
    ],
)
def test_news_is_what_failed_since_the_ticket_was_seen_open(listed: Listing, *, expected: bool) -> None:
    assert rules.has_news(listed) is expected

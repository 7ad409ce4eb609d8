"""What is worth reading a ticket again for, and what a person did to it: tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.psa import TicketChange, TicketTold
from services.ticketing import rules_hints
from services.ticketing.records import TicketState
from services.ticketing.rules_hints import Finding, Known, Shown
from tests.builders import ACME

KEY = "pl-patch_failed-7254fa23-1241-5de0-b12a-3f282902621c-g1"
OPEN, RESOLVED, CLOSED = TicketState.OPEN, TicketState.RESOLVED, TicketState.CLOSED
C = TicketChange


@pytest.mark.parametrize(
    ("state", "change", "by", "key", "expected"),
    [
        pytest.param(OPEN, C.CLOSED, "jordan", KEY, True, id="a person closed it"),
        pytest.param(OPEN, C.CLOSED, None, None, True, id="somebody closed it"),
        pytest.param(OPEN, C.CLOSED, "patchline", KEY, False, id="we did"),
        pytest.param(RESOLVED, C.CLOSED, None, KEY, False, id="it is closed, as we know"),
        pytest.param(CLOSED, C.REOPENED, "jordan", KEY, True, id="opened again"),
        pytest.param(OPEN, C.REOPENED, None, KEY, False, id="it is open, as we know"),
        pytest.param(OPEN, C.NOTED, "jordan", KEY, True, id="a note"),
        pytest.param(OPEN, C.NOTED, "patchline", KEY, False, id="our note"),
        pytest.param(OPEN, C.CREATED, "jordan", KEY, False, id="made: by us, whatever is said"),
        pytest.param(OPEN, C.CHANGED, None, None, True, id="something"),
        pytest.param(OPEN, C.DELETED, "jordan", KEY, True, id="deleted"),
        pytest.param(OPEN, C.CLOSED, "jordan", f"{KEY}0", False, id="another ticket of another system"),
    ],
)
def test_what_a_ticket_is_read_again_for(
    state: TicketState, change: TicketChange, by: str | None, key: str | None, *, expected: bool
) -> None:
    told = TicketTold(number="7", change=change, key=key, by=by)

    assert rules_hints.is_news(Known(KEY, ACME, state), told, {"patchline"}) is expected


def shown(*, is_open: bool, last: str | None = "append") -> Shown:
    return Shown(is_open=is_open, last_act=last)


SHUT, UP = shown(is_open=False), shown(is_open=True)
RESOLVED_LAST, OPEN_AFTER_RESOLVE = shown(is_open=False, last="resolve"), shown(is_open=True, last="resolve")


@pytest.mark.parametrize(
    ("state", "seen", "told", "busy", "settled", "expected"),
    [
        pytest.param(OPEN, SHUT, {C.CLOSED}, False, False, Finding.CLOSED, id="closed"),
        pytest.param(OPEN, SHUT, {C.CHANGED}, False, True, Finding.CLOSED, id="closed, told as a change"),
        pytest.param(OPEN, RESOLVED_LAST, {C.CLOSED}, False, True, Finding.NOTHING, id="an older database"),
        pytest.param(OPEN, SHUT, {C.CLOSED}, True, True, Finding.LATER, id="closed while we act"),
        pytest.param(OPEN, UP, {C.CLOSED}, False, False, Finding.LATER, id="told before it was committed"),
        pytest.param(OPEN, UP, {C.CLOSED}, False, True, Finding.NOTHING, id="told, and never shown"),
        pytest.param(OPEN, UP, {C.NOTED}, False, False, Finding.NOTHING, id="open, as it should be"),
        pytest.param(RESOLVED, OPEN_AFTER_RESOLVE, {C.REOPENED}, False, False, Finding.REOPENED, id="opened again"),
        pytest.param(RESOLVED, UP, {C.REOPENED}, False, True, Finding.NOTHING, id="our resolving does not show there"),
        pytest.param(RESOLVED, OPEN_AFTER_RESOLVE, {C.CHANGED}, True, True, Finding.LATER, id="about to resolve"),
        pytest.param(CLOSED, UP, {C.REOPENED}, False, False, Finding.REOPENED, id="a person's closing taken back"),
        pytest.param(CLOSED, SHUT, {C.REOPENED}, False, False, Finding.LATER, id="told before it shows"),
        pytest.param(CLOSED, SHUT, {C.NOTED}, False, False, Finding.NOTHING, id="a note on a closed one"),
    ],
)
def test_what_a_person_did(
    state: TicketState, seen: Shown, told: set[TicketChange], *, busy: bool, settled: bool, expected: Finding
) -> None:
    assert rules_hints.finding(state, seen, told, is_busy=busy, is_settled=settled) is expected


SEEN = st.builds(Shown, is_open=st.booleans(), last_act=st.sampled_from(["open", "append", "resolve", "reopen", None]))


@given(
    state=st.sampled_from(TicketState),
    seen=SEEN,
    told=st.sets(st.sampled_from(TicketChange)),
    is_settled=st.booleans(),
)
def test_whatever_is_told_only_what_the_ticket_shows_is_believed(
    state: TicketState, seen: Shown, told: set[TicketChange], *, is_settled: bool
) -> None:
    found = rules_hints.finding(state, seen, told, is_busy=False, is_settled=is_settled)
    untold = rules_hints.finding(state, seen, {C.CHANGED}, is_busy=False, is_settled=True)

    assert found in {untold, Finding.LATER}
    assert found is not Finding.CLOSED or not seen.is_open
    assert found is not Finding.REOPENED or seen.is_open
    assert found is not Finding.LATER or not is_settled


@pytest.mark.parametrize(
    ("marker", "act"),
    [
        (f"{KEY}/3/resolve/0b5c3a52-6f9e-5c0b-8a50-3d2a1a7d2b11", "resolve"),
        (f"{KEY}/3", None),
        (None, None),
    ],
)
def test_which_act_a_note_of_ours_is_of(marker: str | None, act: str | None) -> None:
    assert rules_hints.act_of(marker) == act


@pytest.mark.parametrize(
    ("acts", "busy"),
    [
        ([], False),
        ([("append", "pending")], False),
        ([("append", "leased")], True),
        ([("append", "uncertain")], True),
        ([("resolve", "pending")], True),
        ([("reopen", "pending")], True),
        ([("append", "parked")], False),
    ],
)
def test_whether_an_act_of_ours_may_be_what_is_seen(acts: list[tuple[str, str]], *, busy: bool) -> None:
    assert rules_hints.is_busy(acts) is busy

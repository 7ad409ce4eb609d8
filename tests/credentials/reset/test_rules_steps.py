"""What comes next in a case, whom a batch lets through, and what shows that a step has happened."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.credential import CaseStep, Decision
from services.credentials.cases.records import Case, Rule, StepState, Strength
from services.credentials.reset.rules_steps import (
    WHOLE,
    Due,
    batch_is_full,
    fair_turns,
    is_to_be_decided_anew,
    let_through,
    next_step,
    overtaken,
    route,
    shown_change,
    shows_reset,
    watch_again,
)
from tests.builders import ACME, BIRCH, HOUR, NOON
from tests.credentials.cases.test_rules_fold import VERDICT, case
from tests.credentials.directories import account

DONE, PENDING, PASSED = StepState.DONE, StepState.PENDING, StepState.PASSED
T, I, R, B, N, V, C = WHOLE  # noqa: E741 - the steps by their first letters


def decided(decision: Decision, rule: Rule = Rule.ALLOWED, **changes: object) -> Case:
    return case(verdict=replace(VERDICT, decision=decision, rule=rule), **changes)


@pytest.mark.parametrize(
    ("of", "steps"),
    [
        pytest.param(decided(Decision.RESET), WHOLE, id="a reset"),
        pytest.param(decided(Decision.ASK), WHOLE, id="a reset that people must agree to"),
        pytest.param(decided(Decision.NOTIFY), (T, N, V, C), id="people do it"),
        pytest.param(decided(Decision.REFUSE, Rule.PROTECTED_KIND), (T, N, V, C), id="never by machine"),
        pytest.param(decided(Decision.REFUSE, Rule.FOREIGN), (T, V, C), id="nobody of the client's: nobody is told"),
        pytest.param(decided(Decision.RESET, dry_run=True), (T, V, C), id="a dry run does nothing"),
        pytest.param(decided(Decision.REMEDIATED), (C,), id="over before it began"),
        pytest.param(decided(Decision.NOTIFY, reset_at=NOON), WHOLE, id="what was begun is brought to its end"),
    ],
)
def test_the_way_of_a_case(of: Case, steps: tuple[CaseStep, ...]) -> None:
    assert route(of) == steps


@pytest.mark.parametrize(
    ("of", "steps", "expected"),
    [
        pytest.param(decided(Decision.RESET), {}, T, id="first the ticket"),
        pytest.param(decided(Decision.RESET), {T: PASSED}, I, id="without waiting for it for ever"),
        pytest.param(decided(Decision.RESET), {T: DONE, I: DONE, R: PENDING}, R, id="the one that waits"),
        pytest.param(decided(Decision.NOTIFY), {T: DONE, N: DONE}, V, id="a person's turn"),
        pytest.param(decided(Decision.RESET), {T: DONE, N: DONE, V: PENDING}, I, id="a breaker was armed again"),
        pytest.param(decided(Decision.RESET), dict.fromkeys(WHOLE, DONE), None, id="over"),
    ],
)
def test_the_next_step(of: Case, steps: dict[CaseStep, StepState], expected: CaseStep | None) -> None:
    assert next_step(of, steps) is expected


def test_steps_that_wait_are_overtaken_by_another_decision() -> None:
    assert overtaken(decided(Decision.NOTIFY), {T: DONE, I: PENDING}) == (I,)
    assert overtaken(decided(Decision.RESET), {T: DONE, N: DONE, V: PENDING}) == (V,)


@pytest.mark.parametrize(
    ("verified", "most"),
    [pytest.param(0, 1, id="first one"), (1, 6), (5, 6), pytest.param(6, None, id="then the rest"), (60, None)],
)
def test_a_batch_grows_when_the_one_before_is_verified(verified: int, most: int | None) -> None:
    assert let_through(verified, (1, 5)) == most


@given(st.integers(0, 50), st.integers(0, 50))
def test_nobody_is_reset_beyond_the_batch(begun: int, verified: int) -> None:
    verified = min(begun, verified)

    assert batch_is_full(begun=begun, verified=verified, batches=(1, 5)) == (
        begun >= 1 if verified < 1 else begun >= 6 if verified < 6 else False
    )


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(decided(Decision.NOTIFY, Rule.BREAKER), True, id="a breaker may be armed again"),
        pytest.param(decided(Decision.NOTIFY, Rule.NOT_ALLOWED), False, id="the client does not allow it"),
        pytest.param(decided(Decision.NOTIFY, Rule.NOT_ALLOWED, retry_at=NOON), True, id="a person asked"),
        pytest.param(decided(Decision.NOTIFY, Rule.WEAK), True, id="the evidence grew"),
        pytest.param(decided(Decision.NOTIFY, Rule.BREAKER, reset_at=NOON), False, id="it was reset"),
    ],
)
def test_when_a_case_that_waits_is_decided_anew(of: Case, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_to_be_decided_anew(of) is expected


def test_a_reset_is_shown_by_a_later_change_alone() -> None:
    shown = account("ann", password_changed_at=NOON)

    assert shows_reset(NOON - HOUR, shown) is True
    assert shows_reset(None, shown) is True
    assert shows_reset(NOON, shown) is False
    assert shows_reset(NOON, account("ann", password_changed_at=None)) is None


def at(change: datetime | None, sessions: datetime | None = None) -> datetime | None:
    of = case(evidence=replace(case().evidence, at=NOON, session=True, strength=Strength.REAL))
    return shown_change(of, account("ann", password_changed_at=change, sessions_valid_from=sessions))


def test_a_persons_change_is_shown_by_password_and_sessions() -> None:
    assert at(NOON + HOUR) == NOON + HOUR
    assert at(NOON + HOUR, NOON + HOUR) == NOON + HOUR
    assert at(NOON + HOUR, NOON - HOUR) is None
    assert at(NOON) is None
    assert at(None) is None


def test_one_clients_storm_does_not_delay_anothers_case() -> None:
    storm = [Due(ACME, uuid5(ACME, str(number)), I) for number in range(50)]
    other = Due(BIRCH, uuid5(BIRCH, "one"), I)

    turns = fair_turns([*storm, other], served={ACME: 1}, busy={ACME: 1}, slots=4, most_per_tenant=2)

    assert turns[0] == other
    assert len(turns) == 2


def test_a_step_that_waits_for_people_is_looked_at_less_and_less_often() -> None:
    assert watch_again(NOON, NOON) == timedelta(seconds=2)
    assert watch_again(NOON, NOON + HOUR) == timedelta(minutes=3)
    assert watch_again(NOON, NOON + 24 * HOUR) == timedelta(minutes=5)

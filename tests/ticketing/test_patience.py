"""Whom the worker leaves alone, and for how long, after a failure."""

import time
from uuid import UUID

import pytest

from chassis.http import BreakerOpen, OutOfTime, Unavailable
from services.ticketing.adapters.tracker import ChangedMeanwhile
from services.ticketing.patience import Patience
from tests.builders import ACME, BIRCH


def met(error: Exception, seconds: float = 30, tenant: UUID = ACME) -> Patience:
    patience = Patience()
    patience.met(error, tenant, seconds)
    return patience


def test_whoever_asks_to_be_left_alone_is_left_alone_by_everyone() -> None:
    patience = met(Unavailable("429", retry_after_seconds=0.05, limited=True), 0.05)
    was_over = patience.is_over

    time.sleep(0.06)

    assert (was_over, patience.is_over) == (False, True)
    assert patience.slots(8) == 1
    patience.succeeded(BIRCH)
    assert patience.slots(8) == 8


def test_an_open_breaker_keeps_its_own_client_away_and_nobody_else() -> None:
    patience = met(BreakerOpen("open", retry_after_seconds=0.05), 0.05)
    while_open = dict(patience.fewer())
    time.sleep(0.06)

    assert (while_open, dict(patience.fewer())) == ({ACME: 0}, {ACME: 1})
    assert (patience.is_over, patience.slots(8)) == (True, 8)


@pytest.mark.parametrize("error", [Unavailable("500", ambiguous=True), TimeoutError(), OutOfTime("late")])
def test_a_client_whose_act_failed_tries_one_at_a_time_until_one_succeeds(error: Exception) -> None:
    patience = met(error)
    assert dict(patience.fewer()) == {ACME: 1}
    assert patience.slots(8) == 8

    patience.succeeded(ACME)

    assert dict(patience.fewer()) == {}


@pytest.mark.parametrize("error", [ChangedMeanwhile("a person"), OSError("the database")])
def test_what_is_not_the_trackers_fault_changes_nothing(error: Exception) -> None:
    patience = met(error)

    assert (dict(patience.fewer()), patience.is_over) == ({}, True)


def test_a_later_failure_does_not_shorten_an_open_breakers_pause() -> None:
    patience = met(BreakerOpen("open", retry_after_seconds=30))
    patience.met(Unavailable("500"), ACME, 1)
    patience.met(BreakerOpen("open", retry_after_seconds=1), ACME, 0)

    assert dict(patience.fewer()) == {ACME: 0}

"""Windows that pass unused: counted in a row, told with a ticket on the n-th, made up for without a surprise."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.events.monitor import MissedBecause
from services.compliance.monitors.rules_windows import (
    NONE_MISSED,
    Misses,
    Passed,
    after,
    because,
    catch_up,
    caught_up,
    to_judge_after,
    to_judge_first,
)
from services.compliance.policies.parts import MissedWindow
from tests.compliance.monitors.agreeing import agreement

SUNDAY = datetime(2025, 1, 19, 7, tzinfo=UTC)
WEEK, LENGTH = timedelta(days=7), timedelta(hours=4)
RULE = MissedWindow(ticket_after=2)


def passed(week: int = 0, *, due: int = 1, acted: bool = False, heard: bool = False) -> Passed:
    start = SUNDAY + week * WEEK
    return Passed(starts_at=start, ends_at=start + LENGTH, due=due, acted=acted, heard=heard)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (passed(), MissedBecause.SILENT),
        (passed(heard=True), MissedBecause.IDLE),
        (passed(heard=True, acted=True), None),
        (passed(due=0), None),
    ],
    ids=["away", "there but idle", "used", "nothing due"],
)
def test_a_window_is_missed_when_something_was_due_and_nothing_was_done(
    window: Passed, expected: MissedBecause | None
) -> None:
    assert because(window) is expected


def test_the_second_miss_in_a_row_asks_for_a_ticket() -> None:
    first = after(NONE_MISSED, passed(0), RULE)
    second = after(first, passed(1), RULE)

    assert [(each.misses, each.ticket) for each in (first, second)] == [(1, False), (2, True)]


def test_a_window_that_was_used_begins_the_count_anew() -> None:
    used = after(after(NONE_MISSED, passed(0), RULE), passed(1, acted=True, heard=True), RULE)

    assert (used.misses, used.ticket) == (0, False)
    assert after(used, passed(2), RULE).misses == 1


def test_a_window_counts_once_however_often_it_is_judged() -> None:
    once = after(NONE_MISSED, passed(1), RULE)

    assert after(once, passed(1), RULE) == once
    assert after(once, passed(0), RULE) == once


def test_whoever_caught_up_has_missed_none() -> None:
    missed = after(NONE_MISSED, passed(0), MissedWindow(ticket_after=1))

    assert caught_up(missed) == Misses(starts_at=SUNDAY, ends_at=SUNDAY + LENGTH)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (MissedWindow(), "waits for its next window: 2025-01-26 07:00Z"),
        (MissedWindow(catch_up="run_without_reboot"), "restarts in its next window"),
        (MissedWindow(catch_up="run_and_reboot", run_and_reboot_accepted_by="Nora West"), "Nora West agreed"),
    ],
    ids=["wait", "patch, no restart", "restart, by name"],
)
def test_what_may_be_done_before_the_next_window_is_told(rule: MissedWindow, words: str) -> None:
    assert words in catch_up(rule, SUNDAY + WEEK)


def test_every_occurrence_is_judged_once_in_turn() -> None:
    rule = agreement().windows["servers-sunday"]
    first = to_judge_first(rule, SUNDAY + timedelta(hours=1))
    assert first is not None

    following = to_judge_after(rule, first.start)

    assert (first.start, following and following.start) == (SUNDAY, SUNDAY + WEEK)


def test_an_empty_window_is_used_by_nobody() -> None:
    found = agreement()

    assert "never" not in found.windows
    assert found.used_windows == {"servers-sunday"}

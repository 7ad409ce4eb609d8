"""When a directory is read next, and which reading is not believed."""

from datetime import timedelta

import pytest

from services.credentials.directory import rules_sync
from tests.builders import MINUTE, NOON

EVERY = 15 * MINUTE


def test_a_directory_is_read_at_least_so_often() -> None:
    assert {rules_sync.after_success(NOON, EVERY, chance) <= NOON + EVERY for chance in (0.0, 0.5, 0.99)} == {True}


@pytest.mark.parametrize(
    ("failures", "retry_after", "wait"),
    [
        pytest.param(1, None, timedelta(seconds=30), id="soon after the first failure"),
        pytest.param(3, None, timedelta(minutes=2), id="doubled each time"),
        pytest.param(60, None, EVERY, id="never rarer than usual"),
        pytest.param(1, 600.0, timedelta(minutes=10), id="not before the directory says"),
    ],
)
def test_the_wait_after_failures(failures: int, retry_after: float | None, wait: timedelta) -> None:
    again = rules_sync.after_failure(NOON, EVERY, failures=failures, retry_after_seconds=retry_after, chance=0.0)

    assert again == NOON + wait


@pytest.mark.parametrize(
    ("known", "seen", "believed"),
    [
        pytest.param(0, 0, True, id="the first reading"),
        pytest.param(19, 0, True, id="few accounts may all leave"),
        pytest.param(20, 14, True, id="three in ten may leave"),
        pytest.param(20, 13, False, id="more may not"),
        pytest.param(500, 3, False, id="nearly all are gone"),
        pytest.param(500, 500, True, id="nobody left"),
    ],
)
def test_which_reading_is_believed(known: int, seen: int, *, believed: bool) -> None:
    assert (rules_sync.doubt(known=known, seen=seen) is None) is believed

"""How an exception stands at a moment, and how old it is."""

from datetime import timedelta
from typing import Any

import pytest

from services.compliance.exceptions.records import Chapter
from services.compliance.exceptions.rules_registers import Course, age_days, standing
from tests.builders import NOON

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def course(**changes: Any) -> Course:
    """Return one that holds for thirty days from noon."""
    ordinary: dict[str, Any] = {
        "until": NOON + 30 * DAY,
        "holds_from": NOON,
        "revoked_at": None,
        "has_ticket": True,
        "chapters": frozenset({Chapter.REQUESTED, Chapter.GRANTED}),
    }
    return Course(**{**ordinary, **changes})


@pytest.mark.parametrize(
    ("changes", "after", "expected"),
    [
        ({}, -SECOND, "begins later"),
        ({}, timedelta(0), "in force"),
        ({"chapters": {Chapter.EXPIRING}}, 20 * DAY, "ends soon"),
        ({}, 30 * DAY - SECOND, "in force"),
        ({}, 30 * DAY, "expired"),
        ({"revoked_at": NOON + DAY}, DAY, "revoked"),
        ({"revoked_at": NOON + DAY}, DAY - SECOND, "in force"),
        ({"holds_from": None, "has_ticket": False}, DAY, "waits for ticket"),
        ({"holds_from": None}, DAY, "waits for signature"),
        ({"holds_from": None, "chapters": {Chapter.REFUSED}}, DAY, "refused"),
        ({"holds_from": None, "chapters": {Chapter.LAPSED}}, 31 * DAY, "lapsed"),
        ({"holds_from": None}, 30 * DAY, "lapsed"),
    ],
)
def test_how_it_stands(changes: dict[str, Any], after: timedelta, expected: str) -> None:
    assert standing(course(**changes), NOON + after) == expected


@pytest.mark.parametrize(
    ("changes", "after", "expected"),
    [
        ({}, 12 * DAY, 12.0),
        ({}, 90 * DAY, 30.0),
        ({"revoked_at": NOON + 2.5 * DAY}, 9 * DAY, 2.5),
        ({"holds_from": None}, 9 * DAY, None),
        ({}, -DAY, None),
    ],
    ids=["running", "ended", "revoked", "never", "not yet"],
)
def test_its_age_ends_with_it(changes: dict[str, Any], after: timedelta, expected: float | None) -> None:
    assert age_days(course(**changes), NOON + after) == expected

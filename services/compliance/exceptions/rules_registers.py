"""The registers: how each exception stands at a moment, how old it is, and what is done instead. Pure.

Source: playbook step 1 (number of active exceptions, age and duration of deferred patches), steps 3 and 6 (registers).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.compliance.exceptions.records import Chapter

A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of one request. `holds_from` `None`: nobody signed it."""

    until: datetime
    holds_from: datetime | None
    revoked_at: datetime | None
    has_ticket: bool
    chapters: Collection[Chapter]


def standing(course: Course, now: datetime) -> str:
    """Return how it stands at `now`, in one word or two."""
    if course.revoked_at is not None and course.revoked_at <= now:
        return "revoked"
    if course.holds_from is not None:
        if course.until <= now:
            return "expired"
        if now < course.holds_from:
            return "begins later"
        return "ends soon" if Chapter.EXPIRING in course.chapters else "in force"
    if Chapter.REFUSED in course.chapters:
        return "refused"
    if Chapter.LAPSED in course.chapters or course.until <= now:
        return "lapsed"
    return "waits for signature" if course.has_ticket else "waits for ticket"


ACTIVE: Final = frozenset({"in force", "ends soon"})
OPEN: Final = ACTIVE | {"begins later", "waits for signature", "waits for ticket"}


def days(duration: timedelta) -> float:
    """Return a duration in days, to one decimal; 24 hours each."""
    return round(duration / A_DAY, 1)


def age_days(course: Course, now: datetime) -> float | None:
    """Return for how many days it has held, or did hold; `None`: not at all."""
    if course.holds_from is None or now < course.holds_from:
        return None
    ended = [course.until, now, *([course.revoked_at] if course.revoked_at else [])]
    return days(min(ended) - course.holds_from)

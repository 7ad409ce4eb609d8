"""The vendor's calendar: when the second Tuesday's releases come out. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

PATCH_TUESDAY_ZONE: Final = "America/Los_Angeles"
PATCH_TUESDAY_TIME: Final = time(10)
"""Source: Microsoft's release schedule: the second Tuesday of a month, 10:00 Pacific time."""

TUESDAY: Final = 1
WEEK_DAYS: Final = 7


def patch_tuesday(year: int, month: int) -> date:
    """Return the second Tuesday of a month, a date of the calendar in every zone."""
    first = date(year, month, 1)
    return first + timedelta(days=(TUESDAY - first.weekday()) % WEEK_DAYS + WEEK_DAYS)


def patch_tuesdays(after: date, before: date) -> Iterator[date]:
    """Yield the second Tuesdays with `after` <= date < `before`, in order."""
    year, month = after.year, after.month
    while date(year, month, 1) < before:
        found = patch_tuesday(year, month)
        if after <= found < before:
            yield found
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def released_at(day: date) -> datetime:
    """Return the instant, in UTC, at which what the vendor dates `day` comes out: 10:00 Pacific, summer or winter."""
    local = datetime.combine(day, PATCH_TUESDAY_TIME, tzinfo=ZoneInfo(PATCH_TUESDAY_ZONE))
    return local.astimezone(UTC)


def release_instants(after: datetime, before: datetime) -> Iterator[datetime]:
    """Yield the instants of the vendor's calendar with `after` <= instant < `before`, in order, in UTC."""
    a_day = timedelta(days=1)
    for day in patch_tuesdays(after.date() - a_day, before.date() + a_day):
        instant = released_at(day)
        if after <= instant < before:
            yield instant

"""Moments in agents' reports: the device's own local time without a zone. Pure.

What is not certain is not told: a boot that looks later than it was would prove an update that waits for one.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from contracts.order import CLOCK_TOLERANCE
from services.gateway.vendors.fields import is_possible

_LOCAL: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_FARTHEST: Final = timedelta(hours=14)
_SUMMER: Final = timedelta(hours=1)
_CHANGING_MONTHS: Final = frozenset({3, 4, 9, 10, 11})
_SUNDAY: Final = 6


@dataclass(frozen=True, slots=True)
class Untold:
    """Why a boot is not told: a code to count."""

    code: str


def local_moment(text: str | None) -> datetime | None:
    """Return a local moment without its zone; `None`: none, or no date. Schemas let impossible ones in."""
    match = _LOCAL.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - it has no zone
    except ValueError:
        return None


def offset(text: str | None) -> timedelta | None:
    """Return how far local time is ahead of UTC; `None` where that is not said."""
    match = _OFFSET.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return None if ahead > _FARTHEST else -ahead if match[1] == "-" else ahead


def utc_moment(local: datetime, ahead: timedelta) -> datetime | None:
    """Return a local moment in UTC; `None`: no clock shows it."""
    at = local.replace(tzinfo=UTC)
    return at - ahead if is_possible(at) and is_possible(at - ahead) else None


def boot_moment(
    boot_time: str | None, ahead: timedelta | None, *, made_at: datetime | None, received: datetime
) -> datetime | Untold | None:
    """Return when a device started, never later than it did; `None`: it does not say.

    `ahead` is the offset at the moment of the report, `made_at` when the report says it was made. Where clocks may have
    changed between boot and report, the earlier of the two moments is taken. Nothing is told of a device whose zone is
    unknown, or whose clock is ahead of ours.
    """
    if not boot_time:
        return None
    local = local_moment(boot_time)
    if local is None:
        return Untold("boot_time: no date")
    if ahead is None:
        return Untold("boot_time without an offset")
    at = utc_moment(local, ahead)
    if at is None or at > received or (made_at is not None and made_at > received + CLOCK_TOLERANCE):
        return Untold("boot_time by a clock that is ahead")
    return at - _SUMMER if clocks_may_have_changed(at, made_at or received) else at


def clocks_may_have_changed(since: datetime, until: datetime) -> bool:
    """Return whether a night lies between two moments in which some zone turns its clocks: Sundays of some months.

    Source: the tz database; of the zones that still turn their clocks, all but a few do so then.
    """
    days = (until.date() - since.date()).days
    if days > 200:
        return True
    return any(_is_changing_day(since.date() + timedelta(days=each)) for each in range(days + 1))


def _is_changing_day(day: date) -> bool:
    return day.month in _CHANGING_MONTHS and day.weekday() == _SUNDAY

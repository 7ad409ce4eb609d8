"""When the clocks of a zone change, and from when on two versions of a zone's rules differ. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

STEP: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The clocks of a zone jump: at `at`, in UTC, from one offset to another."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def skips(self) -> bool:
        """Return whether times on the wall are skipped, not shown twice."""
        return self.after > self.before


def clock_changes(zone: tzinfo, after: datetime, before: datetime) -> Iterator[ClockChange]:
    """Yield the changes with `after` < moment <= `before`, in order, exact to the second.

    No zone changes its clocks there and back within a day.
    """
    at = after
    while at < before:
        following = min(at + STEP, before)
        was, becomes = _offset(zone, at), _offset(zone, following)
        if was != becomes:
            yield ClockChange(_first(zone, at, following), was, becomes)
        at = following


def first_difference(was: tzinfo, becomes: tzinfo, after: datetime, before: datetime) -> datetime | None:
    """Return from which moment on, `after` <= moment < `before`, the two differ; `None`: they never do."""
    marks = {
        after,
        *(each.at for each in clock_changes(was, after, before)),
        *(each.at for each in clock_changes(becomes, after, before)),
    }
    return next((at for at in sorted(marks) if _offset(was, at) != _offset(becomes, at)), None)


def _first(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """Return the first whole second with the offset of `after`; at `before` it is another one."""
    becomes = _offset(zone, after)
    low, high = before.replace(microsecond=0), after
    while high - low > SECOND:
        middle = low + timedelta(seconds=(high - low) // SECOND // 2)
        low, high = (low, middle) if _offset(zone, middle) == becomes else (middle, high)
    return high.replace(microsecond=0)


def _offset(zone: tzinfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()

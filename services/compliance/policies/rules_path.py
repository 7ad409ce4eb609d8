"""The steps that a release takes to its proof. Pure and exact.

Every step maps an instant to a later one, in pieces that either stand still (until a window begins) or run along with
the clock; it names where the pieces meet.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Protocol

from dateutil.relativedelta import relativedelta

from services.compliance.policy import Days, Hours, Months, Term
from services.compliance.rules_deadline import deadline

_DAY: Final = timedelta(days=1)
_SHORTEST_MONTH: Final = 28


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of time in UTC; `end` itself is outside."""

    start: datetime
    end: datetime


class Step(Protocol):
    """One thing that happens to a release on its way."""

    @property
    def what(self) -> str:
        """Return what is reached at its end, in words."""

    def after(self, at: datetime) -> datetime | None:
        """Return when it is over if it begins at `at`; `None`: never, as far as the calendar is known."""

    def bends(self, known: Span) -> Iterator[datetime]:
        """Yield where, by its beginning, it changes between standing still and running along."""

    def beginnings(self, over_at: datetime) -> Iterator[datetime]:
        """Yield every beginning from which it may be over at `over_at`; one too many does no harm."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that takes its time: a hold, a soak, an install, a user's last deferral."""

    what: str
    term: Term | timedelta
    zone: tzinfo

    def after(self, at: datetime) -> datetime | None:
        """Return the end of the wait."""
        return at + self.term if isinstance(self.term, timedelta) else deadline(at, self.term, self.zone)

    def bends(self, known: Span) -> Iterator[datetime]:
        """Yield the clock changes, those of the end too, and for months the days that a shorter one has not."""
        if isinstance(self.term, timedelta | Hours):
            return
        for change in clock_changes(self.zone, known):
            yield change
            yield from self.beginnings(change)
        if isinstance(self.term, Months):
            midnights = local_midnights(self.zone, known)
            yield from (each for each in midnights if not 1 < each.astimezone(self.zone).day <= _SHORTEST_MONTH)

    def beginnings(self, over_at: datetime) -> Iterator[datetime]:
        """Yield the beginnings that a wall clock on either side of a change would name."""
        match self.term:
            case timedelta():
                yield over_at - self.term
            case Hours(hours):
                yield over_at - timedelta(hours=hours)
            case Days(days):
                for wall in _walls(over_at, self.zone):
                    yield from _instants(wall - timedelta(days=days), self.zone)
            case Months(months):
                for wall in _walls(over_at, self.zone):
                    earlier = wall - relativedelta(months=months)
                    for day in {earlier.day, *range(_SHORTEST_MONTH, 32)}:
                        yield from _instants(earlier + relativedelta(day=day), self.zone)


@dataclass(frozen=True, slots=True)
class InWindow:
    """Something that waits until a window is open. `spans`: in order, apart from each other; none: never."""

    what: str
    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]

    def after(self, at: datetime) -> datetime | None:
        """Return `at` inside a window, else the next start."""
        place = bisect_right(self.ends, at)
        return max(at, self.starts[place]) if place < len(self.starts) else None

    def bends(self, known: Span) -> Iterator[datetime]:
        """Yield every start and end."""
        del known
        yield from self.starts
        yield from self.ends

    def beginnings(self, over_at: datetime) -> Iterator[datetime]:
        """Yield `over_at` if a window is open then: a start is reached from every instant of the gap before it."""
        place = bisect_right(self.ends, over_at)
        if place < len(self.starts) and self.starts[place] <= over_at:
            yield over_at


@dataclass(frozen=True, slots=True)
class DayEnd:
    """The last second of the day in a zone."""

    zone: tzinfo
    what: str = "end of the day"

    def after(self, at: datetime) -> datetime | None:
        """Return 23:59:59 of its day."""
        return at.astimezone(self.zone).replace(hour=23, minute=59, second=59, microsecond=0, fold=0).astimezone(UTC)

    def bends(self, known: Span) -> Iterator[datetime]:
        """Yield every midnight."""
        yield from local_midnights(self.zone, known)

    def beginnings(self, over_at: datetime) -> Iterator[datetime]:
        """Yield nothing: it is the last step of a way."""
        del over_at
        return iter(())


def in_window(what: str, spans: Iterable[Span]) -> InWindow:
    """Return the step that waits for one of `spans`; those that overlap or touch count as one."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return InWindow(what, tuple(span.start for span in merged), tuple(span.end for span in merged))


@lru_cache(maxsize=64)
def clock_changes(zone: tzinfo, known: Span) -> tuple[datetime, ...]:
    """Return every instant of `known` at which the wall clock of `zone` jumps, to the second."""
    found = []
    at = known.start
    while at < known.end:
        if at.astimezone(zone).utcoffset() != (at + _DAY).astimezone(zone).utcoffset():
            found.append(_change_between(at, at + _DAY, zone))
        at += _DAY
    return tuple(found)


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first second with the offset of `after`."""
    offset = before.astimezone(zone).utcoffset()
    seconds = range(int((after - before).total_seconds()) + 1)
    place = bisect_left(
        seconds, 1, key=lambda second: int((before + timedelta(seconds=second)).astimezone(zone).utcoffset() != offset)
    )
    return before + timedelta(seconds=place)


@lru_cache(maxsize=64)
def local_midnights(zone: tzinfo, known: Span) -> tuple[datetime, ...]:
    """Return the first instant of every day of `zone` in `known`."""
    day = known.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found = []
    while (at := day.replace(tzinfo=zone).astimezone(UTC)) < known.end:
        found.append(at)
        day += _DAY
    return tuple(found)


def _walls(at: datetime, zone: tzinfo) -> set[datetime]:
    """Return what wall clocks show at `at`, by the offsets that hold the day before, then, and the day after."""
    offsets = {(at + shift).astimezone(zone).utcoffset() for shift in (-_DAY, timedelta(0), _DAY)}
    return {at.replace(tzinfo=None) + offset for offset in offsets if offset is not None}


def _instants(wall: datetime, zone: tzinfo) -> set[datetime]:
    return {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}

"""Maintenance windows: a rule on the wall's clock, and the exact moments that come of it. Pure.

A rule is expanded on naive local time; each start is then resolved by what the rule says of times that the clocks skip
or show twice; the length is exact. So a window of four hours is four hours, whatever the clocks do in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from services.compliance.clocks.durations import MalformedDuration, exact
from services.compliance.clocks.malformed import MalformedWindow
from services.compliance.clocks.names import UnknownZone, iana
from services.compliance.clocks.recurrence import Recurrence, counted_days, local_days, recurrence

LONGEST: Final = timedelta(days=7)


class Gap(StrEnum):
    """What becomes of a start that the clocks skip: as much later as they skip, or no window that day."""

    FORWARD = "forward"
    SKIP = "skip"


class Fold(StrEnum):
    """Which of the two it is when the clocks show a start twice."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


class Note(StrEnum):
    """What a change of the clocks did to one window."""

    MOVED_FORWARD = "moved_forward"
    FIRST_OF_TWO = "first_of_two"
    SECOND_OF_TWO = "second_of_two"
    CLOCKS_CHANGE_WITHIN = "clocks_change_within"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """A window as a policy describes it; only `window_rule` makes one. Hashable.

    `recurs` is `None`: the window is empty, and never comes. `zone` is an IANA name, `length` is exact.
    """

    name: str
    zone: str
    start: time
    length: timedelta
    recurs: Recurrence | None
    except_on: frozenset[date] = frozenset()
    gap: Gap = Gap.FORWARD
    fold: Fold = Fold.FIRST


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One window: from `start` until before `end`, both in UTC.

    `local` is the start on the wall as the rule says it, even where the clocks skip it. It knows one occurrence of a
    rule from another when the zone's rules change.
    """

    start: datetime
    end: datetime
    note: Note | None
    local: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowText:
    """A window as it is written. Neither `rule` nor `patch_tuesday_plus_days`: it never comes.

    `zone` is an IANA or a Windows name, `start` is `HH:MM` on the wall there, `lasts` is ISO 8601 in hours and minutes
    (`PT4H`), `rule` is RFC 5545's RRULE without a time of day. `first_on` is the day that an interval or a COUNT counts
    from. On the days of `except_on` there is no window (EXDATE).
    """

    name: str
    zone: str
    start: str
    lasts: str
    rule: str | None = None
    patch_tuesday_plus_days: int | None = None
    first_on: date | None = None
    except_on: Iterable[date] = ()
    gap: Gap = Gap.FORWARD
    fold: Fold = Fold.FIRST


def window_rule(text: WindowText) -> WindowRule:
    """Return the rule that is written.

    Raises:
        MalformedWindow: it cannot be read; its `field` is the one to mend, by its name in `WindowText`.
    """
    try:
        zone = iana(text.zone)
    except UnknownZone as error:
        raise MalformedWindow("zone", str(error)) from error
    try:
        length = exact(text.lasts)
    except MalformedDuration as error:
        raise MalformedWindow("lasts", str(error)) from error
    if not timedelta() < length <= LONGEST:
        raise MalformedWindow("lasts", f"{text.lasts}: a window lasts up to 7 days, and longer than nothing")
    return WindowRule(
        name=text.name,
        zone=zone,
        start=_time(text.start),
        length=length,
        recurs=recurrence(text.rule, text.patch_tuesday_plus_days, text.first_on),
        except_on=frozenset(text.except_on),
        gap=text.gap,
        fold=text.fold,
    )


def _time(text: str) -> time:
    try:
        found = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  # a time of day on the wall
    except ValueError as error:
        raise MalformedWindow("start", f"{text!r}: write a time of day such as 02:00") from error
    if text != f"{found:%H:%M}":
        raise MalformedWindow("start", f"{text!r}: write a time of day such as 02:00")
    return found


def occurrences(rule: WindowRule, after: datetime, before: datetime) -> Iterator[Occurrence]:
    """Yield the windows that start with `after` <= start < `before`, in the order of their starts, in UTC.

    A window that began before `after` and is still open then is not among them: ask from earlier for it. A rule
    without an end goes on for ever, so `before` ends it.
    """
    zone = ZoneInfo(rule.zone)
    last: datetime | None = None
    for local in _locals(rule, after, before):
        for start, note in _resolved(local, zone, rule.gap, rule.fold):
            is_again = last is not None and start <= last  # a zone that skips a whole day moves it onto the next one
            if after <= start < before and not is_again and _still(rule, start):
                yield _occurrence(rule, local, start, note)
                last = start


def skipped(rule: WindowRule, after: datetime, before: datetime) -> Iterator[datetime]:
    """Yield the starts on the wall for which there is no window, because the clocks skip them and the rule says so."""
    zone = ZoneInfo(rule.zone)
    if rule.gap is Gap.SKIP:
        yield from (each for each in _locals(rule, after, before) if not _exists(each, zone))


def window_at(rule: WindowRule, at: datetime) -> Occurrence | None:
    """Return the window that is open at `at`: the one that began last."""
    began = [each for each in occurrences(rule, at - rule.length, at + _TICK) if each.end > at]
    return began[-1] if began else None


def next_window(rule: WindowRule, at: datetime, *, within: timedelta = timedelta(days=400)) -> Occurrence | None:
    """Return the first window that starts at `at` or later, `None`: none does so soon."""
    return next(occurrences(rule, at, at + within), None)


_TICK = timedelta(microseconds=1)
_A_DAY = timedelta(days=1)


def _locals(rule: WindowRule, after: datetime, before: datetime) -> Iterator[datetime]:
    """Yield the starts on the wall around the interval; the offset of a zone is never more than a day."""
    if rule.recurs is None:
        return
    zone = ZoneInfo(rule.zone)
    first, last = after.astimezone(zone).date() - _A_DAY, before.astimezone(zone).date() + _A_DAY
    counted = _counted(rule) if rule.recurs.count is not None else None
    for day in local_days(rule.recurs, first, last) if counted is None else counted:
        if first <= day <= last and day not in rule.except_on:
            yield datetime.combine(day, rule.start)


@lru_cache(maxsize=1024)
def _counted(rule: WindowRule) -> tuple[date, ...]:
    """Return the days of a rule with a COUNT. A start that does not exist is not counted. Source: RFC 5545, 3.3.10."""
    recurs, zone = rule.recurs, ZoneInfo(rule.zone)
    if recurs is None or recurs.count is None:
        return ()
    found: list[date] = []
    for day in counted_days(recurs):
        if rule.gap is Gap.FORWARD or _exists(datetime.combine(day, rule.start), zone):
            found.append(day)
        if len(found) == recurs.count:
            break
    return tuple(found)


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    there_and_back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there_and_back.replace(tzinfo=None, fold=0) == local


def _resolved(local: datetime, zone: ZoneInfo, gap: Gap, fold: Fold) -> Sequence[tuple[datetime, Note | None]]:
    """Return the moments that a start on the wall means. Source: PEP 495."""
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first == second:
        return [(first, None)]
    if first > second:  # in a gap the offset from before it is the smaller one, and fold=0 stands for that
        return [(first, Note.MOVED_FORWARD)] if gap is Gap.FORWARD else []
    both = [(first, Note.FIRST_OF_TWO), (second, Note.SECOND_OF_TWO)]
    return {Fold.FIRST: both[:1], Fold.SECOND: both[1:], Fold.BOTH: both}[fold]


def _still(rule: WindowRule, start: datetime) -> bool:
    return rule.recurs is not None and (rule.recurs.until is None or start <= rule.recurs.until)


def _occurrence(rule: WindowRule, local: datetime, start: datetime, note: Note | None) -> Occurrence:
    zone, end = ZoneInfo(rule.zone), start + rule.length
    if note is None and start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        note = Note.CLOCKS_CHANGE_WITHIN
    return Occurrence(start, end, note, local)

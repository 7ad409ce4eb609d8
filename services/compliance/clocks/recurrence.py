"""On which days a window comes: RFC 5545's RRULE, or the second Tuesday of a month and some days. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from dateutil.rrule import rrulestr

from services.compliance.clocks.malformed import MalformedWindow
from services.compliance.clocks.releases import patch_tuesdays

FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
TIMES: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")
KNOWN: Final = frozenset(
    ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")
) | {"BYSETPOS"}
SAYS_THE_DAY: Final = {
    "DAILY": frozenset[str](),
    "WEEKLY": frozenset({"BYDAY"}),
    "MONTHLY": frozenset({"BYDAY", "BYMONTHDAY"}),
    "YEARLY": frozenset({"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"}),
}
"""What must be there for the rule to say the day by itself, any of it; else the first day does."""
MOST: Final = {
    "INTERVAL": 100,
    "BYMONTH": 12,
    "BYMONTHDAY": 31,
    "BYYEARDAY": 366,
    "BYWEEKNO": 53,
    "BYSETPOS": 366,
}
ONLY_FORWARD: Final = ("INTERVAL", "BYMONTH")
COUNTED_YEARS: Final = 60
"""A COUNT that is not reached by then is not reached at all."""
CYCLE_YEARS: Final = 400
LAST_CYCLE: Final = 9900
NUMBER: Final = re.compile(r"[+-]?[0-9]{1,5}")
EARLIEST: Final = date(1970, 1, 1)
LATEST: Final = date(2199, 12, 31)
"""No window is counted from a day before or after these: nothing that is added to them leaves the calendar."""
MOST_DAYS_AFTER: Final = 27
"""A window that many days after the second Tuesday still comes before the next second Tuesday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """The days of a window. Either `rule` is given, without its COUNT and UNTIL, or `patch_tuesday_plus_days` is.

    `until` is the last moment, in UTC, at which a window may start. `count` says how many there are from `first_on`.
    """

    rule: str | None = None
    patch_tuesday_plus_days: int | None = None
    first_on: date | None = None
    count: int | None = None
    until: datetime | None = None


def recurrence(rule: str | None, patch_tuesday_plus_days: int | None, first_on: date | None) -> Recurrence | None:
    """Return the days that these say; `None`: neither a rule nor days are given, so never.

    Raises:
        MalformedWindow: they cannot be read.
    """
    if first_on is not None and not EARLIEST <= first_on <= LATEST:
        raise MalformedWindow("first_on", f"write a day from {EARLIEST} to {LATEST}")
    if patch_tuesday_plus_days is not None:
        if rule:
            raise MalformedWindow("rule", "give a rule or patch_tuesday_plus_days, not both")
        if not 0 <= patch_tuesday_plus_days <= MOST_DAYS_AFTER:
            raise MalformedWindow("patch_tuesday_plus_days", f"write 0 to {MOST_DAYS_AFTER}")
        return Recurrence(patch_tuesday_plus_days=patch_tuesday_plus_days, first_on=first_on)
    if rule is None or not rule.strip():
        return None
    return _read(rule.strip().removeprefix("RRULE:").upper(), first_on)


def _read(text: str, first_on: date | None) -> Recurrence:
    parts = _parts(text)
    frequency = parts.get("FREQ", "")
    if frequency not in FREQUENCIES:
        raise MalformedWindow("rule", f"FREQ: write one of {', '.join(FREQUENCIES)}")
    if found := [each for each in TIMES if each in parts]:
        raise MalformedWindow("rule", f"{found[0]}: `start` says the time of day")
    if unknown := sorted(parts.keys() - KNOWN):
        raise MalformedWindow("rule", f"{unknown[0]}: RFC 5545 has no such part")
    if "COUNT" in parts and "UNTIL" in parts:
        raise MalformedWindow("rule", "give COUNT or UNTIL, not both")
    for name in MOST.keys() & parts.keys():
        _check_range(name, parts[name])
    count, until = _count(parts.pop("COUNT", None)), _until(parts.pop("UNTIL", None))
    counts_from = [each for each in ("INTERVAL",) if parts.get(each, "1") != "1"] + (["COUNT"] if count else [])
    says_no_day = frequency != "DAILY" and not SAYS_THE_DAY[frequency] & parts.keys()
    if first_on is None and (counts_from or says_no_day):
        why = f"{counts_from[0]} counts from it" if counts_from else "the rule does not say which day"
        raise MalformedWindow("first_on", f"needed: {why}")
    kept = ";".join(f"{key}={value}" for key, value in parts.items())
    try:
        is_never = next(iter(rrulestr(kept, dtstart=_late(first_on))), None) is None
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise MalformedWindow("rule", f"{text}: {error}") from error
    if is_never:
        raise MalformedWindow("rule", f"{text}: no day ever fits it")
    return Recurrence(rule=kept, first_on=first_on, count=count, until=until)


def _late(first_on: date | None) -> datetime:
    """Return the same day of the same week, some centuries later: dateutil searches a rule that no day fits to 9999.

    The calendar repeats every 400 years, so what fits a day then fits one now.
    """
    if first_on is None:
        return datetime(9960, 1, 1)  # noqa: DTZ001  # on the wall
    year = first_on.year + (LAST_CYCLE - first_on.year) // CYCLE_YEARS * CYCLE_YEARS
    return datetime(year, first_on.month, first_on.day)  # noqa: DTZ001  # on the wall


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if not equals or not value or key in parts:
            raise MalformedWindow("rule", f"{part!r}: write it once, as NAME=VALUE")
        parts[key] = value
    return parts


def _check_range(name: str, text: str) -> None:
    """Refuse what dateutil would take and never find."""
    least = 1 if name in ONLY_FORWARD else -MOST[name]
    for each in text.split(","):
        if not NUMBER.fullmatch(each) or int(each) == 0 or not least <= int(each) <= MOST[name]:
            raise MalformedWindow("rule", f"{name}={text}: write {least} to {MOST[name]}, and not 0")


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not NUMBER.fullmatch(text) or not 0 < int(text) <= 10_000:
        raise MalformedWindow("rule", f"COUNT={text}: write 1 to 10000")
    return int(text)


def _until(text: str | None) -> datetime | None:
    """Return a moment in UTC. Source: RFC 5545, 3.3.10: UNTIL is in UTC where the start has a zone."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise MalformedWindow("rule", f"UNTIL={text}: write a moment in UTC such as 20271231T235959Z") from error


def local_days(recurs: Recurrence, first: date, last: date) -> Iterator[date]:
    """Yield the days from `first` to `last`, both included, in order. COUNT and UNTIL are not looked at here."""
    first = max(first, recurs.first_on or first)
    if recurs.patch_tuesday_plus_days is not None:
        later = timedelta(days=recurs.patch_tuesday_plus_days)
        found = patch_tuesdays(first - later, last - later + timedelta(days=1))
        yield from (day + later for day in found)
        return
    yield from (day for each in _rule(recurs, first, last) if first <= (day := each.date()) <= last)


def counted_days(recurs: Recurrence) -> Iterator[date]:
    """Yield the days from `first_on` that a COUNT may count, in order."""
    first = recurs.first_on
    if first is not None:
        yield from local_days(recurs, first, first.replace(year=first.year + COUNTED_YEARS, day=1))


def _rule(recurs: Recurrence, first: date, last: date) -> Iterable[datetime]:
    """Return dateutil's rule, begun as late as it may be: what it yields before is made and thrown away."""
    since = recurs.first_on
    if since is None:
        since = date(max(first.year - 1, 1), 1, 1)
    text = f"{recurs.rule};UNTIL={last:%Y%m%d}T235959"
    return rrulestr(text, dtstart=datetime(since.year, since.month, since.day))  # noqa: DTZ001  # on the wall

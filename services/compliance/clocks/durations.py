"""Durations as policies write them, ISO 8601: hours are exact, days and months are the calendar's. Pure."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final, assert_never

import isodate

from services.compliance.policy import Days, Hours, Months, Term

PERIOD: Final = re.compile(
    r"P(?=\w)(?:\d{1,7}Y)?(?:\d{1,7}M)?(?:\d{1,7}W)?(?:\d{1,7}D)?"
    r"(?:T(?=\d)(?:\d{1,7}H)?(?:\d{1,7}M)?(?:\d{1,7}S)?)?",
    re.ASCII,
)
"""Numbers of more digits are not meant, and more than a calendar can add."""
LONGEST: Final = {"H": 24 * 366 * 5, "D": 366 * 10, "M": 120}
WEEK_DAYS: Final = 7
YEAR_MONTHS: Final = 12
AN_HOUR: Final = timedelta(hours=1)


class MalformedDuration(ValueError):
    """A duration that cannot be read, or that would mean two different things."""


def term(text: str) -> Term:
    """Return how long a clock runs: `PT24H`, `P14D` (`P2W`), or `P1M` (`P1Y`).

    `PT24H` and `P1D` differ where the clocks change: exact hours in UTC, or the same time on the wall a day later.

    Raises:
        MalformedDuration: it is no ISO 8601 duration, is nothing or absurdly long, is no whole number of hours, or
            mixes hours, days and months, for which there is no agreed order of adding.

    Source: ISO 8601-1; patch-policy reference 4.6 and 4.7, traps 6 and 7.
    """
    dates, times = _halves(text)
    letters = {each for each in dates if each.isalpha()}
    if times and dates:
        raise MalformedDuration(f"{text}: mixes exact hours with days of the calendar; write one of them")
    if times:
        whole, rest = divmod(exact(text), AN_HOUR)
        if rest:
            raise MalformedDuration(f"{text}: write whole hours")
        return Hours(_counted(text, whole, "H"))
    if letters <= {"Y", "M"}:
        made = isodate.parse_duration(text, as_timedelta_if_possible=False)
        return Months(_counted(text, int(made.years) * YEAR_MONTHS + int(made.months), "M"))
    if letters & {"Y", "M"}:
        raise MalformedDuration(f"{text}: mixes months with days; write one of them")
    return Days(_counted(text, isodate.parse_duration(_days_only(text)).days, "D"))


def exact(text: str) -> timedelta:
    """Return a length that is the same whatever the clocks do: ISO 8601 in hours, minutes and seconds (`PT1H30M`).

    Raises:
        MalformedDuration: it is none, or has days, whose length differs where the clocks change.
    """
    dates, times = _halves(text)
    if dates or not times:
        raise MalformedDuration(f"{text}: write hours and minutes such as PT4H; a day is not always 24 hours")
    made = isodate.parse_duration(text)
    if not isinstance(made, timedelta):
        raise MalformedDuration(f"{text}: write hours and minutes such as PT4H")
    return made


def written(kept: Term) -> str:
    """Return a term as ISO 8601."""
    match kept:
        case Hours(hours):
            return f"PT{hours}H"
        case Days(days):
            return f"P{days}D"
        case Months(months):
            return f"P{months}M"
        case _:
            assert_never(kept)


def spelled(kept: Term) -> str:
    """Return a term in words: `24 hours`, `1 day`."""
    match kept:
        case Hours(hours):
            count, word = hours, "hour"
        case Days(days):
            count, word = days, "day"
        case Months(months):
            count, word = months, "month"
        case _:
            assert_never(kept)
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _halves(text: str) -> tuple[str, str]:
    if PERIOD.fullmatch(text) is None:
        raise MalformedDuration(f"{text!r}: write an ISO 8601 duration such as PT24H, P14D or P1M")
    dates, _, times = text.removeprefix("P").partition("T")
    return dates, times


def _days_only(text: str) -> str:
    """Return `P1W2D`, which ISO 8601 does not have but people write, as days."""
    days = sum(int(number) * (WEEK_DAYS if letter == "W" else 1) for number, letter in re.findall(r"(\d+)([WD])", text))
    return f"P{days}D"


def _counted(text: str, count: int | Decimal, unit: str) -> int:
    if not 0 < count <= LONGEST[unit]:
        raise MalformedDuration(f"{text}: too short or too long to be meant")
    return int(count)

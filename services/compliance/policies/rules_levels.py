"""Service levels: how many deadlines of a month were met, and the mean of its days, with and without exclusions. Pure.

Each is for one operating system and one tier; nothing is blended.
"""

from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from contracts.events.event import OsFamily, Tier
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance.exceptions.records import Exclusion
from services.compliance.rules_figures import f_strict

_READ_AT: Final = time(23, 59)
"""When a day's figure is taken, on the client's wall. Source: patch-policy reference 3.1."""
_TENTH: Final = Decimal("0.1")
_ALL: Final = Fraction(100)
_HIGHEST_OF_NOT_ALL: Final = Decimal("99.9")


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """One class of machines that a level is promised for, on one operating system."""

    os_family: OsFamily
    tier: Tier


class Outcome(StrEnum):
    """How an obligation stood at its deadline."""

    MET = "met"
    LATE = "late"
    EXCEPTED = "excepted"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Obligations of one group and release whose deadline was the same moment, and how they stood at it.

    `moved`: by then another deadline counted; `was_met`: it was verified under this one before that.
    """

    group: Group
    release: str | None
    due_at: datetime
    state: State
    moved: bool
    was_met: bool
    count: int

    @property
    def outcome(self) -> Outcome | None:
        """Return what became of this deadline; `None`: it was no deadline any more when it came."""
        if self.moved:
            return Outcome.MET if self.was_met else None
        if self.state in OUTSIDE_POPULATION:
            return None
        return {State.VERIFIED: Outcome.MET, State.EXCEPTED: Outcome.EXCEPTED}.get(self.state, Outcome.LATE)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many obligations of one group and release were in one state at a moment."""

    group: Group
    release: str | None
    at: datetime
    state: State
    count: int


@dataclass(frozen=True, slots=True)
class Attainment:
    """The obligations whose deadline fell into the month. Those excepted at it are shown, and not counted."""

    met: int
    late: int
    excepted: int

    @property
    def percent(self) -> Decimal | None:
        """Return met of all that were met or late, rounded down to 0.1; `None`: no deadline fell into it."""
        return f_strict(self.met, self.met + self.late)


@dataclass(frozen=True, slots=True)
class Mean:
    """F-STRICT at 23:59 of each local day that had anything to count. `exact` is in percent; `None`: no day had."""

    days: tuple[tuple[date, Decimal], ...]
    exact: Fraction | None

    @property
    def percent(self) -> Decimal | None:
        """Return the arithmetic mean of the days, rounded down to 0.1; 100.0 only if every day was."""
        if self.exact is None:
            return None
        found = (Decimal(self.exact.numerator) / Decimal(self.exact.denominator)).quantize(_TENTH, ROUND_DOWN)
        return found if self.exact == _ALL else min(found, _HIGHEST_OF_NOT_ALL)

    @property
    def lowest(self) -> tuple[date, Decimal] | None:
        """Return the worst day, the first of equals."""
        return min(self.days, key=lambda day: day[1], default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What one group was promised in one month, and what it got. The clock of what is excluded runs all the same."""

    group: Group
    promised: float | None
    attainment: Attainment
    attainment_without_excluded: Attainment
    mean: Mean
    mean_without_excluded: Mean

    @property
    def is_kept(self) -> bool | None:
        """Return whether the promise was kept: by the mean, without what was excluded. `None`: nothing to compare."""
        found = self.mean_without_excluded.exact
        if self.promised is None or found is None:
            return None
        return found >= Fraction(str(self.promised))


def readings(year: int, month: int, zone: tzinfo, *, now: datetime) -> dict[datetime, date]:
    """Return when each day of a month is read, in UTC, with its date; only what has come."""
    days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
    found = {datetime.combine(day, _READ_AT, tzinfo=zone).astimezone(UTC): day for day in days}
    return {at: day for at, day in found.items() if at <= now}


def month(year: int, month: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return when a month begins and when the next one does, in UTC."""
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    begin, end = (datetime(*each, 1, tzinfo=zone).astimezone(UTC) for each in ((year, month), following))
    return begin, end


def levels(
    deadlines: Sequence[Deadlines],
    standings: Sequence[Standing],
    *,
    days: Mapping[datetime, date],
    promised: Mapping[Tier, float],
    exclusions: Collection[Exclusion],
) -> tuple[Level, ...]:
    """Return the level of each group that has machines or deadlines, by operating system and tier."""
    counted_deadlines = [each for each in deadlines if not is_excluded(each.release, each.due_at, exclusions)]
    counted_standings = [each for each in standings if not is_excluded(each.release, each.at, exclusions)]
    groups = sorted({each.group for each in deadlines} | {each.group for each in standings})
    return tuple(
        Level(
            group=group,
            promised=promised.get(group.tier),
            attainment=_attainment(each for each in deadlines if each.group == group),
            attainment_without_excluded=_attainment(each for each in counted_deadlines if each.group == group),
            mean=_mean((each for each in standings if each.group == group), days),
            mean_without_excluded=_mean((each for each in counted_standings if each.group == group), days),
        )
        for group in groups
    )


def is_excluded(release: str | None, at: datetime, exclusions: Collection[Exclusion]) -> bool:
    """Return whether the service level leaves a release out at a moment. Names are compared without case."""
    if release is None:
        return False
    name = release.casefold()
    return any(
        each.valid_from <= at < each.ends_at and name in {patch.casefold() for patch in each.patches}
        for each in exclusions
    )


def _attainment(found: Iterable[Deadlines]) -> Attainment:
    counts = dict.fromkeys(Outcome, 0)
    for each in found:
        if each.outcome is not None:
            counts[each.outcome] += each.count
    return Attainment(counts[Outcome.MET], counts[Outcome.LATE], counts[Outcome.EXCEPTED])


def _mean(found: Iterable[Standing], days: Mapping[datetime, date]) -> Mean:
    verified: dict[datetime, int] = {}
    population: dict[datetime, int] = {}
    for each in found:
        if each.state not in OUTSIDE_POPULATION:
            population[each.at] = population.get(each.at, 0) + each.count
            verified[each.at] = verified.get(each.at, 0) + each.count * (each.state is State.VERIFIED)
    shown = [(at, f_strict(verified[at], population[at])) for at in sorted(population) if at in days]
    if not shown:
        return Mean((), None)
    exact = sum((_ALL * Fraction(verified[at], population[at]) for at, _ in shown), Fraction(0)) / len(shown)
    return Mean(tuple((days[at], percent) for at, percent in shown if percent is not None), exact)

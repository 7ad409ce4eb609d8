"""Service levels: what was due in the month, the mean of its days, and what was excluded, with and without."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from contracts.events.event import OsFamily, Tier
from contracts.events.obligation import State
from services.compliance.exceptions.records import Exclusion
from services.compliance.policies.rules_levels import (
    Attainment,
    Deadlines,
    Group,
    Level,
    Mean,
    Outcome,
    Standing,
    is_excluded,
    levels,
    month,
    readings,
)
from services.compliance.zones import use_shipped_zones

use_shipped_zones()
NEW_YORK = ZoneInfo("America/New_York")
SERVERS = Group(OsFamily.WINDOWS, Tier.SERVER)
FIRST, SECOND = datetime(2026, 11, 2, 4, 59, tzinfo=UTC), datetime(2026, 11, 3, 4, 59, tzinfo=UTC)
DAYS = {FIRST: date(2026, 11, 1), SECOND: date(2026, 11, 2)}
TENANT = UUID("11111111-1111-4111-8111-111111111111")


def due(state: State, count: int = 1, *, release: str = "KB1", moved: bool = False, was_met: bool = False) -> Deadlines:
    return Deadlines(SERVERS, release, FIRST, state, moved, was_met, count)


def stood(state: State, count: int, *, at: datetime = FIRST, release: str = "KB1", group: Group = SERVERS) -> Standing:
    return Standing(group, release, at, state, count)


def exclusion(*, until: datetime = SECOND, ended_at: datetime | None = None, patch: str = "kb1") -> Exclusion:
    return Exclusion(
        id=TENANT,
        tenant_id=TENANT,
        patches=(patch,),
        reason="released without notice",
        approver="Dana Owner",
        valid_from=FIRST - timedelta(days=1),
        until=until,
        recorded_at=FIRST,
        ended_at=ended_at,
    )


def one(deadlines: list[Deadlines], standings: list[Standing], *exclusions: Exclusion) -> Level:
    [found] = levels(deadlines, standings, days=DAYS, promised={Tier.SERVER: 95.0}, exclusions=exclusions)
    return found


OUTCOMES = {
    "verified": (due(State.VERIFIED), Outcome.MET),
    "overdue": (due(State.MISSING_OVERDUE), Outcome.LATE),
    "only reported": (due(State.REPORTED_UNVERIFIED), Outcome.LATE),
    "nobody looked": (due(State.STALE), Outcome.LATE),
    "excepted": (due(State.EXCEPTED), Outcome.EXCEPTED),
    "retired": (due(State.RETIRED), None),
    "another deadline by then, verified before": (due(State.MISSING_IN_SLA, moved=True, was_met=True), Outcome.MET),
    "another deadline by then, never verified": (due(State.MISSING_IN_SLA, moved=True), None),
}


@pytest.mark.parametrize(("found", "outcome"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_what_became_of_a_deadline(found: Deadlines, outcome: Outcome | None) -> None:
    assert found.outcome == outcome


def test_excepted_deadlines_are_shown_apart_and_not_counted() -> None:
    found = one([due(State.VERIFIED, 19), due(State.FAILED, 1), due(State.EXCEPTED, 7)], [])

    assert found.attainment == Attainment(met=19, late=1, excepted=7)
    assert found.attainment.percent == Decimal("95.0")


def test_the_mean_is_of_the_days_and_not_of_the_machines() -> None:
    found = one(
        [],
        [
            stood(State.VERIFIED, 1),
            stood(State.VERIFIED, 50, at=SECOND),
            stood(State.FAILED, 50, at=SECOND),
        ],
    )

    assert found.mean.percent == Decimal("75.0")
    assert found.mean.lowest == (date(2026, 11, 2), Decimal("50.0"))
    assert found.is_kept is False


def test_what_is_outside_the_population_counts_on_no_day() -> None:
    found = one([], [stood(State.VERIFIED, 1), stood(State.RETIRED, 9), stood(State.NOT_APPLICABLE, 9, at=SECOND)])

    assert found.mean.days == ((date(2026, 11, 1), Decimal("100.0")),)
    assert found.is_kept is True


def test_an_exception_does_not_make_a_machine_compliant() -> None:
    found = one([], [stood(State.VERIFIED, 3), stood(State.EXCEPTED, 1)])

    assert found.mean.percent == Decimal("75.0")


@pytest.mark.parametrize(
    ("exact", "percent"),
    [(Fraction(100), "100.0"), (Fraction(99999, 1000), "99.9"), (Fraction(9499, 100), "94.9"), (Fraction(0), "0.0")],
    ids=["all", "nearly all", "rounded down", "none"],
)
def test_a_mean_is_rounded_down(exact: Fraction, percent: str) -> None:
    assert Mean((), exact).percent == Decimal(percent)


def test_the_promise_is_judged_by_the_exact_mean() -> None:
    kept = one([], [stood(State.VERIFIED, 95), stood(State.FAILED, 5)])
    missed = one([], [stood(State.VERIFIED, 9499), stood(State.FAILED, 501)])

    assert (kept.is_kept, missed.is_kept) == (True, False)


def test_what_is_excluded_counts_once_and_does_not_count_once() -> None:
    found = one(
        [due(State.FAILED, 5), due(State.VERIFIED, 5, release="KB2")],
        [stood(State.FAILED, 5), stood(State.VERIFIED, 5, release="KB2")],
        exclusion(),
    )

    assert (found.attainment.percent, found.attainment_without_excluded.percent) == (Decimal("50.0"), Decimal("100.0"))
    assert (found.mean.percent, found.mean_without_excluded.percent) == (Decimal("50.0"), Decimal("100.0"))
    assert found.is_kept is True


@pytest.mark.parametrize(
    ("release", "given", "expected"),
    [
        ("KB1", exclusion(), True),
        ("KB1", exclusion(until=FIRST), False),
        ("KB1", exclusion(until=FIRST + timedelta(seconds=1)), True),
        ("KB1", exclusion(ended_at=FIRST), False),
        ("KB2", exclusion(), False),
        (None, exclusion(), False),
    ],
    ids=["named", "over at that moment", "over a second later", "ended by a person", "another release", "no release"],
)
def test_an_exclusion_ends(release: str | None, given: Exclusion, *, expected: bool) -> None:
    assert is_excluded(release, FIRST, [given]) is expected


def test_nothing_is_blended() -> None:
    kiosks, macs = Group(OsFamily.WINDOWS, Tier.KIOSK), Group(OsFamily.MACOS, Tier.SERVER)
    found = levels(
        [due(State.VERIFIED)],
        [stood(State.FAILED, 1, group=kiosks), stood(State.VERIFIED, 1, group=macs)],
        days=DAYS,
        promised={Tier.SERVER: 95.0},
        exclusions=(),
    )

    assert {each.group: each.promised for each in found} == {SERVERS: 95.0, kiosks: None, macs: 95.0}
    assert {each.group: each.is_kept for each in found} == {SERVERS: None, kiosks: None, macs: True}


def test_a_day_is_read_at_a_minute_to_midnight_on_the_clients_wall() -> None:
    found = readings(2026, 11, NEW_YORK, now=datetime(2026, 11, 4, 4, 59, tzinfo=UTC))

    assert found == {
        datetime(2026, 11, 2, 4, 59, tzinfo=UTC): date(2026, 11, 1),
        datetime(2026, 11, 3, 4, 59, tzinfo=UTC): date(2026, 11, 2),
        datetime(2026, 11, 4, 4, 59, tzinfo=UTC): date(2026, 11, 3),
    }


@pytest.mark.parametrize(
    ("year", "number", "zone", "hours"),
    [
        (2026, 11, "America/New_York", 30 * 24 + 1),
        (2026, 3, "America/New_York", 31 * 24 - 1),
        (2026, 12, "Australia/Sydney", 31 * 24),
        (2028, 2, "America/Phoenix", 29 * 24),
    ],
)
def test_a_month_is_as_long_as_it_is_there(year: int, number: int, zone: str, hours: int) -> None:
    begin, end = month(year, number, ZoneInfo(zone))

    assert end - begin == timedelta(hours=hours)

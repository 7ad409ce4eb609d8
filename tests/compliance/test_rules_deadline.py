"""Deadlines: exact hours, calendar days in the client's zone, and the two nights a year that are different."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.event import Severity, Tier
from services.compliance.policy import DEFAULT_1, Days, Hours, Subject, Term
from services.compliance.rules_deadline import deadline
from services.compliance.zones import use_shipped_zones, zone_of

use_shipped_zones()
PATCH_TUESDAY = datetime(2025, 1, 14, 18, tzinfo=UTC)

CASES: dict[str, tuple[datetime, Term, str, datetime]] = {
    "24 hours": (PATCH_TUESDAY, Hours(24), "America/New_York", datetime(2025, 1, 15, 18, tzinfo=UTC)),
    "24 hours across the spring change are 24 hours": (
        datetime(2025, 3, 9, 0, tzinfo=UTC),
        Hours(24),
        "America/New_York",
        datetime(2025, 3, 10, 0, tzinfo=UTC),
    ),
    "7 days": (PATCH_TUESDAY, Days(7), "UTC", datetime(2025, 1, 21, 18, tzinfo=UTC)),
    "7 days across the spring change keep the time on the wall": (
        datetime(2025, 3, 4, 18, tzinfo=UTC),
        Days(7),
        "America/New_York",
        datetime(2025, 3, 11, 17, tzinfo=UTC),
    ),
    "7 days across the autumn change keep the time on the wall": (
        datetime(2025, 10, 28, 17, tzinfo=UTC),
        Days(7),
        "America/New_York",
        datetime(2025, 11, 4, 18, tzinfo=UTC),
    ),
    "a time that the clocks skip is as much later": (
        datetime(2025, 3, 2, 7, 30, tzinfo=UTC),
        Days(7),
        "America/New_York",
        datetime(2025, 3, 9, 7, 30, tzinfo=UTC),
    ),
    "of a time that the clocks show twice the first counts": (
        datetime(2025, 10, 26, 5, 30, tzinfo=UTC),
        Days(7),
        "America/New_York",
        datetime(2025, 11, 2, 5, 30, tzinfo=UTC),
    ),
    "30 days over the end of a month": (
        datetime(2024, 1, 31, 12, tzinfo=UTC),
        Days(30),
        "UTC",
        datetime(2024, 3, 1, 12, tzinfo=UTC),
    ),
    "the day is the client's: it is Wednesday in Sydney": (
        PATCH_TUESDAY,
        Days(14),
        "Australia/Sydney",
        datetime(2025, 1, 28, 18, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize(("released_at", "window", "zone", "due_at"), CASES.values(), ids=CASES.keys())
def test_when_it_is_due(released_at: datetime, window: Term, zone: str, due_at: datetime) -> None:
    assert deadline(released_at, window, ZoneInfo(zone)) == due_at


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds it
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
    st.integers(1, 60),
)
def test_a_deadline_is_never_more_than_the_clock_change_away_from_the_days(
    released_at: datetime, zone: str, days: int
) -> None:
    due_at = deadline(released_at, Days(days), ZoneInfo(zone))

    assert abs((due_at - released_at).total_seconds() - days * 86400) <= 25 * 3600
    assert due_at.tzinfo is UTC


def default_of(tier: Tier, severity: Severity) -> Term | None:
    [(_, rule)] = DEFAULT_1.rules_for(Subject(tier=tier, severity=severity))
    return rule.within


def test_every_tier_and_band_has_a_term_unknown_included() -> None:
    assert all(default_of(tier, severity) is not None for tier in Tier for severity in Severity)


def test_the_cells_that_the_playbook_gives() -> None:
    assert default_of(Tier.SERVER, Severity.CRITICAL) == Hours(24)
    assert default_of(Tier.WORKSTATION, Severity.CRITICAL) == Days(7)
    assert default_of(Tier.WORKSTATION, Severity.HIGH) == Days(7)
    assert default_of(Tier.DO_NOT_DISRUPT, Severity.MODERATE) == Days(30)


def test_a_client_that_nobody_told_us_of_has_utc_and_a_zone_that_is_none_is_seen() -> None:
    assert zone_of(None) is UTC
    assert zone_of("Mars/Olympus_Mons") is None
    assert zone_of("../../etc/passwd") is None
    assert str(zone_of("Europe/Berlin")) == "Europe/Berlin"

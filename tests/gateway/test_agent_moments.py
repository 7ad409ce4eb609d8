"""When a device started, told never later than it was: from a local time, an offset, and a clock that may be wrong."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.vendors.agent_moments import Untold, boot_moment, local_moment, offset, utc_moment

RECEIVED = datetime(2026, 11, 10, 12, tzinfo=UTC)
BERLIN = timedelta(hours=1)


def boot(text: str | None, ahead: timedelta | None = BERLIN, **changed: datetime | None) -> datetime | Untold | None:
    given = {"made_at": RECEIVED - timedelta(minutes=1), "received": RECEIVED, **changed}
    received = given["received"]
    assert received is not None
    return boot_moment(text, ahead, made_at=given["made_at"], received=received)


@pytest.mark.parametrize(
    ("text", "ahead", "at"),
    [
        pytest.param("2026-11-09 08:15:00", BERLIN, datetime(2026, 11, 9, 7, 15, tzinfo=UTC), id="ahead of UTC"),
        pytest.param(
            "2026-11-09 08:15:00", timedelta(hours=-5), datetime(2026, 11, 9, 13, 15, tzinfo=UTC), id="behind"
        ),
        pytest.param("2026-11-09T08:15:00", timedelta(0), datetime(2026, 11, 9, 8, 15, tzinfo=UTC), id="with a T"),
        pytest.param("2026-07-20 08:15:00", BERLIN, datetime(2026, 7, 20, 6, 15, tzinfo=UTC), id="clocks changed"),
        pytest.param("2026-02-02 08:15:00", BERLIN, datetime(2026, 2, 2, 6, 15, tzinfo=UTC), id="over half a year ago"),
    ],
)  # fmt: skip
def test_a_local_time_with_an_offset_is_a_moment(text: str, ahead: timedelta, at: datetime) -> None:
    assert boot(text, ahead) == at


@pytest.mark.parametrize(
    ("text", "ahead", "code"),
    [
        pytest.param("2019-54-17 10:54:37", BERLIN, "boot_time: no date", id="a month that is none"),
        pytest.param("yesterday", BERLIN, "boot_time: no date", id="no date at all"),
        pytest.param("2026-11-09 08:15:00", None, "boot_time without an offset", id="no zone"),
        pytest.param("2026-11-10 13:30:00", BERLIN, "boot_time by a clock that is ahead", id="after its receipt"),
        pytest.param("0001-01-01 00:00:00", BERLIN, "boot_time by a clock that is ahead", id="before all clocks"),
    ],
)
def test_what_cannot_be_told_is_counted(text: str, ahead: timedelta | None, code: str) -> None:
    assert boot(text, ahead) == Untold(code)


def test_a_report_from_the_future_tells_no_boot() -> None:
    ahead_of_us = RECEIVED + timedelta(minutes=6)

    assert isinstance(boot("2026-11-09 08:15:00", made_at=ahead_of_us), Untold)


@pytest.mark.parametrize("text", [None, ""])
def test_who_says_nothing_is_not_counted(text: str | None) -> None:
    assert boot(text) is None


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("+0200", timedelta(hours=2)),
        ("-0330", -timedelta(hours=3, minutes=30)),
        ("+05:45", timedelta(hours=5, minutes=45)),
        ("+9900", None),
        ("CET", None),
        (None, None),
    ],
)
def test_an_offset(text: str | None, ahead: timedelta | None) -> None:
    assert offset(text) == ahead


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 11, 10)),  # noqa: DTZ001 - made aware below
    st.sampled_from([RECEIVED, RECEIVED + timedelta(days=150), RECEIVED + timedelta(days=330)]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago", "Asia/Kolkata"]),
)
def test_no_boot_is_told_later_than_it_was(booted: datetime, reported_at: datetime, zone: str) -> None:
    local = ZoneInfo(zone)
    booted_at = booted.replace(microsecond=0, tzinfo=UTC)

    told = boot_moment(
        booted_at.astimezone(local).strftime("%Y-%m-%d %H:%M:%S"),
        reported_at.astimezone(local).utcoffset(),
        made_at=reported_at,
        received=reported_at,
    )

    assert isinstance(told, datetime)
    assert booted_at - timedelta(hours=2) <= told <= booted_at


def test_no_clock_shows_it() -> None:
    first = local_moment("0001-01-01 00:00:00")
    assert first is not None
    assert utc_moment(first, BERLIN) is None

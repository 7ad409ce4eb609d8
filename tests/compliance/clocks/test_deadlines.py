"""Deadlines at the seconds where they jump: nights of a clock change, ends of months, the leap day, ends of days."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.clocks.durations import term
from services.compliance.rules_deadline import deadline
from tests.compliance.clocks.moments import BERLIN, DAY, NEW_YORK, PHOENIX, SECOND, SYDNEY, utc

NIGHTS = [
    # New York, spring: 02:00 to 03:00 is skipped on 8 March, at 07:00 UTC
    (NEW_YORK, "2026-03-07 06:59:59", "P1D", "2026-03-08 06:59:59"),
    (NEW_YORK, "2026-03-07 07:00:00", "P1D", "2026-03-08 07:00:00"),
    (NEW_YORK, "2026-03-07 07:59:59", "P1D", "2026-03-08 07:59:59"),
    (NEW_YORK, "2026-03-07 08:00:00", "P1D", "2026-03-08 07:00:00"),
    (NEW_YORK, "2026-03-07 08:00:00", "PT24H", "2026-03-08 08:00:00"),
    # New York, autumn: 01:00 to 02:00 comes twice on 1 November, the second time at 06:00 UTC
    (NEW_YORK, "2026-10-31 04:59:59", "P1D", "2026-11-01 04:59:59"),
    (NEW_YORK, "2026-10-31 05:00:00", "P1D", "2026-11-01 05:00:00"),
    (NEW_YORK, "2026-10-31 05:59:59", "P1D", "2026-11-01 05:59:59"),
    (NEW_YORK, "2026-10-31 06:00:00", "P1D", "2026-11-01 07:00:00"),
    (NEW_YORK, "2026-10-31 06:00:00", "PT24H", "2026-11-01 06:00:00"),
    (NEW_YORK, "2026-11-01 05:30:00", "P1D", "2026-11-02 06:30:00"),
    (NEW_YORK, "2026-11-01 06:30:00", "P1D", "2026-11-02 06:30:00"),
    # Berlin, spring: 02:00 to 03:00 is skipped on 29 March, at 01:00 UTC
    (BERLIN, "2026-03-28 00:59:59", "P1D", "2026-03-29 00:59:59"),
    (BERLIN, "2026-03-28 01:00:00", "P1D", "2026-03-29 01:00:00"),
    (BERLIN, "2026-03-28 01:59:59", "P1D", "2026-03-29 01:59:59"),
    (BERLIN, "2026-03-28 02:00:00", "P1D", "2026-03-29 01:00:00"),
    # Berlin, autumn: 02:00 to 03:00 comes twice on 25 October, the second time at 01:00 UTC
    (BERLIN, "2026-10-24 00:00:00", "P1D", "2026-10-25 00:00:00"),
    (BERLIN, "2026-10-24 00:59:59", "P1D", "2026-10-25 00:59:59"),
    (BERLIN, "2026-10-24 01:00:00", "P1D", "2026-10-25 02:00:00"),
    (BERLIN, "2026-10-24 01:00:00", "PT48H", "2026-10-26 01:00:00"),
    # Sydney, autumn: 02:00 to 03:00 comes twice on 5 April, the second time at 16:00 UTC of the 4th
    (SYDNEY, "2026-04-03 15:00:00", "P1D", "2026-04-04 15:00:00"),
    (SYDNEY, "2026-04-03 15:59:59", "P1D", "2026-04-04 15:59:59"),
    (SYDNEY, "2026-04-03 16:00:00", "P1D", "2026-04-04 17:00:00"),
    # Sydney, spring: 02:00 to 03:00 is skipped on 4 October, at 16:00 UTC of the 3rd
    (SYDNEY, "2026-10-02 15:59:59", "P1D", "2026-10-03 15:59:59"),
    (SYDNEY, "2026-10-02 16:00:00", "P1D", "2026-10-03 16:00:00"),
    (SYDNEY, "2026-10-02 17:00:00", "P1D", "2026-10-03 16:00:00"),
    # Phoenix never changes its clocks
    (PHOENIX, "2026-03-07 09:00:00", "P1D", "2026-03-08 09:00:00"),
    (PHOENIX, "2026-03-07 09:59:59", "P7D", "2026-03-14 09:59:59"),
    (PHOENIX, "2026-10-31 08:30:00", "P1D", "2026-11-01 08:30:00"),
]
MONTHS = [
    (NEW_YORK, "2026-01-28 15:00:00", "P1M", "2026-02-28 15:00:00"),
    (NEW_YORK, "2026-01-29 15:00:00", "P1M", "2026-02-28 15:00:00"),
    (NEW_YORK, "2026-01-31 15:00:00", "P1M", "2026-02-28 15:00:00"),
    (NEW_YORK, "2026-02-01 04:59:59", "P1M", "2026-03-01 04:59:59"),  # 31 January on the wall: the end of February
    (NEW_YORK, "2026-02-01 05:00:00", "P1M", "2026-03-01 05:00:00"),  # 1 February on the wall: 1 March
    (NEW_YORK, "2026-02-28 15:00:00", "P1M", "2026-03-28 14:00:00"),  # the clocks went forward in between
    (NEW_YORK, "2026-03-31 14:00:00", "P1M", "2026-04-30 14:00:00"),
    (NEW_YORK, "2026-10-31 14:00:00", "P1M", "2026-11-30 15:00:00"),
    (NEW_YORK, "2026-12-31 15:00:00", "P2M", "2027-02-28 15:00:00"),
    (NEW_YORK, "2026-12-31 15:00:00", "P14M", "2028-02-29 15:00:00"),
    (BERLIN, "2026-01-31 22:59:59", "P1M", "2026-02-28 22:59:59"),
    (BERLIN, "2026-01-31 23:00:00", "P1M", "2026-02-28 23:00:00"),
    (SYDNEY, "2026-01-31 12:59:59", "P1M", "2026-02-28 12:59:59"),
    (SYDNEY, "2026-01-31 13:00:00", "P1M", "2026-02-28 13:00:00"),
    (PHOENIX, "2026-08-31 18:00:00", "P1M", "2026-09-30 18:00:00"),
]
LEAP_DAY = [
    (NEW_YORK, "2026-02-28 15:00:00", "P1D", "2026-03-01 15:00:00"),
    (NEW_YORK, "2028-02-28 15:00:00", "P1D", "2028-02-29 15:00:00"),
    (NEW_YORK, "2028-02-29 04:59:59", "P1D", "2028-03-01 04:59:59"),
    (NEW_YORK, "2028-02-29 15:00:00", "P1M", "2028-03-29 14:00:00"),
    (NEW_YORK, "2028-02-29 15:00:00", "P1Y", "2029-02-28 15:00:00"),
    (NEW_YORK, "2028-01-31 15:00:00", "P1M", "2028-02-29 15:00:00"),
    (NEW_YORK, "2028-01-30 15:00:00", "P30D", "2028-02-29 15:00:00"),
    (BERLIN, "2028-02-29 23:00:00", "P1M", "2028-03-31 22:00:00"),
    (SYDNEY, "2028-02-28 13:00:00", "P1D", "2028-02-29 13:00:00"),
    (PHOENIX, "2028-02-29 06:59:59", "P14D", "2028-03-14 06:59:59"),
]
ENDS_WITH_DAY = [
    (NEW_YORK, "2026-03-07 04:59:59", "P1D", "2026-03-08 04:59:59"),
    (NEW_YORK, "2026-03-07 05:00:00", "P1D", "2026-03-09 03:59:59"),
    (NEW_YORK, "2026-10-31 03:59:59", "P1D", "2026-11-01 03:59:59"),
    (NEW_YORK, "2026-10-31 04:00:00", "P1D", "2026-11-02 04:59:59"),
    (BERLIN, "2026-10-23 21:59:59", "P1D", "2026-10-24 21:59:59"),
    (BERLIN, "2026-10-23 22:00:00", "P1D", "2026-10-25 22:59:59"),
    (SYDNEY, "2026-04-03 12:59:59", "P1D", "2026-04-04 12:59:59"),
    (SYDNEY, "2026-04-03 13:00:00", "P1D", "2026-04-05 13:59:59"),
    (PHOENIX, "2026-03-07 06:59:59", "P1D", "2026-03-08 06:59:59"),
    (PHOENIX, "2026-03-07 07:00:00", "P1D", "2026-03-09 06:59:59"),
    (NEW_YORK, "2028-02-28 05:00:00", "P1D", "2028-03-01 04:59:59"),
    (NEW_YORK, "2026-01-31 15:00:00", "P1M", "2026-03-01 04:59:59"),
    (NEW_YORK, "2026-03-07 05:00:00", "PT24H", "2026-03-09 03:59:59"),
]


@pytest.mark.parametrize(("zone", "start", "within", "due"), [*NIGHTS, *MONTHS, *LEAP_DAY])
def test_a_deadline(zone: str, start: str, within: str, due: str) -> None:
    assert deadline(utc(start), term(within), ZoneInfo(zone)) == utc(due)


@pytest.mark.parametrize(("zone", "start", "within", "due"), ENDS_WITH_DAY)
def test_a_deadline_that_ends_with_its_day(zone: str, start: str, within: str, due: str) -> None:
    assert deadline(utc(start), term(within), ZoneInfo(zone), ends_with_day=True) == utc(due)


@given(
    start=st.integers(0, 3 * 365 * 86_400),
    days=st.integers(1, 90),
    zone=st.sampled_from([NEW_YORK, BERLIN, SYDNEY, PHOENIX, "Australia/Lord_Howe", "America/St_Johns"]),
)
def test_calendar_days_are_never_more_than_an_hour_off_and_hours_never_at_all(start: int, days: int, zone: str) -> None:
    began = utc("2026-01-01") + start * SECOND

    in_days = deadline(began, term(f"P{days}D"), ZoneInfo(zone)) - began
    in_hours = deadline(began, term(f"PT{24 * days}H"), ZoneInfo(zone)) - began

    assert in_hours == days * DAY
    assert abs(in_days - days * DAY) <= 3600 * SECOND

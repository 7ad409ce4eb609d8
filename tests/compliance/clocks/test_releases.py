"""The vendor's calendar."""

from datetime import date

import pytest

from services.compliance.clocks.changes import clock_changes
from services.compliance.clocks.names import UnknownZone, iana
from services.compliance.clocks.releases import patch_tuesday, patch_tuesdays, release_instants, released_at
from services.compliance.zones import zone_of
from tests.compliance.clocks.moments import BERLIN, NEW_YORK, PHOENIX, SYDNEY, utc


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2026, 1, 13), (2026, 9, 8), (2026, 12, 8), (2027, 6, 8), (2028, 2, 8), (2024, 10, 8)]
)
def test_the_second_tuesday(year: int, month: int, day: int) -> None:
    assert patch_tuesday(year, month) == date(year, month, day)


def test_releases_come_at_ten_pacific_in_winter_and_in_summer() -> None:
    assert list(release_instants(utc("2026-02-10 18:00"), utc("2026-04-14 17:00"))) == [
        utc("2026-02-10 18:00"),
        utc("2026-03-10 17:00"),
    ]
    assert released_at(date(2026, 11, 10)) == utc("2026-11-10 18:00")


def test_the_calendar_is_half_open_and_crosses_years() -> None:
    assert list(patch_tuesdays(date(2026, 12, 8), date(2027, 2, 9))) == [date(2026, 12, 8), date(2027, 1, 12)]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (NEW_YORK, ["2026-03-08 07:00:00 skips", "2026-11-01 06:00:00 repeats"]),
        (BERLIN, ["2026-03-29 01:00:00 skips", "2026-10-25 01:00:00 repeats"]),
        (SYDNEY, ["2026-04-04 16:00:00 repeats", "2026-10-03 16:00:00 skips"]),
        (PHOENIX, []),
    ],
)
def test_when_the_clocks_of_a_zone_change(zone: str, expected: list[str]) -> None:
    found = clock_changes(zone_of(zone) or pytest.fail(zone), utc("2026-01-01 12:34:56"), utc("2027-01-01"))

    assert [f"{each.at:%Y-%m-%d %H:%M:%S} {'skips' if each.skips else 'repeats'}" for each in found] == expected


def test_a_name_without_a_place_is_refused() -> None:
    assert [iana(name) for name in ("UTC", "Europe/Berlin")] == ["UTC", "Europe/Berlin"]
    for name in ("Singapore", "Etc/GMT+5", "Europe/Atlantis", "", "../UTC", "Europe"):
        with pytest.raises(UnknownZone):
            iana(name)

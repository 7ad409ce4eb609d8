"""The twelve traps of clocks that change, each as the reference numbers it (patch-policy 4.7)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import isodate
import pytest
from dateutil.rrule import rrulestr

from services.compliance.clocks.changes import first_difference
from services.compliance.clocks.durations import term
from services.compliance.clocks.names import UnknownZone, iana
from services.compliance.clocks.windows import Fold, Gap, Note, skipped
from services.compliance.policy import Days, Hours, Months
from services.compliance.rules_deadline import deadline
from tests.compliance.clocks.moments import BERLIN, NEW_YORK, PHOENIX, SYDNEY, around, starts, utc, window

SPRING, AUTUMN = "2026-03-08", "2026-11-01"
FOUR_HOURS = timedelta(hours=4)


def test_1_a_start_that_the_clocks_skip_is_not_left_to_stand() -> None:
    zone = ZoneInfo(NEW_YORK)
    _, naively = rrulestr("FREQ=WEEKLY;COUNT=2", dtstart=datetime(2026, 3, 1, 2, tzinfo=zone))
    assert f"{naively:%H:%M %Z}" != f"{naively.astimezone(UTC).astimezone(zone):%H:%M %Z}" == "03:00 EDT"

    [moved] = around(window(), SPRING)

    assert moved.start == utc("2026-03-08 07:00")
    assert moved.start.astimezone(zone).strftime("%H:%M %Z") == "03:00 EDT"
    assert moved.note is Note.MOVED_FORWARD
    assert around(window(gap=Gap.SKIP), SPRING) == []
    missed = skipped(window(gap=Gap.SKIP), utc(SPRING), utc("2026-03-09"))
    assert [each.isoformat() for each in missed] == ["2026-03-08T02:00:00"]


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (Fold.FIRST, ["2026-11-01 05:30"]),
        (Fold.SECOND, ["2026-11-01 06:30"]),
        (Fold.BOTH, ["2026-11-01 05:30", "2026-11-01 06:30"]),
    ],
)
def test_2_a_start_that_the_clocks_show_twice_is_the_one_that_was_chosen(fold: Fold, expected: list[str]) -> None:
    assert starts(window(start="01:30", fold=fold), AUTUMN) == expected


@pytest.mark.parametrize(
    ("day", "ends_on_the_wall"), [(SPRING, "05:00"), (AUTUMN, "03:00")], ids=["3-spring", "4-autumn"]
)
def test_3_and_4_four_hours_over_the_change_are_four_hours(day: str, ends_on_the_wall: str) -> None:
    [over] = around(window(start="00:00"), day)

    assert (over.end - over.start, over.note) == (FOUR_HOURS, Note.CLOCKS_CHANGE_WITHIN)
    assert over.end.astimezone(ZoneInfo(NEW_YORK)).strftime("%H:%M") == ends_on_the_wall


def test_5_a_window_that_begins_in_the_gap_is_not_an_hour_short() -> None:
    [moved] = around(window(start="02:00", lasts="PT4H"), SPRING)

    assert (moved.start, moved.end) == (utc("2026-03-08 07:00"), utc("2026-03-08 11:00"))


@pytest.mark.parametrize("hours", [24, 48])
def test_6_hours_are_added_in_utc(hours: int) -> None:
    zone = ZoneInfo(NEW_YORK)
    start = datetime(2026, 3, 7, 12, tzinfo=zone)
    on_the_wall = start + isodate.parse_duration(f"PT{hours}H")
    assert on_the_wall.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours - 1)

    due_at = deadline(start, term(f"PT{hours}H"), zone)

    assert due_at - start.astimezone(UTC) == timedelta(hours=hours)
    assert term("P1D") == Days(1) != term("PT24H") == Hours(24)


def test_7_a_month_from_the_31st_ends_on_the_last_day_and_30_days_do_not() -> None:
    zone, start = ZoneInfo(NEW_YORK), utc("2026-01-31 15:00")

    assert deadline(start, Months(1), zone) == utc("2026-02-28 15:00")
    assert deadline(start, Days(30), zone) == utc("2026-03-02 15:00")
    assert deadline(utc("2028-01-31 15:00"), Months(1), zone) == utc("2028-02-29 15:00")


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Eastern Standard Time", NEW_YORK),
        ("eastern standard time", NEW_YORK),
        ("W. Europe Standard Time", BERLIN),
        ("US Mountain Standard Time", PHOENIX),
        ("AUS Eastern Standard Time", SYDNEY),
    ],
)
def test_8_windows_names_of_zones_are_understood(name: str, zone: str) -> None:
    with pytest.raises(KeyError):
        ZoneInfo(name)

    assert iana(name) == zone


@pytest.mark.parametrize("name", ["EST", "MST", "HST", "EST5EDT", "CET", "est"])
def test_9_an_abbreviation_is_refused_with_what_to_write_instead(name: str) -> None:
    with pytest.raises(UnknownZone, match=r"write [A-Z][a-z]+/[A-Z]"):
        iana(name)


@pytest.mark.parametrize(
    ("zone", "january", "july"),
    [
        (PHOENIX, "2026-01-04 09:00", "2026-07-05 09:00"),
        ("Australia/Brisbane", "2026-01-03 16:00", "2026-07-04 16:00"),
        ("America/Denver", "2026-01-04 09:00", "2026-07-05 08:00"),
        (SYDNEY, "2026-01-03 15:00", "2026-07-04 16:00"),
    ],
)
def test_10_a_zone_is_not_its_neighbour(zone: str, january: str, july: str) -> None:
    rule = window(zone)

    assert [starts(rule, "2026-01-03", days=2), starts(rule, "2026-07-04", days=2)] == [[january], [july]]


@pytest.mark.parametrize(
    ("zone", "day", "start", "note"),
    [
        (NEW_YORK, "2026-03-08", "2026-03-08 07:00", Note.MOVED_FORWARD),
        (BERLIN, "2026-03-08", "2026-03-08 01:00", None),
        (BERLIN, "2026-03-29", "2026-03-29 01:00", Note.MOVED_FORWARD),
        (BERLIN, "2026-10-25", "2026-10-25 00:00", Note.FIRST_OF_TWO),
        ("Europe/London", "2026-03-29", "2026-03-29 01:00", None),
        (SYDNEY, "2026-04-04", "2026-04-04 15:00", Note.FIRST_OF_TWO),
        (SYDNEY, "2026-10-03", "2026-10-03 16:00", Note.MOVED_FORWARD),
        (PHOENIX, "2026-03-08", "2026-03-08 09:00", None),
    ],
)
def test_11_sunday_at_two_is_another_moment_in_every_zone(zone: str, day: str, start: str, note: Note | None) -> None:
    [found] = around(window(zone), day)

    assert (f"{found.start:%Y-%m-%d %H:%M}", found.note) == (start, note)


def test_12_a_law_that_changes_the_clocks_is_seen_from_its_first_moment() -> None:
    """Stands for two versions of one zone's rules: New York as it is, and as it would be without summer time."""
    with_summer, without = ZoneInfo(NEW_YORK), ZoneInfo("America/Panama")

    assert first_difference(with_summer, without, utc("2026-01-01"), utc("2027-01-01")) == utc("2026-03-08 07:00")
    assert first_difference(with_summer, without, utc("2026-07-01"), utc("2027-01-01")) == utc("2026-07-01")
    assert first_difference(with_summer, without, utc("2026-11-02"), utc("2027-03-01")) is None

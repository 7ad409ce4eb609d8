"""Windows: which days, which moments, and what is refused by the name of its field."""

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.clocks.malformed import MalformedWindow
from services.compliance.clocks.windows import (
    Fold,
    Gap,
    Note,
    WindowText,
    next_window,
    occurrences,
    window_at,
    window_rule,
)
from tests.compliance.clocks.moments import BERLIN, NEW_YORK, PHOENIX, SYDNEY, around, starts, utc, window

GOOD: dict[str, object] = {"name": "w", "zone": NEW_YORK, "start": "02:00", "lasts": "PT4H"}


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("zone", {"zone": "EST"}),
        ("zone", {"zone": "Etc/GMT+5"}),
        ("zone", {"zone": "Mars/Olympus"}),
        ("start", {"start": "2:00"}),
        ("start", {"start": "24:00"}),
        ("start", {"start": "2 am"}),
        ("lasts", {"lasts": "4h"}),
        ("lasts", {"lasts": "PT0H"}),
        ("lasts", {"lasts": "P1D"}),
        ("lasts", {"lasts": "PT169H"}),
        ("rule", {"rule": "every sunday"}),
        ("rule", {"rule": "BYDAY=SU"}),
        ("rule", {"rule": "FREQ=HOURLY"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=XX"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=SU;BYDAY=MO"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY="}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=SU;SINCE=2026"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20270101T000000"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20270101"}),
        ("rule", {"rule": "FREQ=WEEKLY;BYDAY=SU;COUNT=0", "first_on": date(2026, 1, 4)}),
        ("rule", {"rule": "FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z", "first_on": date(2026, 1, 4)}),
        ("rule", {"rule": "FREQ=DAILY;INTERVAL=0", "first_on": date(2026, 1, 4)}),
        ("rule", {"rule": "FREQ=MONTHLY;BYMONTHDAY=32"}),
        ("rule", {"rule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}),
        ("rule", {"rule": "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "first_on": date(2026, 1, 1)}),
        ("rule", {"rule": "FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=1"}),
        ("rule", {"rule": "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=0"}),
        ("rule", {"rule": "FREQ=DAILY", "patch_tuesday_plus_days": 3}),
        ("first_on", {"rule": "FREQ=WEEKLY"}),
        ("first_on", {"rule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU"}),
        ("first_on", {"rule": "FREQ=DAILY;COUNT=3"}),
        ("first_on", {"rule": "FREQ=DAILY;COUNT=3", "first_on": date(9999, 1, 1)}),
        ("first_on", {"rule": "FREQ=WEEKLY", "first_on": date(9999, 12, 31)}),
        ("lasts", {"lasts": f"PT{'9' * 20}H"}),
        ("patch_tuesday_plus_days", {"patch_tuesday_plus_days": 28}),
        ("patch_tuesday_plus_days", {"patch_tuesday_plus_days": -1}),
    ],
)
def test_a_malformed_window_is_refused_and_says_which_field(field: str, changed: dict[str, object]) -> None:
    with pytest.raises(MalformedWindow) as refused:
        window_rule(WindowText(**{**GOOD, **changed}))  # type: ignore[arg-type]  # wrong on purpose

    assert refused.value.field == field
    assert str(refused.value) == f"{field}: {refused.value.reason}"


@pytest.mark.parametrize("rule", [None, "", "  "])
def test_an_empty_window_never_comes(rule: str | None) -> None:
    empty = window(rule=rule)

    assert around(empty, "2026-01-01", days=4000) == []
    assert (next_window(empty, utc("2026-01-01")), window_at(empty, utc("2026-01-04 08:00"))) == (None, None)


def test_days_after_the_second_tuesday() -> None:
    rule = window(rule=None, plus_days=5, start="22:00")

    assert starts(rule, "2026-02-01", days=120) == [
        "2026-02-16 03:00",
        "2026-03-16 02:00",
        "2026-04-20 02:00",
        "2026-05-18 02:00",
    ]


def test_days_after_the_second_tuesday_may_lie_in_the_next_month() -> None:
    assert starts(window(rule=None, plus_days=27), "2026-04-30", days=40) == ["2026-05-11 06:00", "2026-06-08 06:00"]


def test_on_excepted_days_there_is_no_window() -> None:
    rule = window(except_on=(date(2026, 12, 27),))

    assert starts(rule, "2026-12-20", days=15) == ["2026-12-20 07:00", "2027-01-03 07:00"]


def test_until_is_the_last_moment_at_which_one_starts() -> None:
    until = "FREQ=WEEKLY;BYDAY=SU;UNTIL=20260111T07000"

    assert starts(window(rule=f"{until}0Z"), "2026-01-01", days=30) == ["2026-01-04 07:00", "2026-01-11 07:00"]
    assert starts(window(rule="FREQ=WEEKLY;BYDAY=SU;UNTIL=20260111T065959Z"), "2026-01-01", days=30) == [
        "2026-01-04 07:00"
    ]


def test_every_second_week_is_counted_from_the_first_day() -> None:
    rule = window(rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", first_on=date(2026, 1, 11))

    assert starts(rule, "2026-01-01", days=45) == ["2026-01-11 07:00", "2026-01-25 07:00", "2026-02-08 07:00"]


def test_a_rule_that_says_no_day_takes_that_of_its_first() -> None:
    rule = window(rule="FREQ=MONTHLY", first_on=date(2026, 1, 31))

    assert starts(rule, "2026-01-01", days=95) == ["2026-01-31 07:00", "2026-03-31 06:00"]


@pytest.mark.parametrize(("gap", "last"), [(Gap.FORWARD, "2026-03-09 06:30"), (Gap.SKIP, "2026-03-10 06:30")])
def test_a_start_that_does_not_exist_is_not_counted_where_it_is_skipped(gap: Gap, last: str) -> None:
    rule = window(rule="FREQ=DAILY;COUNT=3", start="02:30", first_on=date(2026, 3, 7), gap=gap)

    assert len(found := starts(rule, "2026-03-01", days=400)) == 3
    assert found[-1] == last


def test_the_last_sunday_of_a_month() -> None:
    rule = window(BERLIN, rule="RRULE:FREQ=MONTHLY;BYDAY=-1SU")

    assert starts(rule, "2026-02-01", days=90) == ["2026-02-22 01:00", "2026-03-29 01:00", "2026-04-26 00:00"]


def test_a_zone_that_skips_a_whole_day_has_no_window_twice() -> None:
    rule = window("Pacific/Apia", rule="FREQ=DAILY")

    found = around(rule, "2011-12-29", days=4)

    assert [f"{each.local:%d}" for each in found] == ["29", "30", "01", "02"]
    assert len({each.start for each in found}) == 4


def test_the_open_window_and_the_next_one() -> None:
    rule = window()
    began, ends = utc("2026-01-04 07:00"), utc("2026-01-04 11:00")
    second = timedelta(seconds=1)

    assert window_at(rule, began - second) is None
    assert [window_at(rule, at) for at in (began, ends - second)] == [around(rule, "2026-01-04")[0]] * 2
    assert window_at(rule, ends) is None
    assert [next_window(rule, at).start for at in (began, began + second)] == [  # type: ignore[union-attr]
        began,
        utc("2026-01-11 07:00"),
    ]


RULES = ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU,WE", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYMONTHDAY=-1"]


@given(
    zone=st.sampled_from([NEW_YORK, BERLIN, SYDNEY, PHOENIX, "Australia/Lord_Howe", "Africa/Casablanca"]),
    rule=st.sampled_from(RULES),
    policy=st.tuples(st.sampled_from(Gap), st.sampled_from(Fold)),
    times=st.tuples(st.times(), st.integers(1, 48), st.integers(0, 26_000), st.integers(0, 60)),
)
def test_windows_are_exact_in_order_and_the_same_however_one_asks(
    zone: str, rule: str, policy: tuple[Gap, Fold], times: tuple[time, int, int, int]
) -> None:
    (gap, fold), (start, hours, first, cut) = policy, times
    made = window(zone, rule=rule, start=f"{start:%H:%M}", lasts=f"PT{hours}H", gap=gap, fold=fold)
    after = utc("2026-01-01") + timedelta(hours=first)
    middle, before = after + timedelta(days=cut), after + timedelta(days=60)

    whole = list(occurrences(made, after, before))

    assert whole == [*occurrences(made, after, middle), *occurrences(made, middle, before)]
    assert [each.start for each in whole] == sorted({each.start for each in whole})
    assert {each.end - each.start for each in whole} <= {timedelta(hours=hours)}
    assert not any(each.note is Note.MOVED_FORWARD for each in whole if gap is Gap.SKIP)
    assert all(after <= each.start < before for each in whole)

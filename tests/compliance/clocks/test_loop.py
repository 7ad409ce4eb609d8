"""Windows written down ahead, and told when they never come."""

from collections.abc import AsyncIterator

import pytest

from contracts.events.clock import WindowEmptied
from tests.builders import ACME, BIRCH
from tests.compliance.clocks.calendar import SUNDAYS, Calendar
from tests.compliance.clocks.moments import utc
from tests.compliance.house import House


@pytest.fixture
async def calendar(house: House) -> AsyncIterator[Calendar]:
    made = Calendar(house)
    await made.empty()
    house.now = utc("2025-03-01 12:00")
    yield made
    await made.empty()


async def test_windows_are_written_down_for_thirteen_months(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS})

    starts = await calendar.starts()

    assert (len(starts), starts[:3]) == (57, ["2025-03-02 07:00", "2025-03-09 07:00", "2025-03-16 06:00"])
    assert starts[-1] == "2026-03-29 06:00"
    assert await calendar.house.told(WindowEmptied) == []


async def test_looking_again_changes_nothing(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS, "empty": {}})
    before = await calendar.starts(), await calendar.house.published()

    calendar.start()
    await calendar.look()

    assert (await calendar.starts(), await calendar.house.published()) == before


async def test_a_month_later_they_are_written_down_further(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS})

    calendar.house.now = utc("2025-04-02 12:00")
    await calendar.look()

    starts = await calendar.starts()
    assert (starts[0], starts[-1]) == ("2025-03-02 07:00", "2026-04-26 06:00")


async def test_windows_that_are_long_over_are_forgotten(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS})

    calendar.house.now = utc("2026-04-09 10:59")
    await calendar.look()

    starts = await calendar.starts()
    assert starts[:2] == ["2025-03-09 07:00", "2025-03-16 06:00"]


async def test_another_rule_replaces_what_is_to_come_and_nothing_that_was(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS})
    calendar.house.now = utc("2025-03-09 08:00")

    await calendar.agree({"weekly": {**SUNDAYS, "rule": "FREQ=WEEKLY;BYDAY=SA"}})

    rows = await calendar.house.rows("SELECT start_at, end_at FROM window_occurrence ORDER BY start_at LIMIT 3")
    assert [tuple(row.values()) for row in rows] == [
        (utc("2025-03-02 07:00"), utc("2025-03-02 11:00")),
        (utc("2025-03-09 07:00"), utc("2025-03-09 08:00")),  # was open: nobody agrees to the rest of it any more
        (utc("2025-03-15 06:00"), utc("2025-03-15 10:00")),
    ]


async def test_a_window_that_is_no_longer_agreed_does_not_come(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS, "other": SUNDAYS})

    await calendar.agree({"other": SUNDAYS})

    assert (await calendar.starts("weekly"), len(await calendar.starts("other"))) == ([], 57)


async def test_an_empty_window_means_never_and_is_told_once(calendar: Calendar) -> None:
    await calendar.agree({"weekly": {}})
    await calendar.agree({"weekly": {}, "other": SUNDAYS})

    [told] = await calendar.house.told(WindowEmptied)

    assert (told.window, told.empty) == ("weekly", True)
    assert "neither a rule nor days" in told.why
    [event] = [each for each in await calendar.house.published() if isinstance(each.data, WindowEmptied)]
    assert (event.tenant, event.subject) == (ACME, f"window/{ACME}/weekly")


@pytest.mark.parametrize(
    ("windows", "why"), [({"weekly": SUNDAYS}, "it comes again"), ({}, "no such window any more")], ids=["rule", "gone"]
)
async def test_that_a_window_is_empty_no_longer_is_told(
    calendar: Calendar, windows: dict[str, dict[str, object]], why: str
) -> None:
    await calendar.agree({"weekly": {}})

    await calendar.agree(windows)

    told = (await calendar.house.told(WindowEmptied))[-1]
    assert (told.empty, why in told.why) == (False, True)


async def test_a_rule_that_ends_is_told_when_its_last_window_is_over(calendar: Calendar) -> None:
    await calendar.agree({"weekly": {**SUNDAYS, "rule": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20250310T000000Z"}})

    told = []
    for moment in ("2025-03-02 12:00", "2025-03-09 10:59:59", "2025-03-09 11:00", "2025-03-09 11:01"):
        calendar.house.now = utc(moment)
        await calendar.look()
        told.append(len(await calendar.house.told(WindowEmptied)))

    assert told == [0, 0, 1, 1]
    assert "its rule has ended" in (await calendar.house.told(WindowEmptied))[0].why


async def test_a_window_that_ends_within_the_hour_is_not_told_late(calendar: Calendar) -> None:
    calendar.house.now = utc("2025-03-09 10:30")
    await calendar.agree({"weekly": {**SUNDAYS, "rule": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20250310T000000Z"}})

    calendar.house.now = utc("2025-03-09 11:00")
    await calendar.look()

    assert [each.empty for each in await calendar.house.told(WindowEmptied)] == [True]


async def test_each_client_has_windows_of_its_own(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS})
    await calendar.agree({"weekly": SUNDAYS}, tenant=BIRCH, client="Birch Law", zone="America/Phoenix")

    assert (await calendar.starts())[2] == "2025-03-16 06:00"
    assert (await calendar.starts(tenant=BIRCH))[2] == "2025-03-16 09:00"

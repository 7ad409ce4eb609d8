"""Another version of the tz data: windows and deadlines follow it, and the difference is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.postgres import transaction
from contracts import ids
from contracts.events.clock import DeadlineMoved, TimezoneDataChanged, WindowMoved
from contracts.events.event import Event, Tier
from services.compliance.clocks import store_tzdata
from tests.builders import ACME, BIRCH
from tests.compliance.clocks.calendar import SUNDAYS, Calendar, clocks_without_summer_time
from tests.compliance.clocks.moments import NEW_YORK, PHOENIX, utc
from tests.compliance.house import House, asset_changed, client_in, with_release
from tests.compliance.stories import SERVER_2022

TOLD: tuple[type[Event], ...] = (TimezoneDataChanged, WindowMoved, DeadlineMoved)


@pytest.fixture
async def calendar(house: House) -> AsyncIterator[Calendar]:
    made = Calendar(house)
    await made.empty()
    yield made
    await made.empty()


async def _before(calendar: Calendar, folder: Path) -> None:
    """Two clients with a window and a machine each, decided while New York had no summer time; Phoenix never has."""
    house = calendar.house
    house.now = utc("2025-03-07 20:00")
    with clocks_without_summer_time(folder, NEW_YORK, like="America/Panama"):
        await house.hear(
            client_in(NEW_YORK),
            client_in(PHOENIX, tenant=BIRCH, name="Birch Law"),
            asset_changed(tier=Tier.WORKSTATION),
            asset_changed("dc02", tenant=BIRCH, tier=Tier.WORKSTATION),
            asset_changed("dc03", tier=Tier.SERVER),
        )
        await calendar.agree({"weekly": SUNDAYS}, sla=_TABLE)
        await calendar.agree({"weekly": SUNDAYS}, tenant=BIRCH, client="Birch Law", zone=PHOENIX, sla=_TABLE)
        await house.load_catalog(with_release(SERVER_2022.name, kb="5053599", released_at="2025-03-07T18:00:00Z"))
        await calendar.look()


_TABLE = [{"tiers": ["server"], "due": "PT168H"}, {"due": "P7D"}]


async def _told(calendar: Calendar) -> list[Event]:
    return [each.data for each in await calendar.house.published() if isinstance(each.data, TOLD)]


async def test_the_first_version_of_all_moves_nothing(calendar: Calendar) -> None:
    await calendar.look()

    assert await _told(calendar) == []
    assert await calendar.house.rows("SELECT number, version FROM tzdata_read") == [{"number": 1, "version": "2025a"}]


async def test_windows_move_with_the_clocks_and_it_is_told(calendar: Calendar, tmp_path: Path) -> None:
    await _before(calendar, tmp_path)
    before, others = await calendar.starts(), await calendar.starts(tenant=BIRCH)

    calendar.start("2025b")
    await calendar.look()

    after = await calendar.starts()
    assert (before[:2], after[:2]) == (
        ["2025-03-09 07:00", "2025-03-16 07:00"],
        ["2025-03-09 07:00", "2025-03-16 06:00"],
    )
    assert await calendar.starts(tenant=BIRCH) == others
    [moved] = await calendar.house.told(WindowMoved)
    assert (moved.tzdata_before, moved.tzdata_after, moved.zone) == ("2025a", "2025b", NEW_YORK)
    assert moved.count == len(moved.moves) == sum(was != becomes for was, becomes in zip(before, after, strict=True))
    first = moved.moves[0]
    assert (first.local, first.was_start_at, first.start_at) == (
        "2025-03-16T02:00",
        utc("2025-03-16 07:00"),
        utc("2025-03-16 06:00"),
    )


async def test_deadlines_in_days_move_with_the_clocks_and_those_in_hours_do_not(
    calendar: Calendar, tmp_path: Path
) -> None:
    await _before(calendar, tmp_path)

    calendar.start("2025b")
    await calendar.look()

    [moved] = await calendar.house.told(DeadlineMoved)
    assert (moved.label.device, moved.train) == ("dc01", "cumulative")
    assert (moved.was_due_at, moved.due_at) == (utc("2025-03-14 18:00"), utc("2025-03-14 17:00"))
    assert "2025b instead of 2025a: America/New_York differs from 2025-03-09 07:00Z on" in moved.why
    rows = await calendar.house.rows(
        "SELECT device, due_at FROM obligation JOIN asset USING (asset_id) WHERE due_at > $1 ORDER BY device",
        calendar.house.now,
    )
    assert [(row["device"], row["due_at"]) for row in rows] == [
        ("dc01", utc("2025-03-14 17:00")),
        ("dc02", utc("2025-03-14 18:00")),
        ("dc03", utc("2025-03-14 18:00")),
    ]


async def test_which_zones_differ_and_from_when_is_told_once(calendar: Calendar, tmp_path: Path) -> None:
    await _before(calendar, tmp_path)

    calendar.start("2025b")
    await calendar.look()
    before = await calendar.house.published()
    calendar.start()
    await calendar.look()

    assert await calendar.house.published() == before
    [changed] = await calendar.house.told(TimezoneDataChanged)
    assert (changed.before, changed.after) == ("2025a", "2025b")
    assert [(each.zone, each.first_at, each.clients) for each in changed.zones] == [
        (NEW_YORK, utc("2025-03-09 07:00"), 1)
    ]
    [event] = [each for each in before if isinstance(each.data, TimezoneDataChanged)]
    assert event.tenant == ids.EVERYONE


async def test_a_version_that_differs_nowhere_here_moves_nothing(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS}, tenant=BIRCH, client="Birch Law", zone=PHOENIX)

    calendar.start("2025b")
    await calendar.look()

    [only] = await _told(calendar)
    assert isinstance(only, TimezoneDataChanged)
    assert only.zones == ()


async def test_an_older_process_that_still_runs_writes_no_windows_back(calendar: Calendar, tmp_path: Path) -> None:
    await _before(calendar, tmp_path)
    older = calendar.clocks
    calendar.start("2025b")
    await calendar.look()
    before = await calendar.starts(), await calendar.house.published()

    calendar.house.now = utc("2025-03-07 22:00")
    await older.look()

    assert (await calendar.starts(), await calendar.house.published()) == before


async def test_what_a_version_said_can_be_asked_when_it_is_gone(calendar: Calendar, tmp_path: Path) -> None:
    await _before(calendar, tmp_path)
    calendar.start("2025b")
    await calendar.look()

    async with transaction(calendar.house.pool) as tx:
        was = await store_tzdata.zone_as_of(tx, "2025a", NEW_YORK)
        becomes = await store_tzdata.zone_as_of(tx, "2025b", NEW_YORK)
        unknown = await store_tzdata.zone_as_of(tx, "2019a", NEW_YORK)

    summer = utc("2025-07-01 12:00")
    assert was is not None
    assert becomes is not None
    assert (summer.astimezone(was).hour, summer.astimezone(becomes).hour, unknown) == (7, 8, None)


async def test_a_move_is_told_to_the_client_whose_machine_it_is(calendar: Calendar, tmp_path: Path) -> None:
    await _before(calendar, tmp_path)

    calendar.start("2025b")
    await calendar.look()

    told = [each for each in await calendar.house.published() if isinstance(each.data, WindowMoved | DeadlineMoved)]
    assert {each.tenant for each in told} == {ACME}
    assert len({each.id for each in told}) == len(told)

"""Maintenance windows that pass: counted per machine, told with a ticket on the n-th, and made up for."""

from datetime import timedelta

from contracts.events import rmm
from contracts.events.monitor import MissedBecause, WindowMissed
from tests.builders import of_device
from tests.compliance.house import asset_changed
from tests.compliance.monitors.agreeing import POLICY
from tests.compliance.monitors.room import Room
from tests.compliance.stories import JAN_BUILD, A, booted, gone, hour, listed, ref, reported, scanned

SUNDAY, WEEK = 107, 168
"""Hours from the story's beginning to Sunday 02:00 in New York."""
JUDGED = SUNDAY + 5
"""It lasts four hours, and reports travel for one."""


async def misses(room: Room) -> list[tuple[str, bool, int, bool]]:
    told = await room.told(WindowMissed)
    return [(each.label.device, each.missed, each.misses, each.ticket) for each in told]


async def test_a_server_that_was_away_twice_gets_a_ticket(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9))
    await room.at(hour(JUDGED) - timedelta(seconds=1))
    assert await misses(room) == []

    await room.at(hour(JUDGED))
    await room.at(hour(JUDGED + WEEK))

    assert await misses(room) == [("dc01", True, 1, False), ("dc01", True, 2, True)]
    last = (await room.told(WindowMissed))[-1]
    assert (last.because, last.starts_at, last.ends_at) == (
        MissedBecause.SILENT,
        hour(SUNDAY + WEEK),
        hour(SUNDAY + WEEK + 4),
    )
    assert last.next_starts_at == hour(SUNDAY + 2 * WEEK)
    assert "waits for its next window" in last.why


async def test_several_windows_that_passed_while_the_service_was_down_are_judged_in_turn(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9))

    await room.at(hour(JUDGED + 2 * WEEK))

    assert [each[2] for each in await misses(room)] == [1, 2, 3]


async def test_a_server_that_was_patched_in_its_window_missed_nothing(room: Room) -> None:
    await room.apply()
    room.house.now = hour(SUNDAY + 3)
    await room.house.hear(scanned(9), listed(9), reported(SUNDAY + 1))

    await room.at(hour(JUDGED))

    assert await misses(room) == []


async def test_a_server_that_was_there_while_nothing_was_done_was_idle(room: Room) -> None:
    await room.apply()
    room.house.now = hour(SUNDAY + 3)
    await room.house.hear(scanned(SUNDAY + 1), listed(SUNDAY + 1))

    await room.at(hour(JUDGED))

    [told] = await room.told(WindowMissed)
    assert told.because is MissedBecause.IDLE


async def test_whoever_catches_up_between_windows_has_missed_none(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9))
    await room.at(hour(JUDGED))
    room.house.now = hour(JUDGED + 5)
    await room.house.hear(reported(JUDGED + 1), booted(JUDGED + 2, JAN_BUILD), scanned(JUDGED + 3), gone(JUDGED + 3))
    await room.settle()
    await room.settle()

    assert await misses(room) == [("dc01", True, 1, False), ("dc01", False, 0, False)]


async def test_every_machine_is_judged_however_many_there_are(room: Room) -> None:
    servers = [f"srv{number}" for number in range(5)]
    await room.house.hear(*map(asset_changed, servers))
    await room.apply(POLICY.replace("ticket_after: 2", "ticket_after: 1"))
    for each in servers:
        found = rmm.PatchDetected(device=each, patch=ref(), scanned_at=hour(9))
        scan = rmm.PatchScanCompleted(device=each, scanned_at=hour(9))
        await room.house.hear(of_device(scan, at=hour(9), source=A), of_device(found, at=hour(9), source=A))

    await room.at(hour(JUDGED))

    assert sorted(await misses(room)) == [(each, True, 1, True) for each in servers]
    watched = await room.house.rows("SELECT starts_at, after_asset FROM window_watch")
    assert watched == [{"starts_at": hour(SUNDAY + WEEK), "after_asset": None}]


async def test_a_window_that_the_policy_no_longer_uses_is_let_go(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9))
    await room.at(hour(JUDGED))
    room.house.now += timedelta(hours=1)
    kept = [line for line in POLICY.splitlines() if "server: {" not in line and line != "deployment:"]
    await room.apply("\n".join(kept))

    assert await misses(room) == [("dc01", True, 1, False), ("dc01", False, 0, False)]
    assert await room.house.rows("SELECT window_name FROM window_watch") == []

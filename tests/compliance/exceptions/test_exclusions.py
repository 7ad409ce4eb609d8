"""Exclusions: told with who agreed and until when, ended once by a person or by time; no clock ever stops."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts.events.exception import ExclusionEnded, ExclusionRecorded
from services.compliance.exceptions.records import Exclusion
from tests.builders import ACME
from tests.compliance.exceptions.room import Room
from tests.compliance.house import asset_changed
from tests.compliance.stories import DEC_BUILD, listed, read, scanned

DAY = timedelta(days=1)


def exclusion(room: Room, **changes: Any) -> Exclusion:
    now = room.house.now
    ordinary: dict[str, Any] = {
        "id": UUID(int=3),
        "tenant_id": ACME,
        "patches": ("KB5049983",),
        "reason": "out of band",
        "approver": "Nora West",
        "valid_from": now,
        "until": now + 7 * DAY,
        "recorded_at": now,
    }
    return Exclusion(**{**ordinary, **changes})


async def test_it_is_told_and_ends_by_itself_at_its_end(room: Room) -> None:
    excluded = exclusion(room)
    await room.exclude(excluded)
    await room.exclude(excluded)

    await room.pass_time(days=7)
    await room.pass_time(days=1)

    begun, ended = await room.told()
    assert isinstance(begun, ExclusionRecorded)
    assert isinstance(ended, ExclusionEnded)
    assert (begun.approver, begun.patches, begun.until) == ("Nora West", ("KB5049983",), excluded.until)
    assert (ended.ended_at, ended.by_person) == (excluded.until, False)


async def test_one_that_a_person_ended_does_not_end_again(room: Room) -> None:
    excluded = exclusion(room)
    await room.exclude(excluded)
    await room.pass_time(days=2)

    await room.include(excluded)
    await room.pass_time(days=30)

    [ended] = [each for each in await room.told() if isinstance(each, ExclusionEnded)]
    assert (ended.by_person, ended.why) == (True, "rolled out at last")


async def test_an_excluded_update_is_overdue_all_the_same(room: Room) -> None:
    await room.house.hear(asset_changed(build=DEC_BUILD), scanned(-1), read(-1, DEC_BUILD), listed(0))
    await room.exclude(exclusion(room))

    await room.pass_time(hours=13)

    assert await room.house.state() == "MISSING_OVERDUE"

"""A source that falls silent is a fact, for each client that has devices there and asks; so is that it speaks again."""

from datetime import timedelta

import pytest

from contracts.events.monitor import SourceSilent
from tests.compliance.monitors.agreeing import POLICY
from tests.compliance.monitors.room import Room
from tests.compliance.stories import A, B, hour, listed, scanned

SECOND = timedelta(seconds=1)


async def silences(room: Room) -> list[tuple[str, bool]]:
    return [(each.source, each.silent) for each in await room.told(SourceSilent)]


@pytest.mark.parametrize(("after", "told"), [(6 * 3600 - 1, 0), (6 * 3600, 1), (6 * 3600 + 1, 1)])
async def test_a_source_is_silent_from_the_second_on_that_was_agreed(room: Room, after: int, told: int) -> None:
    await room.apply()
    await room.house.hear(scanned(10))
    await room.settle()
    await room.at(hour(10) + after * SECOND)

    assert await silences(room) == [(A, True)] * told


async def test_silence_is_told_once_and_ends_with_the_first_word(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(10))
    for hours in (16, 17, 18):
        await room.at(hour(hours))
    await room.house.hear(listed(18))
    await room.settle()

    assert await silences(room) == [(A, True), (A, False)]
    first = (await room.told(SourceSilent))[0]
    assert (first.heard_at, first.devices, first.longest_silence_seconds) == (hour(10), 1, 6 * 3600)


async def test_each_source_is_listened_to_by_itself(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(10), scanned(10, source=B))
    await room.settle()
    room.house.now = hour(15)
    await room.house.hear(scanned(15, source=B))
    await room.at(hour(16))

    assert await silences(room) == [(A, True)]


async def test_a_source_known_before_the_policy_is_listened_to_from_then_on(room: Room) -> None:
    await room.house.hear(scanned(9))
    await room.apply()
    await room.at(hour(16))

    assert await silences(room) == [(A, True)]


async def test_whoever_does_not_ask_is_not_told_and_whoever_asks_no_more_is_told_so(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(10))
    await room.at(hour(16))
    await room.apply(POLICY.replace("silent_source: {on: true, after: PT6H}", "silent_source: {on: false}"))
    await room.at(hour(40))

    told = await room.told(SourceSilent)
    assert [each.silent for each in told] == [True, False]
    assert "no longer asks" in told[-1].why
    assert await room.house.rows("SELECT source FROM source_watch") == []


async def test_a_busy_source_is_noted_once_a_minute(room: Room) -> None:
    await room.apply()
    for number in range(5):
        await room.house.hear(scanned(9 + number / 100))

    assert len(await room.house.rows("SELECT source FROM source_word")) == 1

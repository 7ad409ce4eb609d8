"""One machine's events over both lanes, read side by side in any interleaving, end in the rows of one lane alone."""

import asyncio
import random
from collections.abc import Sequence
from itertools import islice

import pytest

from chassis.errors import TRANSIENT
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged
from contracts.events.obligation import ObligationStateChanged, State
from contracts.topics import Lane
from tests.compliance.house import House, asset_changed
from tests.compliance.stories import failed, listed
from tests.compliance.test_order import news, sayings


async def heard(house: House, events: Sequence[Envelope], chance: random.Random) -> None:
    """Hear one lane in batches of any size, each again while that may work later."""
    rest = iter(events)
    while batch := list(islice(rest, chance.randint(1, 6))):
        await asyncio.sleep(chance.random() / 200)
        while True:
            try:
                await house.hear(*batch)
                break
            except TRANSIENT:
                await asyncio.sleep(0.001)


def in_bulk(events: Sequence[Envelope]) -> list[Envelope]:
    return [each._replace(lane=Lane.BULK) for each in events]


@pytest.mark.parametrize("seed", range(8))
async def test_events_over_both_lanes_end_in_the_rows_of_one(house: House, seed: int) -> None:
    chance = random.Random(seed)
    said, told = sayings(chance, 40), news(chance)
    await house.hear(*said, *told)
    await house.settle()
    alone = await house.everything()
    await house.empty()
    by_bulk = chance.sample(said, len(said) // 2)
    live = [each for each in said if each not in by_bulk] + chance.sample(by_bulk, 4)
    chance.shuffle(live)
    assets = [each for each in told if isinstance(each.data, AssetChanged)]
    rest = [each for each in told if each not in assets]

    await asyncio.gather(
        heard(house, [*live, *rest], chance), heard(house, in_bulk(by_bulk), chance), heard(house, assets, chance)
    )
    await house.settle()

    assert await house.everything() == alone


async def test_what_follows_from_bulk_says_so_and_a_live_failure_is_live(house: House) -> None:
    await house.hear(asset_changed())
    await house.hear(*in_bulk([listed(0)]))
    await house.hear(failed(1))
    await house.hear(*in_bulk([failed(2)]))

    told = [
        (each.data.state, each.lane)
        for each in await house.published()
        if isinstance(each.data, ObligationStateChanged)
    ]
    assert told[1:] == [(State.MISSING_IN_SLA, Lane.BULK), (State.FAILED, Lane.LIVE)]


async def test_a_repeat_from_the_other_lane_changes_nothing(house: House) -> None:
    await house.hear(asset_changed(), listed(0), failed(1))
    before, told = await house.everything(), len(await house.published())

    await house.hear(*in_bulk([listed(0), failed(1)]))

    assert await house.everything() == before
    assert len(await house.published()) == told

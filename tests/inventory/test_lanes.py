"""One device's events over both lanes, read side by side in any interleaving, end in the rows of one lane alone."""

import asyncio
import random
from collections.abc import Sequence
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import TRANSIENT
from contracts import ids
from contracts.envelope import Envelope
from contracts.topics import Lane
from tests.builders import MINUTE, NOON, SOURCE
from tests.inventory.conftest import EMPTY, Inventory
from tests.inventory.facts import asset_of, histories, seen, updated, usable
from tests.inventory.test_order_on_the_database import DEVICES, ON_REAL_DATABASE, assets_of


async def heard(inventory: Inventory, events: Sequence[Envelope], chance: random.Random) -> None:
    """Hear one lane in batches of any size, each again while that may work later."""
    rest = iter(events)
    while batch := list(islice(rest, chance.randint(1, 4))):
        await asyncio.sleep(chance.random() / 500)
        while True:
            try:
                await inventory.hears(*batch)
                break
            except TRANSIENT:
                await asyncio.sleep(0.001)


async def stored(inventory: Inventory) -> list[dict[str, object]]:
    """Return the assets as they stand, without what tells how often each was written."""
    ours = ("revision", "announced_seen_at")
    rows = await inventory.table("asset")
    return [{name: value for name, value in row.items() if name not in ours} for row in rows]


@ON_REAL_DATABASE
@given(st.data(), st.integers(0, 2**32))
async def test_events_over_both_lanes_end_in_the_rows_of_one(
    inventory: Inventory, data: st.DataObject, seed: int
) -> None:
    chance = random.Random(seed)  # both sides draw from it side by side, in no order that hypothesis could repeat
    events = data.draw(histories(DEVICES))
    twice = data.draw(st.lists(st.sampled_from(events), max_size=4))
    shuffled = chance.sample([*events, *twice], len(events) + len(twice))
    by_bulk = [chance.random() < 0.5 for _ in shuffled]
    live = [each for each, is_bulk in zip(shuffled, by_bulk, strict=True) if not is_bulk]
    bulk = [each._replace(lane=Lane.BULK) for each, is_bulk in zip(shuffled, by_bulk, strict=True) if is_bulk]
    await inventory.pool.execute(EMPTY)
    await inventory.hears(*events)
    alone = await stored(inventory)
    await inventory.pool.execute(EMPTY)

    await asyncio.gather(heard(inventory, live, chance), heard(inventory, bulk, chance))

    assert await stored(inventory) == alone
    assert len(alone) == len(assets_of(events))


async def test_news_of_what_came_in_bulk_says_so(inventory: Inventory) -> None:
    await inventory.hears(seen(hostname="a")._replace(lane=Lane.BULK))
    await inventory.hears(updated(at=NOON + 5 * MINUTE, hostname="b"))

    assert [each.lane for each in await inventory.published()] == [Lane.BULK, Lane.LIVE]


async def test_a_repeat_from_the_other_lane_changes_nothing(inventory: Inventory) -> None:
    event = seen(hostname="a")
    await inventory.hears(event)

    await inventory.hears(event._replace(lane=Lane.BULK))

    assert len(await inventory.published()) == 1
    [row] = await stored(inventory)
    assert row["hostname"] == asset_of([event]).said["hostname"]
    assert row["asset_id"] == ids.asset_id(SOURCE, usable(event).device)

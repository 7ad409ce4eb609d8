"""Any order, any repetition and any split into batches end in the same rows, the same history, the same last news."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.postgres import transaction
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged, AssetRemoved
from services.inventory import store
from services.inventory.rules import Asset
from services.inventory.rules_facts import ABOUT_DEVICE, Fact
from services.inventory.rules_news import news
from tests.builders import SOURCE, rising
from tests.inventory.conftest import EMPTY, Inventory
from tests.inventory.facts import QUIET, asset_of, deliveries, histories, usable

DEVICES = ("d1", "d2")
ON_REAL_DATABASE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def assets_of(events: Sequence[Envelope]) -> Mapping[UUID, Asset]:
    """Return the assets that the pure fold makes of all events at once."""
    by_device: dict[str, list[Envelope]] = {}
    for each in events:
        by_device.setdefault(usable(each).device, []).append(each)
    return {ids.asset_id(SOURCE, device): asset_of(theirs) for device, theirs in by_device.items()}


@ON_REAL_DATABASE
@given(st.data())
async def test_the_rows_are_those_of_the_pure_fold(inventory: Inventory, data: st.DataObject) -> None:
    await inventory.pool.execute(EMPTY)
    events = data.draw(histories(DEVICES))
    expected = assets_of(events)

    for batch in data.draw(deliveries(events)):
        await inventory.hears(*batch)

    async with transaction(inventory.pool) as tx:
        stored = await store.load_for_update(tx, expected)
    assert {key: each.asset for key, each in stored.items()} == expected
    assert {line["event_id"] for line in await inventory.table("device_fact")} == {
        each.id for each in events if type(each.data) in ABOUT_DEVICE
    }


@ON_REAL_DATABASE
@given(st.data())
async def test_the_last_news_of_an_asset_is_what_is_stored(inventory: Inventory, data: st.DataObject) -> None:
    await inventory.pool.execute(EMPTY)
    events = data.draw(histories(DEVICES))

    for batch in data.draw(deliveries(events)):
        await inventory.hears(*batch)

    told = await inventory.published()
    for key, asset in assets_of(events).items():
        theirs = [each for each in told if each.subject == str(key)]
        assert rising([each.sequence for each in theirs])
        assert len({each.id for each in theirs}) == len(theirs)
        assert_tells(theirs[-1], asset, usable(events[0]))


def assert_tells(last: Envelope, asset: Asset, any_fact: Fact) -> None:
    """The record is the asset's, but for a `last_seen_at` that may lag by less than the quiet."""
    now = news(asset, any_fact)
    if not isinstance(last.data, AssetChanged) or not isinstance(now.data, AssetChanged):
        assert last.data == now.data == AssetRemoved()
        return
    assert last.tenant == now.tenant
    assert last.data.model_dump(exclude={"last_seen_at"}) == now.data.model_dump(exclude={"last_seen_at"})
    assert now.data.last_seen_at - last.data.last_seen_at < QUIET

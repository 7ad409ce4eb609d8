"""The fold of facts into assets: the newest word on each field wins, in any order and any repetition."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.order import CLOCK_TOLERANCE
from services.inventory.rules import Asset
from services.inventory.rules_facts import Unusable, by_asset, fact
from services.inventory.rules_fields import FIELDS
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE, client_changed, of_device
from tests.inventory.facts import (
    again,
    asset_of,
    deliveries,
    histories,
    patch_detected,
    removed,
    seen,
    updated,
    usable,
)

LATER = NOON + MINUTE


def after(batches: Sequence[Sequence[Envelope]]) -> Asset:
    """Return the asset after one batch and then the next."""
    asset = None
    for batch in batches:
        asset = asset_of(batch, asset)
    assert asset is not None
    return asset


def test_the_newest_word_on_each_field_wins_not_the_newest_event() -> None:
    old = updated(hostname="pc-1", owner="ann")
    new = updated(hostname="pc-2", at=LATER)

    asset = asset_of([new, old])

    assert asset.said["hostname"] == "pc-2"
    assert asset.said["owner"] == "ann"


def test_a_late_word_on_a_field_that_nobody_mentioned_since_counts() -> None:
    asset = after([[updated(hostname="pc-2", at=LATER)], [updated(hostname="pc-1", serial="S1")]])

    assert asset.said["hostname"] == "pc-2"
    assert asset.said["serial"] == "S1"


def test_a_word_said_again_later_outlives_a_different_word_in_between() -> None:
    asset = after(
        [[updated(hostname="a")], [updated(hostname="a", at=NOON + 2 * MINUTE)], [updated(hostname="b", at=LATER)]]
    )

    assert asset.said["hostname"] == "a"


def test_of_two_words_of_the_same_moment_one_and_the_same_wins() -> None:
    first, second = updated(hostname="a"), updated(hostname="b")
    winner = max((first, second), key=lambda event: event.order)

    assert asset_of([first, second]).said == asset_of([second, first]).said
    assert asset_of([first, second]).said["hostname"] == usable(winner).said["hostname"]


def test_a_device_that_says_it_is_2099_wins_for_minutes_only() -> None:
    future = datetime(2099, 1, 1, tzinfo=UTC)
    wild = of_device(rmm.DeviceUpdated(device="d1", facts=rmm.DeviceFacts(hostname="wild")), at=future, received=NOON)
    sane = updated(hostname="sane", at=NOON + CLOCK_TOLERANCE + MINUTE)

    asset = asset_of([wild, sane])

    assert asset.said["hostname"] == "sane"
    assert asset.last_seen_at == NOON + CLOCK_TOLERANCE + MINUTE


def test_a_device_cannot_have_booted_after_it_said_so() -> None:
    future = datetime(2099, 1, 1, tzinfo=UTC)

    asset = asset_of([of_device(rmm.DeviceBooted(device="d1", booted_at=future), at=NOON)])

    assert asset.said["last_boot_at"] == NOON


def test_a_boot_tells_its_build_where_the_source_read_it() -> None:
    boot = rmm.DeviceBooted(device="d1", booted_at=NOON, os_build="22631.4460")
    blind = rmm.DeviceBooted(device="d1", booted_at=LATER)

    asset = asset_of([of_device(boot), of_device(blind, at=LATER)])

    assert asset.said["os_build"] == "22631.4460"
    assert asset.said["last_boot_at"] == LATER


def test_a_removed_device_comes_back_only_when_it_is_enrolled_again() -> None:
    gone = [seen(), removed(at=LATER)]
    online = of_device(rmm.DeviceOnline(device="d1"), at=LATER + MINUTE)

    assert asset_of(gone).is_removed
    assert asset_of([*gone, online, patch_detected(at=LATER + HOUR)]).is_removed
    assert not asset_of([*gone, seen(at=LATER + MINUTE)]).is_removed
    assert asset_of([seen(), removed(at=LATER), seen(at=NOON + MINUTE / 2)]).is_removed


def test_an_asset_belongs_to_the_client_of_its_newest_event() -> None:
    moved = of_device(rmm.DeviceOnline(device="d1"), at=LATER, tenant=BIRCH)
    late = of_device(rmm.DeviceUpdated(device="d1", facts=rmm.DeviceFacts(serial="S1")), tenant=ACME)

    assert asset_of([moved, late]).said["tenant_id"] == BIRCH


def test_the_same_text_in_another_spelling_is_the_same_word() -> None:
    asset = asset_of([updated(hostname="  pc-1\t x ", tags=("ring-1", " Kiosk", "ring-1"), owner=" ")])

    assert asset.said["hostname"] == "pc-1 x"
    assert asset.said["tags"] == ("Kiosk", "ring-1")
    assert asset.said["owner"] is None


def test_a_patch_event_shows_that_the_device_is_there_and_nothing_else() -> None:
    before = asset_of([updated(hostname="pc-1")])

    asset = asset_of([patch_detected(at=LATER)], before)

    assert asset.said == before.said
    assert asset.last_seen_at == LATER
    assert asset.first_seen_at == NOON


def test_every_fact_of_the_contract_is_a_field() -> None:
    assert set(rmm.DeviceFacts.model_fields) <= set(FIELDS)


def test_devices_of_one_name_at_two_sources_are_two_assets() -> None:
    here, there = updated(), of_device(rmm.DeviceOnline(device="d1"), source="rmm/ninjaone/other")

    assert set(by_asset([usable(here), usable(there)])) == {
        ids.asset_id(SOURCE, "d1"),
        ids.asset_id("rmm/ninjaone/other", "d1"),
    }


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (client_changed("Acme", sequence=1), "ce_type: client.changed.v1 is not about"),
        (of_device(rmm.DeviceOnline(device="d1"), tenant=None), "ce_tenantid: the header is missing"),
    ],
    ids=["no device", "no client"],
)
def test_what_can_never_be_folded_is_said(event: Envelope, reason: str) -> None:
    told = fact(event)

    assert isinstance(told, Unusable)
    assert told.reason.startswith(reason)


@given(st.data())
def test_order_repetition_and_batches_do_not_matter(data: st.DataObject) -> None:
    events = data.draw(histories())
    batches = data.draw(deliveries(events))

    assert after(batches) == asset_of(events)


@given(st.data())
def test_a_second_delivery_of_an_event_does_not_make_order_matter(data: st.DataObject) -> None:
    events = data.draw(histories())
    repeats = [again(each, later=2 * MINUTE) for each in data.draw(st.lists(st.sampled_from(events), max_size=4))]
    batches = data.draw(deliveries([*events, *repeats]))

    assert after(batches) == asset_of([*events, *repeats])


@given(histories())
def test_each_field_is_the_word_of_the_largest_order_that_mentions_it(events: list[Envelope]) -> None:
    asset = asset_of(events)

    for field in FIELDS:
        words = [(each.order, usable(each).said[field]) for each in events if field in usable(each).said]
        unsaid = () if field == "tags" else None
        assert asset.said[field] == (max(words, key=lambda word: word[0])[1] if words else unsaid)
    assert asset.first_seen_at == min(each.order.effective_at for each in events)
    assert asset.last_seen_at == max(each.order.effective_at for each in events)

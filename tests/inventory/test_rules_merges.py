"""Assets that are one: the smallest id survives whatever came first, and the newest word of all of them counts."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.envelope import Envelope
from services.inventory import rules_merges as rules
from services.inventory.rules import Asset
from services.inventory.rules_fields import FIELDS
from services.inventory.rules_merges import Membership
from services.inventory.rules_stamp import NEVER
from tests.builders import HOUR, MINUTE, NOON
from tests.inventory.facts import asset_of, histories, removed, seen, updated

DEVICES = ("d1", "d2", "d3")
ID = {device: ids.asset_id(seen(device).source, device) for device in DEVICES}
SMALLEST, MIDDLE, LARGEST = sorted(DEVICES, key=lambda device: ID[device])


def assets(*events: Envelope) -> dict[str, Asset]:
    """Return the assets that the events make, by device."""
    by_device: dict[str, list[Envelope]] = {}
    for each in events:
        by_device.setdefault(each.subject, []).append(each)
    return {device: asset_of(theirs) for device, theirs in by_device.items()}


def of_all(made: dict[str, Asset], kept: Sequence[Membership] = ()) -> rules.Regrouped:
    by_id = {each.asset_id: each for each in made.values()}
    return rules.joined(by_id, {each.asset_id: each for each in kept}, at=NOON)


@pytest.mark.parametrize("order", list(permutations(DEVICES)), ids="-".join)
def test_the_smallest_id_survives_whichever_two_were_merged_first(order: tuple[str, str, str]) -> None:
    made = assets(*(seen(device) for device in DEVICES))
    first = of_all({device: made[device] for device in order[:2]})

    both = of_all(made, first.memberships)

    assert {each.surviving_id for each in both.memberships} == {ID[SMALLEST]}
    survived = min(ID[order[0]], ID[order[1]])
    assert both.gone == {each: ID[SMALLEST] for each in (survived, ID[order[2]]) if each != ID[SMALLEST]}


def test_a_decision_is_later_than_all_that_was_said_and_decided_before() -> None:
    ahead = seen(SMALLEST, at=NOON + 4 * MINUTE)
    made = assets(ahead, seen(LARGEST))

    first = of_all(made)
    again = rules.parted(
        ID[LARGEST],
        {each.asset_id: each for each in made.values()},
        {each.asset_id: each for each in first.memberships},
        at=NOON,
    )

    assert {each.since_at for each in first.memberships} == {NOON + 4 * MINUTE + timedelta(microseconds=1)}
    assert {each.since_at for each in again.memberships} == {NOON + 4 * MINUTE + timedelta(microseconds=2)}


@pytest.mark.parametrize("taken_out", DEVICES)
def test_one_is_taken_out_and_the_others_stay_one(taken_out: str) -> None:
    made = assets(*(seen(device) for device in DEVICES))
    before = of_all(made)
    by_id = {each.asset_id: each for each in made.values()}

    after = rules.parted(ID[taken_out], by_id, {each.asset_id: each for each in before.memberships}, at=NOON)

    rest = {ID[device] for device in DEVICES if device != taken_out}
    assert {each.asset_id: each.surviving_id for each in after.memberships} == {
        ID[taken_out]: ID[taken_out],
        **dict.fromkeys(rest, min(rest)),
    }
    assert not after.gone


def test_of_each_field_the_newest_word_counts() -> None:
    made = assets(
        seen(SMALLEST, hostname="old", serial="S", os_build="1"),
        updated(LARGEST, at=NOON + MINUTE, hostname="new", os_build="2"),
        updated(SMALLEST, at=NOON + HOUR, os_build="3"),
    )

    one = rules.merged([made[LARGEST], made[SMALLEST]])

    assert (one.asset_id, one.device) == (ID[SMALLEST], SMALLEST)
    assert (one.said["hostname"], one.said["serial"], one.said["os_build"]) == ("new", "S", "3")
    assert (one.first_seen_at, one.last_seen_at) == (NOON, NOON + HOUR)


def test_what_is_removed_says_nothing_while_another_lives_and_the_id_stays() -> None:
    made = assets(
        seen(SMALLEST, hostname="gone", at=NOON + MINUTE),
        removed(SMALLEST, at=NOON + HOUR),
        seen(LARGEST, hostname="here"),
    )

    one = rules.merged(list(made.values()))

    assert (one.asset_id, one.device, one.said["hostname"]) == (ID[SMALLEST], LARGEST, "here")
    assert not one.is_removed
    assert [each.removed_at for each in rules.told_members(made.values(), NOON)] == [NOON + HOUR, None]


def test_all_removed_is_removed() -> None:
    made = assets(removed(SMALLEST), removed(LARGEST))

    assert rules.merged(list(made.values())).is_removed


@given(st.data())
def test_no_order_of_the_pairs_matters_and_every_word_is_one_that_somebody_said(data: st.DataObject) -> None:
    made = [asset_of(data.draw(histories(devices=[device]))) for device in DEVICES]

    one = rules.merged(data.draw(st.permutations(made)))

    assert one == rules.merged(made)
    assert one.asset_id == ID[SMALLEST]
    live = [each for each in made if not each.is_removed] or made
    for field in FIELDS:
        newest = max(each.stamps.get(field, NEVER) for each in live)
        assert one.stamps.get(field, NEVER) == newest
        if field != "online":
            assert one.said[field] in [each.said[field] for each in live if each.stamps.get(field, NEVER) == newest]
    assert one.said["online"] is (max((each.said["online"] for each in live), key=(None, False, True).index))

"""Two assets that are one machine: one population entry for each requirement, and two witnesses, in any order."""

import random
from collections.abc import Sequence
from datetime import datetime
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetMember
from contracts.events.obligation import FigurePublished, ObligationStateChanged, State, UncataloguedFailureChanged
from tests.builders import event
from tests.compliance.house import House, asset_changed, asset_removed
from tests.compliance.said import reader_failed
from tests.compliance.stories import (
    JAN_BUILD,
    OLD,
    SERVER_2022,
    A,
    B,
    booted,
    failed,
    gone,
    hour,
    listed,
    read,
    reported,
)
from tests.compliance.test_order import heard, sayings

SURVIVING, GONE = sorted([A, B], key=lambda source: ids.asset_id(source, "dc01"))
ONE = str(ids.asset_id(SURVIVING, "dc01"))
OTHER = str(ids.asset_id(GONE, "dc01"))


def members(*sources: str, since: datetime) -> tuple[AssetMember, ...]:
    return tuple(AssetMember(source=source, device="dc01", since=since) for source in sources)


def apart() -> list[Envelope]:
    """Return inventory's records of both as they were before anybody merged them."""
    return [asset_changed(source=A), asset_changed(source=B)]


def merged(at: float, *, sequence: int = 2) -> list[Envelope]:
    """Return what inventory tells of a merge: the one record, and that the other is gone."""
    one = members(A, B, since=hour(at))
    return [
        asset_changed(source=SURVIVING, sequence=sequence, at=hour(at), members=one),
        asset_removed(source=GONE, sequence=sequence, at=hour(at), merged_into=ONE),
    ]


def unmerged(at: float, *, sequence: int = 3) -> list[Envelope]:
    """Return what inventory tells of an unmerge: both records."""
    return [
        asset_changed(source=source, sequence=sequence, at=hour(at), members=members(source, since=hour(at)))
        for source in (A, B)
    ]


async def states(house: House) -> dict[str, str]:
    """Return the state of the cumulative update on each of the two assets that owe it."""
    found = {source: (await house.states(source=source)).get(SERVER_2022.name) for source in (SURVIVING, GONE)}
    return {source: state for source, state in found.items() if state is not None}


async def test_what_the_other_pair_read_proves_what_the_deployer_claimed(house: House) -> None:
    await house.hear(*apart(), listed(0), reported(1), read(3, JAN_BUILD, source=B))
    before = await house.states(source=A)

    await house.hear(*merged(4))

    assert before[SERVER_2022.name] == "PENDING_REBOOT"
    assert await states(house) == {SURVIVING: "VERIFIED"}
    assert {B} == {row["source"] for row in await house.rows("SELECT source FROM witness WHERE saw LIKE 'read%'")}


async def test_the_other_pairs_boot_and_the_rmms_scan_prove_it_together(house: House) -> None:
    await house.hear(*apart(), *merged(0), listed(0), reported(1), gone(1.5))
    before = await states(house)

    await house.hear(booted(3, source=B))

    assert (before, await states(house)) == ({SURVIVING: "PENDING_REBOOT"}, {SURVIVING: "VERIFIED"})


async def test_two_pairs_that_disagree_are_a_contradiction(house: House) -> None:
    await house.hear(*apart(), listed(0), reported(1), booted(2), read(3, OLD, source=B))

    await house.hear(*merged(4))

    assert await states(house) == {SURVIVING: "CONTRADICTED"}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_both_become_one_entry_of_the_population_whatever_is_heard_first(
    house: House, order: Sequence[int]
) -> None:
    await house.hear(*apart(), failed(1, source=GONE))
    record, removal = merged(4)
    parts = [record, removal, listed(2, source=GONE)]

    for number in order:
        await house.hear(parts[number])

    assert await states(house) == {SURVIVING: "FAILED"}
    while await house.figures.publish():
        continue
    newest = {each.severity: each for each in await house.told(FigurePublished)}
    assert sum(each.population for each in newest.values()) == len(await house.rows("SELECT FROM obligation"))
    assert {each.counts[State.RETIRED] for each in newest.values()} == {0}


async def told_of(house: House, asset: str) -> list[ObligationStateChanged]:
    """Return the newest word on each obligation of an asset."""
    newest = {each.requirement: each for each in await house.told(ObligationStateChanged) if each.label.asset == asset}
    return list(newest.values())


@pytest.mark.parametrize("first", [0, 1], ids=["the record first", "the removal first"])
async def test_what_is_told_of_the_vanished_asset_names_the_one_that_it_is_now(house: House, first: int) -> None:
    await house.hear(*apart(), failed(1, source=GONE), reader_failed(1)._replace(source=GONE))
    told = len(await house.published())
    parts = merged(4)

    await house.hear(parts[first])
    await house.hear(parts[1 - first])

    news = (await house.published())[told:]
    of_other = [each.data for each in news if each.subject == OTHER]
    changes = [each for each in of_other if isinstance(each, ObligationStateChanged)]
    assert {(each.state, each.continues_on) for each in changes} == {(State.RETIRED, ONE)}
    as_one = {each.requirement: each.state for each in await told_of(house, ONE)}
    assert {each.requirement: each.continues_as for each in changes} == as_one
    assert State.FAILED in as_one.values()
    unknown = [each for each in of_other if isinstance(each, UncataloguedFailureChanged)]
    assert [(each.failing, each.continues_on, each.continues_failing) for each in unknown] == [(False, ONE, True)]


async def test_the_same_news_again_tells_nothing(house: House) -> None:
    await house.hear(*apart(), failed(1, source=GONE), *merged(4))
    told = len(await house.published())

    await house.hear(*merged(4), *merged(4))

    assert len(await house.published()) == told


async def test_an_older_record_that_comes_after_the_merge_takes_no_device_back(house: House) -> None:
    await house.hear(asset_changed(source=SURVIVING), failed(1, source=GONE), *merged(4))

    await house.hear(asset_changed(source=GONE))

    assert await states(house) == {SURVIVING: "FAILED"}


async def test_beside_a_bad_neighbour_the_merge_is_heard(house: House) -> None:
    await house.hear(*apart(), failed(1, source=GONE))
    odd = asset_removed(source=A, sequence=9, at=hour(4), merged_into="nowhere")
    nobodys = event(asset_changed().data, subject="no id", sequence=1)

    batch = await house.hear(odd, *merged(4), nobodys)

    assert sorted(reason.partition(":")[0] for _, reason in batch.refused) == ["ce_mergedinto", "ce_subject"]
    assert await states(house) == {SURVIVING: "FAILED"}


async def test_an_unmerge_gives_each_its_own_again(house: House) -> None:
    await house.hear(*apart(), listed(0), reported(1), read(3, JAN_BUILD, source=B))
    before = await states(house)
    await house.hear(*merged(4))

    await house.hear(*unmerged(5))

    assert await states(house) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
async def test_what_fails_no_more_because_of_an_unmerge_names_where_it_fails(
    house: House, order: Sequence[int]
) -> None:
    await house.hear(*apart(), failed(1, source=GONE), *merged(4))
    told = len(await house.published())
    parts = sorted(unmerged(5), key=lambda each: each.subject)

    for number in order:
        await house.hear(parts[number])

    changes = [each.data for each in (await house.published())[told:] if isinstance(each.data, ObligationStateChanged)]
    of_one = [(each.before, each.continues_on, each.continues_as) for each in changes if each.label.asset == ONE]
    assert of_one == [(State.FAILED, OTHER, State.FAILED)]
    assert (await states(house))[GONE] == "FAILED"


async def test_what_is_removed_and_taken_out_takes_its_evidence_along(house: House) -> None:
    await house.hear(*apart(), failed(1, source=GONE), *merged(4))
    alone = members(SURVIVING, since=hour(5))

    await house.hear(
        asset_changed(source=SURVIVING, sequence=3, at=hour(5), members=alone),
        asset_removed(source=GONE, sequence=3, at=hour(5), merged_into=OTHER),
    )

    assert await states(house) == {SURVIVING: "UNKNOWN", GONE: "RETIRED"}


def decisions(last: int) -> list[Envelope]:
    """Return all that inventory ever told of the two, up to a decision: merged, unmerged, merged again."""
    told = [*apart(), *merged(1), *unmerged(2), *merged(3, sequence=4)]
    return told[: 2 + 2 * last]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3), st.integers(0, 12), st.randoms(use_true_random=False))
async def test_any_order_of_events_merges_and_unmerges_ends_in_the_same_rows(
    house: House, last: int, count: int, chance: random.Random
) -> None:
    events = [*sayings(chance, count), *decisions(last)]
    await house.empty()
    for each in events:
        await house.hear(each)
    await house.settle()
    in_order = await house.everything()
    await house.empty()

    await heard(house, events, chance)

    assert await house.everything() == in_order


async def test_a_removal_that_comes_before_the_device_is_known_ends_in_the_same_rows(house: House) -> None:
    *earlier, removed = decisions(3)
    await house.hear(*earlier, removed)
    in_order = await house.everything()
    await house.empty()

    await house.hear(removed)
    await house.hear(*earlier)

    assert await house.everything() == in_order

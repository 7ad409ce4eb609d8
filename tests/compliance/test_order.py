"""Through the real database: any order, repetition and split into batches ends in the same rows and figures."""

import asyncio
import random
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged
from contracts.events.event import Tier
from tests.compliance.house import House, asset_changed, asset_removed, bundled, client_in
from tests.compliance.stories import (
    DEC,
    DEC_BUILD,
    JAN,
    JAN_BUILD,
    A,
    B,
    approved,
    booted,
    failed,
    gone,
    hour,
    listed,
    read,
    rejected,
    reported,
    restart_pending,
    scanned,
    taken_off,
)
from tests.compliance.test_rules_fold import BY_ANY_CLOCK

EXAMPLES = 12


def sayings(chance: random.Random, count: int) -> list[Envelope]:
    """Return so many random words about one server, by two sources, about three patches."""

    def one() -> Envelope:
        at, source = chance.randint(-20, 9), chance.choice([A, B])
        patch = chance.choice([JAN, DEC, "5999999"])
        build = chance.choice([DEC_BUILD, JAN_BUILD])
        return chance.choice(
            [
                listed(at, patch, source=source),
                gone(at, patch, source=source),
                reported(at, patch, source=source),
                failed(at, patch, source=source),
                taken_off(at, patch, source=source),
                scanned(at, source=source),
                booted(at, source=source),
                read(at, build, source=source),
                approved(at, patch),
                rejected(at, patch),
                restart_pending(at, chance.choice([None, patch])),
            ]
        )

    return [one() for _ in range(count)]


def news(chance: random.Random) -> list[Envelope]:
    """Return what inventory and the gateway say meanwhile."""
    asset = asset_changed().subject
    told = [
        client_in("Australia/Sydney"),
        asset_changed(sequence=1, build=None, os_name=None),
        asset_changed(sequence=2, tier=chance.choice(list(Tier)), at=hour(-9)),
        asset_changed(sequence=3, source=B, asset=asset, at=hour(-8)),
        asset_changed(sequence=5, at=hour(-7)),
    ]
    return told + [asset_removed(sequence=chance.choice([4, 6]), at=hour(1))] * chance.randint(0, 1)


async def heard(house: House, events: list[Envelope], chance: random.Random) -> None:
    """Hear the events in a random order, some twice, in batches of random sizes."""
    shuffled = events + chance.sample(events, len(events) // 3)
    chance.shuffle(shuffled)
    rest = iter(shuffled)
    while batch := list(islice(rest, chance.randint(1, 12))):
        await house.hear(*batch)
    await house.settle()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BY_ANY_CLOCK, st.randoms(use_true_random=False))
async def test_ties_and_clocks_of_any_century_end_in_the_same_rows_in_any_order(
    house: House, said: list[Envelope], chance: random.Random
) -> None:
    events = said + news(chance)
    await house.empty()
    await house.hear(*events)
    await house.settle()
    at_once = await house.everything()
    await house.empty()

    await heard(house, events, chance)

    assert await house.everything() == at_once


@pytest.mark.parametrize("seed", range(EXAMPLES))
async def test_any_order_ends_in_the_same_rows(house: House, seed: int) -> None:
    chance = random.Random(seed)
    events = sayings(chance, 30) + news(chance)
    await house.hear(*events)
    await house.settle()
    at_once = await house.everything()

    for _ in range(2):
        await house.empty()
        await heard(house, events, chance)

        assert await house.everything() == at_once


async def test_a_catalog_loaded_before_or_after_ends_in_the_same_obligations(house: House) -> None:
    chance = random.Random(7)
    events = [*sayings(chance, 40), asset_changed()]
    await house.hear(*events)
    loaded_before = await house.rows("SELECT product, state, due_at, failures FROM obligation ORDER BY product")
    await house.empty()
    await house.load_catalog(bundled(without=["Windows Server 2022"]))

    await house.hear(*events)
    await house.load_catalog(bundled())

    after = await house.rows("SELECT product, state, due_at, failures FROM obligation ORDER BY product")
    assert after == loaded_before


@pytest.mark.parametrize("seed", range(5))
async def test_two_consumers_timers_and_rechecks_at_once_lose_nothing(house: House, seed: int) -> None:
    """Inventory's topic and the RMM's are read by whoever has the partition: their batches run side by side."""
    chance = random.Random(seed)
    said = sayings(chance, 40)
    told = news(chance)
    await house.hear(*said, *told)
    await house.settle()
    alone = await house.everything()
    await house.empty()

    async def of(events: list[Envelope]) -> None:
        rest = iter(events)
        while batch := list(islice(rest, chance.randint(1, 6))):
            await house.hear(*batch)

    async def alongside() -> None:
        for _ in range(6):
            await house.rechecks.recheck()
            await house.timers.ring()

    by_source = [[each for each in said if each.source == source] for source in (A, B)]
    assets = [each for each in told if isinstance(each.data, AssetChanged)]
    others = [each for each in told if each not in assets]
    await asyncio.gather(of(by_source[0]), of(by_source[1]), of(assets + others), alongside())
    await house.settle()

    assert await house.everything() == alone

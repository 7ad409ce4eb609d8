"""Policies, exceptions and people's words between events in any order: the same rows, and what was told agrees."""

import random
from datetime import timedelta
from itertools import islice
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import OUTSIDE_POPULATION, ObligationBreached, State
from tests.compliance.deciding import CUMULATIVE, People, policy
from tests.compliance.house import House
from tests.compliance.stories import hour
from tests.compliance.test_order import news, sayings

POLICIES = (
    policy(critical="PT6H", more="evidence: {windows: {quorum: 2}}"),
    policy(critical="PT20H", more="evidence: {windows: {accepts: [build, boot, second_source, attested]}}"),
)
LATER = timedelta(hours=30)
SEEDS = 4


async def decide(people: People, step: int) -> None:
    """Do one of the four things that people do, each in its turn."""
    match step:
        case 0 | 2:
            await people.apply(POLICIES[step // 2])
        case 1:
            await people.room.granted(until=hour(10) + LATER / 2)
        case _:
            await people.attest(number=step)


async def interleaved(people: People, events: list[Envelope], chance: random.Random) -> None:
    """Hear events in a random order and batches, some twice, and let people decide at random points between them."""
    shuffled = events + chance.sample(events, len(events) // 3)
    chance.shuffle(shuffled)
    points = sorted(chance.sample(range(len(shuffled)), 4))
    heard = 0
    rest = iter(shuffled)
    for step, point in enumerate(points):
        while heard < point and (batch := list(islice(rest, min(chance.randint(1, 12), point - heard)))):
            heard += len(batch)
            await people.house.hear(*batch)
        await decide(people, step)
    await people.house.hear(*rest)
    people.house.now += LATER
    await people.room.settle()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_people_may_decide_at_any_moment_between_events_in_any_order(house: House, seed: int) -> None:
    chance = random.Random(seed)
    people = People(house)
    events = sayings(chance, 30) + news(chance)
    ends = []
    for _ in range(2):
        await people.forget()
        await house.empty()
        house.shelf.policies.__init__()  # type: ignore[misc]  # forget what was read of versions that are gone
        house.now = hour(10)

        await interleaved(people, events, chance)

        ends.append(await house.everything())
        await _sums_and_agrees(house)

    assert ends[0] == ends[1]


async def _sums_and_agrees(house: House) -> None:
    """The partition sums to the population, and the last word on each breach is how it stands."""
    await house.figures.publish()
    kept = await house.rows("SELECT counts, population FROM figure")
    for row in kept:
        assert row["population"] == sum(n for state, n in row["counts"].items() if state not in OUTSIDE_POPULATION)
    owed = await house.rows("SELECT asset_id, requirement_id, state, breached_at FROM obligation")
    assert sum(sum(row["counts"].values()) for row in kept) == len(owed)
    told = {(each.label.asset, each.requirement): each.breached for each in await house.told(ObligationBreached)}
    for row in owed:
        key = str(row["asset_id"]), str(row["requirement_id"])
        assert told.get(key, False) is (row["breached_at"] is not None)
        assert row["breached_at"] is None or row["state"] not in {State.VERIFIED, State.EXCEPTED}
    assert {UUID(requirement) for _, requirement in told} <= {CUMULATIVE, *(row["requirement_id"] for row in owed)}

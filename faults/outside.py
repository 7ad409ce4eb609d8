"""The ticket system misbehaves in one way at a time, between ticketing and a real tracker; then it is away for an hour.

Each way is a row of its own: what an answer that is late, refused, garbled or cut off leaves behind is another thing
each time. The judge looks at the tracker itself.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from faults.between import restarted, ticketing_through, until_done, waiting
from faults.desk import Desk
from faults.parts import load
from faults.report import Injured
from faults.rows import row_of
from faults.world import World
from simulators.faulty_proxy import Fault, FaultyProxy, Seen, faulty_proxy

LOAD_AFTER_SECONDS: Final = 2.0

Share = Mapping[Fault, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in which answers go wrong: the share of requests that meet each fault, of those that write or of all.

    A request that is spared by one fault may meet the next.
    """

    says: str
    writes: Share
    all: Share

    def begin(self, world: World, proxy: FaultyProxy) -> None:
        """Let the requests that come from now on suffer, until the faults are stopped."""
        for fault, share in self.writes.items():
            proxy.faults.inject(fault, where=_some(world, share, lambda seen: seen.is_write), times=sys.maxsize)
        for fault, share in self.all.items():
            proxy.faults.inject(fault, where=_some(world, share, lambda _seen: True), times=sys.maxsize)


def _some(world: World, share: float, kind: Callable[[Seen], bool]) -> Callable[[Seen], bool]:
    return lambda seen: kind(seen) and world.rng.random() < share


ALL_500: Final = Way(says="answers 500 to everything", writes={Fault.ERROR_AFTER: 0.5}, all={Fault.ERROR_BEFORE: 1.0})
"""The tracker has a storm of these already."""

WAYS: Final = (
    Way(says="answers too late to what it did", writes={Fault.HANG_AFTER: 0.3}, all={Fault.HANG_AFTER: 0.03}),
    Way(
        says="answers 429 with Retry-After",
        writes={},
        all={Fault.LIMIT_SECONDS: 0.2, Fault.LIMIT_DATE: 0.2},
    ),
    Way(says="answers 429 without Retry-After", writes={}, all={Fault.LIMIT_BARE: 0.4}),
    ALL_500,
    Way(
        says="answers nonsense: pages, half of the JSON, other types, errors called 200",
        writes={Fault.PAGE_BEFORE: 0.1, Fault.ERROR_TEXT_BEFORE: 0.1},
        all={
            Fault.PAGE_AFTER: 0.1,
            Fault.HALF_JSON_AFTER: 0.1,
            Fault.OTHER_TYPES_AFTER: 0.1,
            Fault.ERROR_TEXT_AFTER: 0.1,
        },
    ),
    Way(
        says="half-closes, resets and cuts off connections",
        writes={Fault.HALF_CLOSE_AFTER: 0.15, Fault.RESET_AFTER: 0.15},
        all={Fault.LOSE_AFTER: 0.1, Fault.TRUNCATE_AFTER: 0.1, Fault.LOSE_REQUEST: 0.1, Fault.RESET_BEFORE: 0.1},
    ),
)
"""What any outside system does to its callers; the identity provider is treated to the same."""


async def injure(world: World) -> Sequence[Injured]:
    """Let one thing after the other go wrong between ticketing and the tracker, and judge after each."""
    desk = await world.desk_at_work()
    await world.morning_over()
    async with faulty_proxy(urlsplit(world.stack.around.tracker_url).port or 80) as proxy:
        await ticketing_through(world, proxy)
        try:
            return [await _way(world, desk, proxy, way) for way in WAYS if way is not ALL_500]
        finally:
            proxy.faults.stop()
            await restarted(world, {"ticketing": {}})


async def _way(world: World, desk: Desk, proxy: FaultyProxy, way: Way) -> Injured:
    seconds = world.size.of(quick=5.0, ordinary=8.0, full=30.0)
    world.say(f"the tracker {way.says}, {seconds:.0f} s")
    before = len(proxy.faults.injected)
    async with load(world, desk, seconds + LOAD_AFTER_SECONDS):
        way.begin(world, proxy)
        await asyncio.sleep(seconds)
        proxy.faults.stop()
        recovered = await until_done(world, await waiting(world))
    injected = len(proxy.faults.injected) - before
    return await row_of(world, world.size.marked(f"tracker {way.says}"), injected=injected, recovered=recovered)

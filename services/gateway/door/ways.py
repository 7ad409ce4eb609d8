"""Which lane a delivery takes at the door: by its route, or because its source delivers more than it may live."""

import time

from contracts.topics import Lane
from services.gateway import rules_lanes
from services.gateway.door.durable import Durable
from services.gateway.registry.sources import Kind, Source
from services.gateway.rules_lanes import Rate


class Ways:
    """The ways to durability, one per lane; what PSAs and exposure feeds send has no lanes and ways of its own."""

    def __init__(self, *, live: Durable, bulk: Durable, psa: Durable, exposures: Durable, rate: Rate) -> None:
        """Let each source deliver at `rate` to `live`, unless it has a rate of its own."""
        self._live = live
        self._bulk = bulk
        self._without_lanes = {Kind.PSA: psa, Kind.EXPOSURE: exposures}
        self._rate = rate
        self._paid_at: dict[str, float] = {}

    def of(self, source: Source) -> Durable:
        """Return the way of the next delivery of `source`, and count it."""
        if source.kind is not Kind.RMM:
            return self._without_lanes[source.kind]
        if source.lane is Lane.BULK:
            return self._bulk
        paid_at = self._paid_at.get(source.source_id, 0.0)
        lane, self._paid_at[source.source_id] = rules_lanes.turn(paid_at, source.rate or self._rate, time.monotonic())
        return self._live if lane is Lane.LIVE else self._bulk

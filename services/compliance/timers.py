"""What becomes true because time passed: overdue, stale, a release that is out now, an exception that ended."""

from typing import Final

from chassis import flow
from chassis.platform import Platform
from chassis.postgres import transaction
from chassis.telemetry import METERS, Count
from contracts import topics
from services.compliance import store_assets, store_timers
from services.compliance.evaluation import bench_at, evaluate
from services.compliance.policy import Policy
from services.compliance.rules_cause import Scope, passed
from services.compliance.store_catalog import CatalogShelf

MOST: Final = 500
"""Obligations that share one transaction: few, so that a batch hardly waits for them."""


class Timers:
    """Decides obligations anew when their moment comes. They are found by an index on that moment."""

    def __init__(self, on: Platform, shelf: CatalogShelf, policy: Policy, *, most: int = MOST) -> None:
        """Decide at most `most` in one transaction, by the clock of `on`."""
        self._on = on
        self._shelf = shelf
        self._policy = policy
        self._most = most

    async def ring(self) -> bool:
        """Decide those whose moment came, and return whether more are waiting."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            seen = await store_timers.due(tx, now, self._most)
            if not seen:
                return False
            bench = await bench_at(tx, self._shelf, self._policy, now)
            assets = await store_assets.lock_free(tx, {each.asset_id for each in seen})
            rung = await store_timers.still_due(tx, now, [each for each in seen if each.asset_id in assets])
            scope = Scope()
            for each in rung:
                scope.add_obligation(each.asset_id, each.requirement_id, passed(each.at))
            after = await evaluate(tx, assets, scope, bench)
            await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, after.events)
        METERS.add(Count.TIMERS, len(rung), group="compliance")
        self._on.relay.wake()
        return len(seen) == self._most and bool(rung)

"""By which policy each client's machines are watched, noticed when it changes."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.monitors import store_sources, store_watch, store_windows
from services.compliance.monitors.rules_agreed import Agreed, agreed
from services.compliance.policies.compile import Applied
from services.compliance.policies.store_policies import PolicyShelf


class Agreements:
    """What clients agreed to, as far as it asks for anything to be watched."""

    def __init__(self, policies: PolicyShelf) -> None:
        """Read policies from `policies`."""
        self._policies = policies
        self._ready: dict[int, Agreed] = {}
        self._noticed: dict[UUID, str] | None = None

    async def held(self, tx: Connection, now: datetime) -> Mapping[UUID, Agreed]:
        """Return what holds for each client that is watched; one whose policy changed is looked at as a whole."""
        applied = await self._policies.all_applied(tx, now)
        held = {tenant: each for tenant, one in applied.items() if (each := self._agreed(one)).is_watched}
        by_policy = {tenant: each.policy for tenant, each in held.items()}
        if by_policy != self._noticed:
            await self._notice(tx, held, by_policy, now)
        return held

    def _agreed(self, applied: Applied) -> Agreed:
        number = applied.version.number
        if number not in self._ready:
            self._ready[number] = agreed(applied)
        return self._ready[number]

    async def _notice(
        self, tx: Connection, held: Mapping[UUID, Agreed], by_policy: dict[UUID, str], now: datetime
    ) -> None:
        watched = await store_watch.watched_by(tx)
        if watched is None:
            return
        changed = {tenant: policy for tenant, policy in by_policy.items() if watched.get(tenant) != policy}
        gone = watched.keys() - by_policy.keys()
        if not changed and not gone:
            self._noticed = by_policy  # only what is committed: a transaction that fails notices again
            return
        await store_watch.notice(tx, changed, gone, now)
        await store_windows.follow(tx, [held[each] for each in sorted(changed)], gone, now)
        await store_sources.follow(tx, [held[each] for each in sorted(changed)], gone, now)

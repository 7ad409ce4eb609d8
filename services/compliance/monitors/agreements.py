"""By which policy each client's machines are watched, noticed when it changes."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.postgres import Connection
from contracts.events.monitor import Monitor
from services.compliance.clocks.names import iana
from services.compliance.monitors import store_sources, store_watch, store_windows
from services.compliance.monitors.rules_agreed import Agreed
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


def agreed(applied: Applied) -> Agreed:
    """Return what a policy that holds says about monitors, restarts and windows; it holds from when it was recorded."""
    document = applied.document
    on = document.monitors
    delays = {
        Monitor.UPDATES_FAILED: on.updates_failed,
        Monitor.UPDATES_INSTALLED: on.updates_installed,
        Monitor.MISSING_SERVICE_PACK: on.missing_service_pack,
        Monitor.OUT_OF_DATE: on.out_of_date,
    }
    return Agreed(
        tenant_id=applied.version.tenant_id,
        policy=applied.policy.id,
        since=max(document.valid_from, applied.version.recorded_at),
        zone=ZoneInfo(iana(document.zone)),
        longest_delay={monitor: each.detect_within for monitor, each in delays.items() if each.on},
        out_of_date_after=on.out_of_date.after,
        silent_after=on.silent_source.after if on.silent_source.on else None,
        windows={name: rule for name, rule in applied.windows.items() if rule.recurs is not None},
        deployment={tier: frozenset(rule.windows) for tier, rule in document.deployment.items()},
        reboots=document.reboot,
        missed_window=document.missed_window,
    )

"""Keeps windows written down for the months to come, and tells what a change of the calendar moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import topics
from contracts.envelope import Envelope
from contracts.events.clock import WindowEmptied
from services.compliance.clocks import rules_spread, store_deadlines, store_tzdata, store_windows, tzdata
from services.compliance.clocks.records import KeptRule, Tzdata
from services.compliance.clocks.rules_spread import Key
from services.compliance.clocks.rules_told import deadline_moved, window_emptied, window_moved
from services.compliance.clocks.windows import WindowRule
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.zones import TZDATA

MOST: Final = 50
"""Windows that share one transaction."""
MOST_DEADLINES: Final = 500
MOST_FORGOTTEN: Final = 10_000
"""Windows of old that one look, at most an hour after the one before, forgets."""
LOOK_AGAIN: Final = timedelta(hours=1)


class Clocks:
    """Notices the tz data, spreads clients' windows out, and tells of deadlines that moved."""

    def __init__(self, on: Platform, policies: PolicyShelf, *, version: str = TZDATA) -> None:
        """Work by the clock of `on`; `version` names the tz data that this process reads."""
        self._on = on
        self._policies = policies
        self._version = version
        self._read: Tzdata | None = None
        self._spread_for: Mapping[UUID, int] = {}
        self._look_again_at: datetime | None = None

    async def notice(self) -> Tzdata:
        """Note which tz data is read, once in a process; await it before the first decision."""
        if self._read is None:
            self._read = await tzdata.notice(self._on, self._policies, self._version)
        return self._read

    async def look(self) -> bool:
        """Do the next few of everything, and return whether there is more."""
        await self.notice()
        windows = await self._windows()
        deadlines = await self._deadlines()
        return windows or deadlines

    async def _windows(self) -> bool:
        """Write down the windows that changed or run out. Two short queries where nothing is to be done."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            applied = await self._policies.all_applied(tx, now)
            versions = {tenant: each.version.number for tenant, each in applied.items()}
            is_time = self._look_again_at is None or now >= self._look_again_at
            if not is_time and versions == self._spread_for:
                return False
            rules = {(tenant, name): rule for tenant, each in applied.items() for name, rule in each.windows.items()}
            left = await self._spread(tx, rules, now)
        self._on.relay.wake()
        if not left:
            self._spread_for = versions
        return left

    async def _spread(self, tx: Connection, rules: Mapping[Key, WindowRule], now: datetime) -> bool:
        read = await store_tzdata.last(tx)
        if read is None or read.version != self._version:  # a newer release runs beside this one: it does the writing
            self._look_again_at = now + LOOK_AGAIN
            return False
        kept = await store_windows.lock_rules(tx)
        due = sorted(key for key, rule in rules.items() if rules_spread.is_due(rule, kept.get(key), now, self._version))
        gone = sorted(kept.keys() - rules.keys())
        writing = _Writing(tx, now, self._version)
        for key in gone[:MOST]:
            await writing.end(kept[key])
        for key in due[:MOST]:
            await writing.rewrite(key[0], rules[key], kept.get(key))
        await _publish(tx, writing.told)
        await store_windows.forget_over(tx, now - rules_spread.KEPT, MOST_FORGOTTEN)
        if due or gone:
            kept = await store_windows.lock_rules(tx)
        ends = [each.last_end_at for each in kept.values() if each.last_end_at is not None and each.last_end_at > now]
        self._look_again_at = min([now + LOOK_AGAIN, *ends])
        return len(due) > MOST or len(gone) > MOST

    async def _deadlines(self) -> bool:
        """Tell which deadlines moved, of those that were decided anew. One query where nothing is to be told."""
        async with transaction(self._on.pool) as tx:
            moved, forgotten = await store_deadlines.decided(tx, MOST_DEADLINES)
            await _publish(tx, [deadline_moved(each) for each in moved])
        if moved:
            self._on.relay.wake()
        return forgotten == MOST_DEADLINES


@dataclass(slots=True)
class _Writing:
    """Writes windows down in one transaction, and gathers what is to be told of that."""

    tx: Connection
    now: datetime
    version: str
    told: list[Envelope] = field(default_factory=list)

    async def end(self, kept: KeptRule) -> None:
        """Let a window that the policy has no longer come never again."""
        await store_windows.end(self.tx, kept.tenant_id, kept.name, self.now)
        self._tell_emptied(kept.tenant_id, rules_spread.emptied(None, kept, None))

    async def rewrite(self, tenant_id: UUID, rule: WindowRule, before: KeptRule | None) -> None:
        """Write down what is to come of a window, and tell what the tz data alone moved."""
        after, windows = rules_spread.spread(tenant_id, rule, self.now, self.version)
        if before is not None and before.digest == after.digest and before.tzdata != after.tzdata:
            old = await store_windows.to_come(self.tx, tenant_id, rule.name, self.now)
            if moves := rules_spread.moves(old, windows, before.spread_until):
                self.told.append(window_moved(after, moves, before.tzdata, self.now))
        await store_windows.rewrite(self.tx, after, windows, self.now)
        self._tell_emptied(tenant_id, rules_spread.emptied(rule, before, after))

    def _tell_emptied(self, tenant_id: UUID, news: WindowEmptied | None) -> None:
        if news is not None:
            self.told.append(window_emptied(news, tenant_id, self.now))


async def _publish(tx: Connection, told: Sequence[Envelope]) -> None:
    if told:
        await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(each.subject, each) for each in told])
        await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, told)

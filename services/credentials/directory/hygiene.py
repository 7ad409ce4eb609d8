"""Looks at each client's accounts after they were read, and tells what is wrong with them and what no longer is."""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chassis import points
from chassis.errors import TRANSIENT
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids
from contracts.events.credential import HygieneChanged
from services.credentials import telling
from services.credentials.directory import rules_hygiene, rules_identity, store_hygiene, store_identity
from services.credentials.directory.rules_hygiene import Change, Finding
from services.credentials.guard import store_guard
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Cause, Fact

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 2.0
AT_LEAST_EVERY: Final = timedelta(hours=1)
"""Some findings come with time alone: a break-glass account grows untested, a person's last day passes."""

TOLD_AT_ONCE: Final = 500
"""A client that is looked at for the first time may have thousands of findings: its next ones are told right after."""


class HygieneRounds:
    """Looks at one client after the other; each in one transaction, with what it tells."""

    name = "hygiene"

    def __init__(self, on: Platform) -> None:
        """Share the process's parts."""
        self._on = on

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until `stopping`."""
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            try:
                if await self.look_at_next():
                    continue
            except TRANSIENT as error:
                log.warning("cannot look at hygiene", extra={"reason": str(error) or type(error).__name__})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_EVERY_SECONDS)

    async def look_at_next(self) -> bool:
        """Look at the client whose turn it is; return whether there was one.

        Raises:
            one of TRANSIENT: the database cannot be reached; nothing is kept or told.
        """
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            tenant = await store_hygiene.next_turn(tx, now - AT_LEAST_EVERY)
            if tenant is None:
                return False
            policy = (await store_guard.load(tx, [tenant], now=now))[tenant].policy
            changes = await self._changes(tx, tenant, policy, now)
            if len(changes) < TOLD_AT_ONCE:
                await store_hygiene.looked(tx, tenant, now)
            await telling.tell(tx, [_fact(tenant, each, now) for each in changes])
        points.reached("hygiene told")
        if changes:
            self._on.relay.wake()
            log.info("hygiene changed", extra={"tenant": str(tenant), "changes": len(changes)})
        return True

    async def _changes(self, tx: Connection, tenant: UUID, policy: GuardPolicy, now: datetime) -> list[Change]:
        """Return what is different since the client was last looked at, the first of it, and keep that.

        Nothing, from stale accounts.
        """
        if policy.hygiene.enabled and not await store_identity.fresh(tx, tenant, now, within=policy.fresh):
            return []
        found = await _found(tx, tenant, policy, now) if policy.hygiene.enabled else []
        changes = rules_hygiene.changes(await store_hygiene.load_before(tx, tenant), found)[:TOLD_AT_ONCE]
        await store_hygiene.save(tx, tenant, changes, now)
        await store_hygiene.reword(tx, tenant, found)
        return changes


async def _found(tx: Connection, tenant: UUID, policy: GuardPolicy, now: datetime) -> list[Finding]:
    leavers = await store_hygiene.load_leavers(tx, tenant)
    named = {*policy.break_glass, *policy.shared, *policy.service_accounts}
    spelled = sorted({each for name in named for each in (name, rules_identity.login_of(name))})
    accounts = await store_hygiene.load_accounts(tx, tenant, named=spelled, leavers=leavers)
    shows_use = await store_hygiene.show_use(tx, tenant)
    return rules_hygiene.findings(accounts, leavers, policy, shows_use=shows_use, now=now)


def _fact(tenant: UUID, change: Change, now: datetime) -> Fact:
    monitor, about = change.subject
    key = f"hygiene/{tenant}/{monitor.value}"
    return Fact(
        tenant=tenant,
        key=key,
        event=HygieneChanged(monitor=monitor, about=about, failing=change.failing, why=change.why),
        at=now,
        cause=Cause(id=ids.timer_fact_id(f"{key}/{about}", HygieneChanged.TYPE, now), received_at=now),
    )

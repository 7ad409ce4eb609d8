"""The loop that looks at machines: those that something happened to, and those whose moment came."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from services.compliance.monitors import store_looks, store_told, store_watch
from services.compliance.monitors.agreements import Agreements
from services.compliance.monitors.found import Found
from services.compliance.monitors.rules_agreed import Agreed
from services.compliance.monitors.store_watch import Due
from services.compliance.monitors.telling import tell

MOST: Final = 200
A_LITTLE_BEFORE: Final = timedelta(days=1)
"""A restart that was told is looked for by a moment that another source may have told a little differently."""


class Looks:
    """Looks at machines of clients whose policy asks for it, a few at a time, and tells what changed."""

    def __init__(self, on: Platform, agreements: Agreements, *, most: int = MOST) -> None:
        """Look at no more than `most` machines in one transaction, by the clock of `on`."""
        self._on = on
        self._agreements = agreements
        self._most = most

    async def look(self) -> bool:
        """Look at the next few machines, and return whether more are waiting."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            held = await self._agreements.held(tx, now)
            more_touched = await store_watch.take_touched(tx, held, now, self._most)
            due = await store_watch.due(tx, now, self._most)
            if not due:
                return more_touched
            await _save(tx, await _found(tx, held, due, now))
        self._on.relay.wake()
        return more_touched or len(due) == self._most


async def _found(tx: Connection, held: Mapping[UUID, Agreed], due: Sequence[Due], now: datetime) -> Found:
    """Return what a look at these machines comes to."""
    machines = await store_looks.machines(tx, [each.asset_id for each in due])
    judged_by = {each.asset_id: held[each.tenant_id] for each in machines.values() if each.tenant_id in held}
    restarted = [machines[each] for each, agreed in judged_by.items() if agreed.reboots]
    since = min((judged_by[each.asset_id].since for each in restarted), default=now) - A_LITTLE_BEFORE
    tells = await store_looks.add_restarts(tx, restarted, since) if restarted else set()
    found = Found(now)
    for each in due:
        machine, agreed = machines.get(each.asset_id), judged_by.get(each.asset_id)
        if machine is None:
            found.gone.append(each.asset_id)
        elif machine.tenant_id != each.tenant_id:
            found.leave(machine, each.tenant_id, each.since_at)
        elif agreed is None or machine.gone:
            found.end(machine, each.since_at)
        else:
            found.look(agreed, machine, each.since_at)
            if agreed.reboots:
                found.judge(agreed, machine, tells=machine.tenant_id in tells)
    return found


async def _save(tx: Connection, found: Found) -> None:
    if found.monitors:
        await store_told.save_monitors(tx, found.monitors, found.now)
    if found.reboots:
        await store_told.save_reboots(tx, found.reboots, found.now)
    if found.misses:
        await store_told.save_misses(tx, found.misses)
    await store_watch.looked(tx, found.look_at, found.gone)
    if found.moved:
        await store_watch.move(tx, found.moved, found.now)
    await tell(tx, found.events)

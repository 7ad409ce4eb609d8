"""The loop that judges maintenance windows once they are over: whose machines missed them, for the how many-th time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts.envelope import Envelope
from contracts.events.event import Tier
from services.compliance.monitors import rules_told, store_looks, store_told, store_windows
from services.compliance.monitors.agreements import Agreements
from services.compliance.monitors.rules_agreed import Agreed
from services.compliance.monitors.rules_windows import NONE_MISSED, Passed, after, to_judge_after
from services.compliance.monitors.store_looks import Machine
from services.compliance.monitors.store_told import MissLine
from services.compliance.monitors.store_windows import Judging
from services.compliance.monitors.telling import tell

MOST: Final = 200


class Passing:
    """Judges windows that are over, machine by machine, a few in one transaction."""

    def __init__(self, on: Platform, agreements: Agreements, *, most: int = MOST) -> None:
        """Judge at most `most` machines at once, by the clock of `on`."""
        self._on = on
        self._agreements = agreements
        self._most = most

    async def judge(self) -> bool:
        """Judge the next machines of one window, and return whether more may be waiting."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            judging = await store_windows.next_to_judge(tx, now)
            if judging is None:
                return False
            held = await self._agreements.held(tx, now)
            agreed = held.get(judging.tenant_id)
            if agreed is None or judging.window not in agreed.used_windows:
                await store_windows.advance(tx, judging, None)
                return True
            await self._judged(tx, agreed, judging, now)
        self._on.relay.wake()
        return True

    async def _judged(self, tx: Connection, agreed: Agreed, judging: Judging, now: datetime) -> None:
        tiers = [tier for tier in Tier if any(judging.window in names for names in agreed.windows_of(tier))]
        assets = await store_windows.machines(tx, judging, tiers, self._most)
        if assets:
            await _tell(tx, agreed, judging, assets, now=now)
        if len(assets) == self._most:
            await store_windows.get_on(tx, judging, assets[-1])
            return
        await store_windows.advance(tx, judging, to_judge_after(agreed.windows[judging.window], judging.starts_at))


async def _tell(tx: Connection, agreed: Agreed, judging: Judging, assets: list[UUID], *, now: datetime) -> None:
    """Save and tell whose count of misses changes."""
    machines = await store_looks.machines(tx, assets)
    during = await store_windows.during(tx, assets, judging)
    lines: list[MissLine] = []
    events: list[Envelope] = []
    for machine in (machines[each] for each in assets):
        passed = _passed(agreed, judging, machine, during)
        before = machine.missed.get(judging.window, NONE_MISSED)
        count = after(before, passed, agreed.missed_window)
        if count == before or not (count.misses or before.misses):
            continue
        event = (
            rules_told.window_missed(machine.label, judging.window, passed, count, agreed=agreed, now=now)
            if count.misses
            else rules_told.caught_up(machine.label, judging.window, before, agreed)
        )
        of = {"asset_id": machine.asset_id, "tenant_id": machine.tenant_id}
        events.append(rules_told.told(event, **of, now=now, about=f"window/{judging.window}"))
        lines.append(MissLine(machine.asset_id, machine.tenant_id, judging.window, count))
    if lines:
        await store_told.save_misses(tx, lines)
        await tell(tx, events)


def _passed(agreed: Agreed, judging: Judging, machine: Machine, during: Mapping[UUID, bool]) -> Passed:
    deployments, restarts = agreed.windows_of(machine.label.tier)
    this = {judging.window}
    counts = rules_told.served(deployments & this, restarts & this, machine.owed, by=judging.starts_at)
    return Passed(
        starts_at=judging.starts_at,
        ends_at=judging.ends_at,
        due=counts.get(judging.window, 0),
        acted=during.get(machine.asset_id, False),
        heard=machine.asset_id in during,
    )

"""What a look at some machines comes to: what is told, and what is saved with it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events.event import Event
from services.compliance.monitors import rules_told
from services.compliance.monitors.rules_agreed import Agreed
from services.compliance.monitors.rules_heard import heard_at, restarts
from services.compliance.monitors.rules_monitors import Change, Watched, changes, conditions, look_at
from services.compliance.monitors.rules_reboots import judged, news
from services.compliance.monitors.rules_windows import caught_up
from services.compliance.monitors.store_looks import Machine
from services.compliance.monitors.store_told import MissLine, MonitorLine, RebootLine


@dataclass(slots=True)
class Found:
    """Filled by looking at one machine after the other, at the moment `now`."""

    now: datetime
    events: list[Envelope] = field(default_factory=list)
    monitors: list[MonitorLine] = field(default_factory=list)
    reboots: list[RebootLine] = field(default_factory=list)
    misses: list[MissLine] = field(default_factory=list)
    look_at: dict[UUID, datetime] = field(default_factory=dict)
    gone: list[UUID] = field(default_factory=list)
    moved: dict[UUID, UUID] = field(default_factory=dict)

    def leave(self, machine: Machine, tenant_id: UUID, since: datetime) -> None:
        """Take back what client `tenant_id` was told of a machine that is another's now; it is looked at anew."""
        self.end(replace(machine, tenant_id=tenant_id), since)
        self.gone.remove(machine.asset_id)
        self.moved[machine.asset_id] = machine.tenant_id

    def end(self, machine: Machine, since: datetime) -> None:
        """Take back everything that was told of a machine that nobody watches any more."""
        nothing = Agreed(tenant_id=machine.tenant_id, policy="none", since=self.now, zone=UTC)
        for change in changes(machine.told, {}, nothing, since=since, now=self.now):
            why = "it left the inventory" if machine.gone else change.condition.why
            self._monitor(nothing, machine, change._replace(condition=change.condition._replace(why=why)))
        self._caught_up(nothing, machine, machine.missed)
        self.gone.append(machine.asset_id)

    def look(self, agreed: Agreed, machine: Machine, since: datetime) -> None:
        """Tell which monitors changed, and which missed windows were made up for. It is watched since `since`."""
        watched = Watched(
            owed=machine.owed,
            failing_uncatalogued=machine.failing_uncatalogued,
            heard_at=heard_at(machine.devices),
            since=since,
        )
        states = conditions(agreed, watched, self.now)
        for change in changes(machine.told, states, agreed, since=since, now=self.now):
            self._monitor(agreed, machine, change)
        deployments, reboots = agreed.windows_of(machine.label.tier)
        used = agreed.used_windows
        served = rules_told.served(deployments & used, reboots & used, machine.owed)
        self._caught_up(agreed, machine, [name for name in machine.missed if not served.get(name)])
        self.look_at[machine.asset_id] = look_at(agreed, watched, states, self.now)

    def judge(self, agreed: Agreed, machine: Machine, *, tells: bool) -> None:
        """Tell of restarts that are new, or that what was heard since makes something else."""
        times = {each.judged.booted_at: each.times for each in machine.reboots}
        heard = restarts(machine.label.tier, machine.devices, machine.evidence, machine.words, tells=tells)
        for each in news([known.judged for known in machine.reboots], judged(agreed, heard)):
            count = times.get(each.booted_at, 0) + 1
            event = rules_told.reboot_recorded(machine.label, each)
            self._tell(machine, event, f"reboot/{each.booted_at.isoformat()}/{count}")
            self.reboots.append(RebootLine(machine.asset_id, machine.tenant_id, each, agreed.policy, count))

    def _monitor(self, agreed: Agreed, machine: Machine, change: Change) -> None:
        event = rules_told.monitor_changed(machine.label, change, agreed, self.now)
        told = self._tell(machine, event, f"monitor/{change.monitor}")
        self.monitors.append(MonitorLine(told.id, machine.asset_id, machine.tenant_id, change, agreed.policy))

    def _caught_up(self, agreed: Agreed, machine: Machine, windows: Iterable[str]) -> None:
        for name in sorted(windows):
            before = machine.missed[name]
            if before.misses and before.starts_at is not None:
                event = rules_told.caught_up(machine.label, name, before, agreed)
                self._tell(machine, event, f"window/{name}")
                self.misses.append(MissLine(machine.asset_id, machine.tenant_id, name, caught_up(before)))

    def _tell(self, machine: Machine, event: Event, about: str) -> Envelope:
        told = rules_told.told(event, asset_id=machine.asset_id, tenant_id=machine.tenant_id, now=self.now, about=about)
        self.events.append(told)
        return told

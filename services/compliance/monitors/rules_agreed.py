"""What a client agreed to about monitors, restarts and windows: its policy file, as the rules here need it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from uuid import UUID

from contracts.events.event import Tier
from contracts.events.monitor import Monitor
from services.compliance.clocks.durations import exact, term
from services.compliance.clocks.windows import WindowRule
from services.compliance.policies.parts import MissedWindow, RebootRule, Scheduled
from services.compliance.rules_deadline import deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What holds for one client since `since`, by the policy called `policy`. Durations are ISO 8601.

    `longest_delay` has the monitors that are on, with how long each may take to notice. `windows` has those that can
    open; `deployment` by tier their names, `deploys_any_time` the tiers that wait for none.
    """

    tenant_id: UUID
    policy: str
    since: datetime
    zone: tzinfo
    longest_delay: Mapping[Monitor, str] = field(default_factory=dict)
    out_of_date_after: str = "P45D"
    silent_after: str | None = None
    windows: Mapping[str, WindowRule] = field(default_factory=dict)
    deployment: Mapping[Tier, frozenset[str]] = field(default_factory=dict)
    reboots: Mapping[Tier, RebootRule] = field(default_factory=dict)
    missed_window: MissedWindow = field(default_factory=MissedWindow)

    @property
    def is_watched(self) -> bool:
        """Return whether anything is: a monitor is on, restarts are judged, windows are used, silence is told."""
        return bool(self.longest_delay or self.reboots or self.used_windows or self.silent_after)

    @property
    def used_windows(self) -> frozenset[str]:
        """Return the windows that open and that some class of machines is served in."""
        named = {name for names in self.deployment.values() for name in names}
        for rule in self.reboots.values():
            named |= set(rule.windows) if isinstance(rule, Scheduled) else set()
        return frozenset(named & self.windows.keys())

    def windows_of(self, tier: Tier) -> tuple[frozenset[str], frozenset[str]]:
        """Return in which windows machines of a class are patched, and in which they restart."""
        rule = self.reboots.get(tier)
        restarts = frozenset(rule.windows) if isinstance(rule, Scheduled) else frozenset()
        return self.deployment.get(tier, frozenset()), restarts

    @property
    def longest(self) -> str | None:
        """Return the longest of the monitors' delays; `None`: no monitor is on."""
        return max(self.longest_delay.values(), key=lambda each: later(self.since, each, self.zone), default=None)


def later(start: datetime, length: str, zone: tzinfo) -> datetime:
    """Return the moment that is `length` after `start`: exact hours and minutes, or days and months by the calendar.

    Raises:
        MalformedDuration: it is none; a policy that is stored has none such.
    """
    if length.startswith("PT"):
        return start + exact(length)
    return deadline(start, term(length), zone)

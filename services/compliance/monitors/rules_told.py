"""The events in which monitors, restarts and windows are told. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.event import Event
from contracts.events.monitor import MonitorChanged, RebootRecorded, SourceSilent, WindowMissed
from contracts.events.obligation import DeviceLabel, State
from services.compliance.clocks.windows import next_window
from services.compliance.monitors import rules_windows
from services.compliance.monitors.rules_agreed import Agreed, later
from services.compliance.monitors.rules_monitors import Change, Owed
from services.compliance.monitors.rules_reboots import Judged
from services.compliance.monitors.rules_windows import Misses, Passed
from services.compliance.rules_cause import SOURCE, Cause, envelope

LACKING: Final = frozenset({State.MISSING_IN_SLA, State.MISSING_OVERDUE, State.FAILED, State.STALE})
"""What a deployment in a window serves, `STALE` too: whoever is away misses windows. A restart serves what waits."""


def told(event: Event, *, asset_id: UUID, tenant_id: UUID, now: datetime, about: str) -> Envelope:
    """Return a fact about a machine as an event of this moment; `about` tells it from others of that moment."""
    return envelope(Cause(now, now), event, asset_id=asset_id, tenant_id=tenant_id, about=about)


def monitor_changed(label: DeviceLabel, change: Change, agreed: Agreed, now: datetime) -> MonitorChanged:
    """Return the news that a monitor's condition became true, or is no longer."""
    longest = agreed.longest_delay.get(change.monitor) or agreed.longest or "P1D"
    return MonitorChanged(
        label=label,
        monitor=change.monitor,
        failing=change.condition.failing,
        why=change.condition.why[:2000],
        happened_at=change.condition.happened_at,
        detected_at=now,
        delay_seconds=int(change.delay.total_seconds()),
        longest_delay_seconds=int((later(now, longest, agreed.zone) - now).total_seconds()),
        late=change.late,
    )


def reboot_recorded(label: DeviceLabel, judged: Judged) -> RebootRecorded:
    """Return the news of a restart and of what the client's policy says of it."""
    return RebootRecorded(
        label=label,
        booted_at=judged.booted_at,
        verdict=judged.verdict,
        why=judged.why[:2000],
        deployed=judged.deployed,
        rule=judged.rule,
        window=judged.window,
        notified_at=judged.notified_at,
        notice_seconds=int(judged.notice.total_seconds()) if judged.notice is not None else None,
        deferrals=judged.deferrals,
        consented_by=judged.consented_by,
        consented_at=judged.consented_at,
    )


def window_missed(
    label: DeviceLabel, window: str, passed: Passed, misses: Misses, *, agreed: Agreed, now: datetime
) -> WindowMissed:
    """Return the news that a window passed unused for a machine on which something is due."""
    upcoming = next_window(agreed.windows[window], now)
    starts_at = upcoming.start if upcoming else None
    return WindowMissed(
        label=label,
        window=window,
        missed=True,
        starts_at=passed.starts_at,
        ends_at=passed.ends_at,
        because=rules_windows.because(passed),
        misses=misses.misses,
        ticket=misses.ticket,
        catch_up=agreed.missed_window.catch_up,
        next_starts_at=starts_at,
        why=rules_windows.why(passed, agreed.missed_window, starts_at),
    )


def caught_up(label: DeviceLabel, window: str, before: Misses, agreed: Agreed) -> WindowMissed:
    """Return the news that a machine that missed windows has caught up, or is served in that window no longer."""
    at = before.starts_at or agreed.since
    return WindowMissed(
        label=label,
        window=window,
        missed=False,
        starts_at=at,
        ends_at=before.ends_at or at,
        misses=0,
        catch_up=agreed.missed_window.catch_up,
        why="nothing that this window is for is due any more",
    )


def served(
    deployments: Collection[str], restarts: Collection[str], owed: Sequence[Owed], *, by: datetime | None = None
) -> dict[str, int]:
    """Return how many requirements each window could serve; `by`: of those that were out, or waited, by then."""
    lacking = sum(each.state in LACKING and _is_by(each.released_at, by) for each in owed)
    waiting = sum(each.state is State.PENDING_REBOOT and _is_by(each.since_at, by) for each in owed)
    counts = dict.fromkeys([*deployments, *restarts], 0)
    for name in deployments:
        counts[name] += lacking
    for name in restarts:
        counts[name] += waiting
    return counts


def _is_by(at: datetime | None, by: datetime | None) -> bool:
    return by is None or at is None or at <= by


def source_silent(source: str, tenant_id: UUID, now: datetime, event: SourceSilent) -> Envelope:
    """Return a fact about a source as an event for one client; its subject is the source, not a machine."""
    subject = f"source/{source}"
    return Envelope(
        id=ids.event_id_of_fields(SOURCE, event.TYPE, now, str(tenant_id), subject),
        source=SOURCE,
        subject=subject,
        time=now,
        received=now,
        tenant=tenant_id,
        data=event,
    )

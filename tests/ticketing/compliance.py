"""What compliance tells besides failures, as the tests of ticketing need it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.events import exception
from contracts.events.clock import WindowEmptied
from contracts.events.event import Event, OsFamily, Severity, Tier
from contracts.events.monitor import (
    MissedBecause,
    Monitor,
    MonitorChanged,
    RebootRecorded,
    RebootVerdict,
    SourceSilent,
    WindowMissed,
)
from contracts.events.obligation import DeviceLabel, ObligationBreached, State
from contracts.events.priority import TriageChanged, TriageStep
from tests.builders import NOON, event

EXCEPTION: Final = "5b0f8a3e-6f7b-5d0a-8f52-0a4d8b1e2c31"
REQUIREMENT: Final = "d3b86a6e-3b0e-5a0e-9d2f-0a2c6c2c9d11"
UNTIL: Final = NOON + timedelta(days=30)
CONTROLS: Final = (exception.ExceptionControl(kind="restricted_access", text="two people"),)


def label(asset: str = "a-1") -> DeviceLabel:
    return DeviceLabel(
        asset=asset,
        source="rmm/ninjaone/main",
        device="4821",
        hostname=f"HOST-{asset}",
        os_family=OsFamily.WINDOWS,
        tier=Tier.SERVER,
    )


def told(content: Event, sequence: int = 1, subject: str = "a-1") -> Envelope:
    return event(content, subject=subject, sequence=sequence, at=NOON + timedelta(seconds=sequence))


def of_exception(kind: type[exception.ExceptionEvent], sequence: int = 1, **more: Any) -> Envelope:
    """Return an event of one exception for two servers."""
    ordinary: dict[str, Any] = {
        "exception": EXCEPTION,
        "lane": "deferral",
        "title": "Windows Server 2022, cumulative",
        "requirement": REQUIREMENT,
        "machines": 2,
        "until": UNTIL,
    }
    return told(kind(**{**ordinary, **more}), sequence, subject=f"exception/{EXCEPTION}")


def requested(sequence: int = 1, **more: Any) -> Envelope:
    ordinary: dict[str, Any] = {
        "valid_from": NOON,
        "reason": "the practice software supports the older build alone",
        "controls": CONTROLS,
        "names": ("DC01", "DC02"),
        "requested_by": "ada@console",
    }
    return of_exception(exception.ExceptionRequested, sequence, **{**ordinary, **more})


def granted(sequence: int = 2) -> Envelope:
    return of_exception(
        exception.ExceptionGranted,
        sequence,
        valid_from=NOON,
        owner="Nora West",
        signed_at=NOON,
        ticket="7",
        controls=CONTROLS,
    )


def breached(sequence: int = 1, *, asset: str = "a-1", is_so: bool = True, **more: Any) -> Envelope:
    ordinary: dict[str, Any] = {
        "label": label(asset),
        "requirement": REQUIREMENT,
        "product": "Windows Server 2022",
        "train": "cumulative",
        "release": "KB5070001",
        "severity": Severity.CRITICAL,
        "breached": is_so,
        "since": NOON,
        "due_at": NOON,
        "state": State.PENDING_REBOOT,
        "why": "the restart is still to come",
        "policy": "acme-1",
        "rule": "server/critical",
    }
    return told(ObligationBreached(**{**ordinary, **more}), sequence, subject=asset)


def monitor(
    sequence: int = 1, *, kind: Monitor = Monitor.OUT_OF_DATE, failing: bool = True, late: bool = False
) -> Envelope:
    content = MonitorChanged(
        label=label(),
        monitor=kind,
        failing=failing,
        why="three updates are missing",
        happened_at=NOON,
        detected_at=NOON + timedelta(seconds=90),
        delay_seconds=90,
        longest_delay_seconds=60,
        late=late,
    )
    return told(content, sequence)


def silent(sequence: int = 1, *, is_so: bool = True) -> Envelope:
    content = SourceSilent(
        source="rmm/ninjaone/main",
        silent=is_so,
        heard_at=NOON,
        longest_silence_seconds=3600,
        devices=12,
        why="nothing for two hours",
    )
    return told(content, sequence, subject="source/rmm/ninjaone/main")


def restarted(sequence: int = 1, *, verdict: RebootVerdict = RebootVerdict.SURPRISE, hours: int = 0) -> Envelope:
    content = RebootRecorded(
        label=label(),
        booted_at=NOON + timedelta(hours=hours),
        verdict=verdict,
        why="nobody was asked and no window was open",
        deployed=True,
    )
    return told(content, sequence)


def window_missed(sequence: int = 1, *, missed: bool = True, ticket: bool = True) -> Envelope:
    content = WindowMissed(
        label=label(),
        window="sunday",
        missed=missed,
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=4),
        because=MissedBecause.SILENT if missed else None,
        misses=2 if missed else 0,
        ticket=ticket,
        catch_up="run_without_reboot",
        next_starts_at=NOON + timedelta(days=7),
        why="the machine was off",
    )
    return told(content, sequence)


def window_empty(sequence: int = 1, *, empty: bool = True) -> Envelope:
    content = WindowEmptied(window="sunday", empty=empty, why="its last day is over")
    return told(content, sequence, subject="window/acme/sunday")


def triage(sequence: int = 1, *, closed: bool = False, order_violated: bool = False) -> Envelope:
    done_at = NOON if closed else None
    steps = tuple(
        TriageStep(step=step, due_at=NOON + timedelta(hours=hours), done_at=done_at)
        for step, hours in (("scoping", 2), ("evidence", 24), ("decision", 72))
    )
    content = TriageChanged(
        label=label(),
        requirement=REQUIREMENT,
        product="Windows Server 2022",
        train="cumulative",
        rule="bod-26-04/1",
        started_at=NOON,
        steps=steps,
        order_violated=order_violated,
        closed=closed,
        why="exploited in the wild and reachable",
    )
    return told(content, sequence)


Telling = Callable[..., Envelope]

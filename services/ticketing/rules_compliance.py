"""What compliance tells besides failures, as tickets: breaches, exceptions, monitors, windows, restarts, triage. Pure.

Whether a client wants any of it is compliance's to decide, by the client's policy: what is told gets a ticket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final
from uuid import UUID

from contracts.events.clock import WindowEmptied
from contracts.events.event import Event, Severity
from contracts.events.exception import ExceptionEvent
from contracts.events.monitor import (
    Monitor,
    MonitorChanged,
    RebootRecorded,
    RebootVerdict,
    SourceSilent,
    WindowMissed,
)
from contracts.events.obligation import DeviceLabel, ObligationBreached, State
from contracts.events.priority import TriageChanged
from services.ticketing import rules, rules_exceptions
from services.ticketing.records import About, Cause, Kind, Label, MatterKey
from services.ticketing.rules import Finding, Verdict
from services.ticketing.rules_cases import Chapter, Turn, moment

FAILING: Final = "FAILING"
ENDED: Final = frozenset({State.VERIFIED, State.EXCEPTED, State.NOT_APPLICABLE, State.OUT_OF_SCOPE, State.RETIRED})
"""States whose own words say why a machine is overdue no longer."""

MONITORS: Final[Mapping[Monitor, str]] = {
    Monitor.UPDATES_INSTALLED: "Updates that were reported as installed and are not proven",
    Monitor.MISSING_SERVICE_PACK: "Machines without their service pack",
    Monitor.OUT_OF_DATE: "Machines that are out of date",
    Monitor.DETECTION: "Machines of which nothing was heard in time",
}
"""Titles by monitor. Failed updates have none here: each failure has the ticket of its requirement already."""

RESTARTS: Final = "restarts"
"""The subject of the ticket about restarts by surprise: one for all of a client."""

TOLD: Final = (
    ObligationBreached
    | ExceptionEvent
    | MonitorChanged
    | SourceSilent
    | RebootRecorded
    | WindowMissed
    | WindowEmptied
    | TriageChanged
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from: the client, the number of the event, and what is said to follow from it."""

    tenant: UUID
    sequence: int
    cause: Cause


def facts_of(event: Event, source: Source) -> tuple[Chapter | Finding, ...]:
    """Return what an event does to tickets; nothing, for what nobody needs to read of."""
    match event:
        case ExceptionEvent():
            chapter = rules_exceptions.chapter(event, source.tenant, source.cause)
            return () if chapter is None else (chapter,)
        case ObligationBreached():
            return (_breach(event, source),)
        case MonitorChanged() if event.monitor in MONITORS:
            return (_monitor(event, source),)
        case RebootRecorded():
            return (_restart(event, source),)
        case WindowMissed() if event.ticket or not event.missed:
            return (_missed(event, source),)
        case TriageChanged():
            return (_triage(event, source),)
        case SourceSilent():
            return (_silent(event, source),)
        case WindowEmptied():
            return (_emptied(event, source),)
        case _:
            return ()


def _breach(event: ObligationBreached, source: Source) -> Finding:
    goes_on = None if event.continues_breached is None else _verdict(is_bad=event.continues_breached)
    return Finding(
        cause=source.cause,
        matter=MatterKey(source.tenant, Kind.PATCH_OVERDUE, event.requirement),
        asset=event.label.asset,
        sequence=source.sequence,
        state=event.state if event.breached or event.state in ENDED else rules.NO_LONGER_FAILING,
        verdict=_overdue(event),
        failures=int(event.breached),
        label=label_of(event.label),
        about=About(product=event.product, train=event.train, release=event.release, severity=event.severity),
        code=f"due {moment(event.since)}, {event.state}: {event.why}" if event.breached else None,
        continues_on=event.continues_on,
        continues_as=goes_on,
    )


def _overdue(event: ObligationBreached) -> Verdict:
    if event.breached:
        return Verdict.FAILING
    return Verdict.PROVEN if event.state is State.VERIFIED else Verdict.GONE


def _monitor(event: MonitorChanged, source: Source) -> Finding:
    late = ""
    if event.late:
        late = f" Noticed after {event.delay_seconds} s; at most {event.longest_delay_seconds} s are agreed."
    about = About(title=MONITORS[event.monitor], severity=Severity.MODERATE)
    matter = MatterKey(source.tenant, Kind.MONITOR, event.monitor)
    return _of_machine(event.label, source, matter, about, is_bad=event.failing, code=f"{event.why}{late}")


def _restart(event: RebootRecorded, source: Source) -> Finding:
    """Each restart is on the list by itself: what is heard later may excuse one of them and not the other."""
    is_surprise = event.verdict is RebootVerdict.SURPRISE
    label = event.label
    about = About(title="Machines that a deployment restarted by surprise", severity=Severity.HIGH)
    return Finding(
        cause=source.cause,
        matter=MatterKey(source.tenant, Kind.REBOOT_SURPRISE, RESTARTS),
        asset=f"{label.asset}/{event.booted_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        sequence=source.sequence,
        state=FAILING if is_surprise else rules.NO_LONGER_FAILING,
        verdict=_verdict(is_bad=is_surprise),
        failures=int(is_surprise),
        label=label_of(label),
        about=about,
        code=f"restarted {moment(event.booted_at)}: {event.why}",
    )


def _missed(event: WindowMissed, source: Source) -> Finding:
    about = About(title=f"Maintenance window {event.window} passed unused", severity=Severity.MODERATE)
    then = f" Next: {moment(event.next_starts_at)}." if event.next_starts_at else " There is no next one."
    code = f"{event.misses} in a row: {event.why}{then} Until then: {event.catch_up.replace('_', ' ')}"
    matter = MatterKey(source.tenant, Kind.WINDOW_MISSED, event.window)
    return _of_machine(event.label, source, matter, about, is_bad=event.missed, code=code)


def _triage(event: TriageChanged, source: Source) -> Finding:
    about = About(
        product=event.product,
        train=event.train,
        release=event.release,
        severity=Severity.CRITICAL,
        title=f"Evidence to be captured before {event.product}, {event.train} is patched",
    )
    waiting = [f"{each.step} due {moment(each.due_at)}" for each in event.steps if each.done_at is None]
    late = [f"{each.step} was late" for each in event.steps if each.late]
    order = ["PATCHED BEFORE THE EVIDENCE WAS CAPTURED"] if event.order_violated else []
    code = "; ".join((*order, *late, *waiting, event.why))
    matter = MatterKey(source.tenant, Kind.TRIAGE, event.requirement)
    return _of_machine(event.label, source, matter, about, is_bad=not event.closed, code=code)


def _of_machine(
    label: DeviceLabel, source: Source, matter: MatterKey, about: About, *, is_bad: bool, code: str
) -> Finding:
    return Finding(
        cause=source.cause,
        matter=matter,
        asset=label.asset,
        sequence=source.sequence,
        state=FAILING if is_bad else rules.NO_LONGER_FAILING,
        verdict=_verdict(is_bad=is_bad),
        failures=int(is_bad),
        label=label_of(label),
        about=about,
        code=code,
    )


def _silent(event: SourceSilent, source: Source) -> Chapter:
    machines = "1 machine" if event.devices == 1 else f"{event.devices} machines"
    silent = f"Nothing was heard since {moment(event.heard_at)} of a source that has {machines}: {event.why}"
    return Chapter(
        cause=source.cause,
        matter=MatterKey(source.tenant, Kind.SOURCE_SILENT, event.source),
        turn=Turn.OPEN if event.silent else Turn.RESOLVE,
        words=silent if event.silent else f"It speaks again: {event.why}",
        about=About(title=f"{event.source} fell silent", severity=Severity.HIGH),
    )


def _emptied(event: WindowEmptied, source: Source) -> Chapter:
    return Chapter(
        cause=source.cause,
        matter=MatterKey(source.tenant, Kind.WINDOW_EMPTY, event.window),
        turn=Turn.OPEN if event.empty else Turn.RESOLVE,
        words=event.why,
        about=About(title=f"Maintenance window {event.window} never comes", severity=Severity.HIGH),
    )


def label_of(label: DeviceLabel) -> Label:
    """Return what a person needs to find the machine."""
    return Label(
        source=label.source,
        device=label.device,
        hostname=label.hostname,
        os_family=label.os_family,
        tier=label.tier,
    )


def _verdict(*, is_bad: bool) -> Verdict:
    return Verdict.FAILING if is_bad else Verdict.PROVEN

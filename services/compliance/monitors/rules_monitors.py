"""The monitors of the service, each a condition on one machine. Pure.

Source: service definition, monitors: updates failed, updates installed, missing service pack, out of date.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from contracts.events.monitor import Monitor
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance.monitors.rules_agreed import Agreed, later

LIFECYCLE: Final = "lifecycle"
"""The train of releases that go out of service: told of long before, and missing from when it is due."""

SERVICE_PACK: Final = "service_pack"
"""The train of point releases, where a system has no line of builds."""

UNPROVEN: Final = frozenset({State.PENDING_REBOOT, State.REPORTED_UNVERIFIED, State.CONTRADICTED})
"""Somebody says that it is installed, and nothing shows it: deployment is not verification. Source: playbook step 4."""

SETTLED: Final = OUTSIDE_POPULATION | {State.VERIFIED, State.EXCEPTED}
NOBODY_KNOWS: Final = SETTLED | {State.UNKNOWN}
AT_LEAST_DAILY: Final = timedelta(days=1)
WHILE_UNHEARD: Final = timedelta(minutes=5)
NAMED: Final = 3


class Owed(NamedTuple):
    """One obligation, as far as monitors look at it. `released_at`: of the oldest release that is lacking."""

    product: str
    train: str
    release: str | None
    state: State
    why: str
    since_at: datetime
    released_at: datetime | None
    due_at: datetime | None = None

    @property
    def told(self) -> str:
        """Return it in one line for people."""
        return f"{self.product}, {self.release or self.train}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One machine: what it owes, what fails that no catalog knows, and when its state was last read at all.

    `since`: from when on it is watched; nothing can be noticed before.
    """

    owed: Sequence[Owed]
    failing_uncatalogued: Sequence[str] = ()
    heard_at: datetime | None = None
    since: datetime


class Condition(NamedTuple):
    """Whether a monitor's condition holds, why, and since when what makes it so is so."""

    failing: bool
    why: str
    happened_at: datetime


class Change(NamedTuple):
    """A condition that became true or is no longer. `delay` is from when it could be noticed at the earliest."""

    monitor: Monitor
    condition: Condition
    delay: timedelta
    late: bool


def conditions(agreed: Agreed, machine: Watched, now: datetime) -> dict[Monitor, Condition]:
    """Return how each monitor that is on stands; with any of them on, whether the machine is heard at all too."""
    if agreed.longest is None:
        return {}
    failing = {
        Monitor.UPDATES_FAILED: _among(machine, frozenset({State.FAILED})),
        Monitor.UPDATES_INSTALLED: _among(machine, UNPROVEN),
        Monitor.MISSING_SERVICE_PACK: _missing_packs(machine, now),
        Monitor.OUT_OF_DATE: _out_of_date(agreed, machine, now),
    }
    failing[Monitor.UPDATES_FAILED] += [
        (machine.since, f"{patch}: failed, and no catalog knows it") for patch in machine.failing_uncatalogued
    ]
    since = max((each.since_at for each in machine.owed if each.since_at <= now), default=now)
    found = {monitor: _condition(failing[monitor], since) for monitor in agreed.longest_delay}
    return {**found, Monitor.DETECTION: _detection(agreed, machine, now)}


def _among(machine: Watched, states: frozenset[State]) -> list[tuple[datetime, str]]:
    return [(each.since_at, each.told) for each in machine.owed if each.state in states]


def _missing_packs(machine: Watched, now: datetime) -> list[tuple[datetime, str]]:
    """Return the service packs that are known to be lacking, and the releases that are out of service."""
    packs = [(each.since_at, each.told) for each in machine.owed if each.train == SERVICE_PACK and _is_lacking(each)]
    return packs + [(at, each.told) for each, at in _support_ends(machine) if at <= now]


def _support_ends(machine: Watched) -> list[tuple[Owed, datetime]]:
    return [
        (each, each.due_at)
        for each in machine.owed
        if each.train == LIFECYCLE and _is_lacking(each) and each.due_at is not None
    ]


def _is_lacking(each: Owed) -> bool:
    return each.state not in NOBODY_KNOWS


def _out_of_date(agreed: Agreed, machine: Watched, now: datetime) -> list[tuple[datetime, str]]:
    return [
        (at, f"{each.product}, {each.release or each.train}: not there, and out since {each.released_at:%Y-%m-%d}")
        for each, at in _aging(agreed, machine)
        if at <= now
    ]


def _aging(agreed: Agreed, machine: Watched) -> list[tuple[Owed, datetime]]:
    """Return what is lacking, and from when on a machine without it is out of date."""
    return [
        (each, later(each.released_at, agreed.out_of_date_after, agreed.zone))
        for each in machine.owed
        if each.train not in {LIFECYCLE, SERVICE_PACK} and _is_lacking(each) and each.released_at is not None
    ]


def _condition(culprits: Iterable[tuple[datetime, str]], otherwise_since: datetime) -> Condition:
    found = sorted(culprits)
    if not found:
        return Condition(failing=False, why="no longer so", happened_at=otherwise_since)
    why = "; ".join(told for _, told in found[:NAMED])
    more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return Condition(failing=True, why=why + more, happened_at=found[0][0])


def _detection(agreed: Agreed, machine: Watched, now: datetime) -> Condition:
    heard_at = max(machine.heard_at or machine.since, machine.since)
    unheard_at = later(heard_at, agreed.longest or "", agreed.zone)
    if unheard_at > now:
        return Condition(failing=False, why="its state is read again", happened_at=heard_at)
    last = f"its state was last read {machine.heard_at:%Y-%m-%d %H:%M}Z" if machine.heard_at else "it was never read"
    return Condition(failing=True, why=f"{last}: nothing could be noticed since", happened_at=unheard_at)


def changes(
    told: Mapping[Monitor, bool], found: Mapping[Monitor, Condition], agreed: Agreed, *, since: datetime, now: datetime
) -> list[Change]:
    """Return what became so or no longer is, in the order of the monitors, and how long it took to notice.

    `since`: from when on the machine is watched; nothing could be noticed before.
    """
    off = Condition(failing=False, why="the client's policy no longer asks for it", happened_at=now)
    changed = []
    for monitor in Monitor:
        condition = found.get(monitor, off)
        if condition.failing == told.get(monitor, False):
            continue
        from_at = max(condition.happened_at, since)
        longest = agreed.longest_delay.get(monitor) or agreed.longest
        is_late = condition.failing and longest is not None and later(from_at, longest, agreed.zone) < now
        changed.append(Change(monitor, condition, max(now - from_at, timedelta()), is_late))
    return changed


def look_at(agreed: Agreed, machine: Watched, found: Mapping[Monitor, Condition], now: datetime) -> datetime:
    """Return when time alone may change something, at the latest in a day."""
    moments = [now + AT_LEAST_DAILY]
    if Monitor.OUT_OF_DATE in agreed.longest_delay:
        moments += [at for _, at in _aging(agreed, machine) if at > now]
    if Monitor.MISSING_SERVICE_PACK in agreed.longest_delay:
        moments += [at for _, at in _support_ends(machine) if at > now]
    if agreed.longest is not None:
        heard_at = max(machine.heard_at or machine.since, machine.since)
        is_unheard = found[Monitor.DETECTION].failing
        moments.append(now + WHILE_UNHEARD if is_unheard else later(heard_at, agreed.longest, agreed.zone))
    return min(moments)

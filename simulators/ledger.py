"""The oracle: what must be true in the end, judged from the plan alone by logic of its own, simple on purpose.

It shares the ids that the design fixes (`contracts.ids`) with the product, and nothing else. Its rules are the design's
sentences: a claim is not a proof; a proof is a later scan that no longer lists the update together with a later start;
a newer update does not restart the clock of an older one.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts import ids
from simulators.deliveries import Delivery, Nature
from simulators.fleet import SOURCES, Device
from simulators.ninjaone_rows import patch_id, product_id
from simulators.plan import Plan
from simulators.releases import FixLine, Release
from simulators.script import Happening, What
from simulators.witness import Known, Polls, known

PATCH_FAILED: Final = "patch_failed"
FAILED_UNCATALOGUED: Final = "failed_uncatalogued"
STALE_AFTER: Final = timedelta(days=14)

_DAYS: Final[Mapping[str, Mapping[str, int]]] = {
    "server": {"critical": 1, "high": 7, "unknown": 14},
    "workstation": {"critical": 7, "high": 7, "unknown": 14},
    "kiosk": {"critical": 7, "high": 7, "unknown": 14},
    "do_not_disrupt": {"critical": 14, "high": 30, "unknown": 30},
}
"""How long each tier may lack an update of each band. One day is 24 hours; more are days of the client's calendar."""

UNDATED: Final = frozenset(source.full_name for source in SOURCES if source.vendor == "datto")
"""Sources whose webhooks say no moment: what they tell is told when it is received."""

_OF_AN_ALERT: Final[Mapping[What, tuple[What, ...]]] = {
    What.ALERT: (What.ALERT,),
    What.ALERT_OVER: (What.ALERT_OVER,),
    What.OFFLINE: (What.ALERT, What.OFFLINE),
    What.ONLINE: (What.ALERT_OVER,),
    What.FAILED: (What.ALERT, What.FAILED),
}
"""What an alert of Datto's tells: that it is there or over, and what its words leave no doubt of."""

_FADING: Final = frozenset({"MISSING_IN_SLA", "MISSING_OVERDUE", "PENDING_REBOOT", "REPORTED_UNVERIFIED", "UNKNOWN"})
"""States that mean nothing any more once nobody has looked for two weeks."""


class Owed(NamedTuple):
    """One obligation: a device, by its source and its id there, and the fix line that it owes."""

    source: str
    device: str
    product: str
    train: str


class Cell(NamedTuple):
    """Where an obligation is counted."""

    client: str
    os_family: str
    tier: str
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an obligation must be in the end. `failures` is how often the deployer was known to have failed.

    `is_late`: its deadline has passed and it is not proven, whatever its state says otherwise.
    """

    cell: Cell
    state: str
    failures: int
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTicket:
    """One ticket. `failures` has each device that it must list, by hostname, and how often it failed."""

    key: str
    client: str
    kind: str
    subject: str
    is_open: bool
    failures: Mapping[str, int]


class Told(NamedTuple):
    """A canonical event by what makes it itself: `patch` is its KB or its title, empty where it is about a device.

    `milliseconds` are 0 where the source says no moment.
    """

    source: str
    device: str
    what: What
    milliseconds: int
    patch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Everything that must be true once all is quiet. `lost_webhooks`: how many each source confesses to have lost."""

    standings: Mapping[Owed, Standing]
    tickets: tuple[ExpectedTicket, ...]
    told: Mapping[Told, int]
    devices: Mapping[tuple[str, str], Device]
    dead_letters: tuple[Delivery, ...]
    parked: int
    unknown_codes: Mapping[str, int]
    lost_webhooks: Mapping[str, int] = field(default_factory=dict)
    closed_by_hand: tuple[str, ...] = ()

    def partitions(self) -> dict[Cell, Counter[str]]:
        """Return how many obligations of each cell are in each state."""
        cells: defaultdict[Cell, Counter[str]] = defaultdict(Counter)
        for standing in self.standings.values():
            cells[standing.cell][standing.state] += 1
        return dict(cells)


def ledger(
    plan: Plan, accepted: Collection[Delivery], polls: Polls, now: datetime, *, after: Happening | None = None
) -> Ledger:
    """Return what must be true at `now`, after these deliveries were accepted and these polls were answered.

    `after` is a failure that came when a person had closed the ticket it belongs to.
    """
    happenings = {each.happening for each in accepted if each.nature is Nature.TRUE and each.happening is not None}
    by_device = known(plan.day, happenings, polls)
    return Ledger(
        standings={owed: standing for one in by_device.values() for owed, standing in _owed(one, now)},
        tickets=tuple(_tickets(by_device.values(), now, after)),
        told=Counter(told for each in happenings for told in _told(each)),
        devices={key: one.device for key, one in by_device.items()},
        dead_letters=tuple(each for each in accepted if each.nature is Nature.UGLY),
        parked=len({each.delivery_id for each in accepted if each.nature is Nature.UNMAPPED}),
        unknown_codes=Counter(each.name for each in accepted if each.nature is Nature.UNKNOWN_CODE),
        lost_webhooks=Counter(_lost(plan.day.happenings, polls)),
        closed_by_hand=() if after is None else (_key(*_place(after), 1),),
    )


def _told(happening: Happening) -> Iterator[Told]:
    device, release = happening.device, happening.release
    source, patch = device.source.full_name, "" if release is None else release.kb or release.title
    if source not in UNDATED:
        yield Told(source, device.vendor_id, happening.what, round(happening.at.timestamp() * 1000), patch)
        return
    for what in _OF_AN_ALERT[happening.what]:
        yield Told(source, device.vendor_id, what, 0, patch if what is What.FAILED else "")


def _lost(happenings: Iterable[Happening], polls: Polls) -> Iterator[str]:
    """Yield the source of each lost webhook that it confesses itself: Datto says of each alert which ones failed."""
    for each in happenings:
        source = each.device.source.full_name
        is_lost = source in UNDATED and each.what in _OF_AN_ALERT and not each.told
        if is_lost and any(each.at <= moment for moment in polls.get(source, ())):
            yield source


def _owed(one: Known, now: datetime) -> Iterator[tuple[Owed, Standing]]:
    """Yield what a device owes: its system's update always, a program's once anything was said of it."""
    device = one.device
    for release, line in _lines(one):
        cell = Cell(device.client.name, device.system.family, device.tier, line.band)
        owed = Owed(device.source.full_name, device.vendor_id, line.product, line.train)
        found = state(one, release, now)
        is_late = found != "VERIFIED" and now >= _due_at(one, release)
        yield owed, Standing(cell=cell, state=found, failures=len(_failures(one, release)), is_late=is_late)


def _lines(one: Known) -> Iterator[tuple[Release, FixLine]]:
    update = one.device.system.update
    releases = {update, *(each for scan in one.scans for each in scan.missing if each.is_software)}
    for release in sorted(releases, key=lambda each: each.title):
        if release.fix_line is not None:
            yield release, release.fix_line


def state(one: Known, release: Release, now: datetime) -> str:
    """Return the state of the obligation whose newest update is `release`."""
    found = _state(one, release, now)
    is_forgotten = bool(one.looks) and now - one.looks[-1] >= STALE_AFTER
    return "STALE" if is_forgotten and found in _FADING else found


def _state(one: Known, release: Release, now: datetime) -> str:
    words = one.words_on(release)
    last = words[-1].what if words else None
    if last is What.FAILED:
        return "FAILED"
    if last is What.INSTALLED:
        return _claimed(one, release, words[-1].at)
    if not one.scans:
        return "UNKNOWN"
    return "MISSING_OVERDUE" if now >= _due_at(one, release) else "MISSING_IN_SLA"


def _claimed(one: Known, release: Release, claimed_at: datetime) -> str:
    """Return what the deployer's word has become: proven, contradicted, waiting for a restart, or only a word."""
    boots = [boot for boot in one.boots if boot > claimed_at]
    settled_at = boots[0] if boots and release.needs_restart else claimed_at
    later = [scan for scan in one.scans if scan.at > settled_at]
    has_settled = bool(boots) or not release.needs_restart
    if later and has_settled and release in later[-1].missing:
        return "CONTRADICTED"
    if later and boots:
        return "VERIFIED"
    waits = any(each > claimed_at and not any(boot > each for boot in boots) for each in one.pending)
    return "PENDING_REBOOT" if waits or not has_settled else "REPORTED_UNVERIFIED"


def _due_at(one: Known, release: Release) -> datetime:
    """Return when the oldest lacking update of the line is due: an older one counts if it was ever lacking."""
    superseded = one.device.system.superseded
    lacking = [release]
    if superseded is not None and release.supersedes == superseded.kb and one.evidence_of(superseded):
        lacking.append(superseded)
    return min(_deadline(one.device, each) for each in lacking)


def _deadline(device: Device, release: Release) -> datetime:
    days = _DAYS[device.tier][release.fix_line.band if release.fix_line else "unknown"]
    if days == 1:
        return release.released_at + timedelta(hours=24)
    return release.released_at.astimezone(ZoneInfo(device.client.zone)) + timedelta(days=days)


def _failures(one: Known, release: Release) -> list[Happening]:
    return [word for word in one.words_on(release) if word.what is What.FAILED]


def _tickets(everyone: Collection[Known], now: datetime, after: Happening | None) -> Iterator[ExpectedTicket]:
    """Yield one ticket for each client and each thing that failed; it is open while any device on it is unproven.

    One that a person closed stays closed; what failed afterwards has the next one.
    """
    failed: defaultdict[tuple[str, str, str], list[tuple[Known, Release]]] = defaultdict(list)
    for one in everyone:
        for release in sorted({word.release for word in one.words if word.release}, key=lambda each: each.title):
            if _failures(one, release):
                failed[one.device.client.name, *_matter(release)].append((one, release))
    for (client, kind, subject), cases in sorted(failed.items()):
        first = ExpectedTicket(
            key=_key(client, kind, subject, 1),
            client=client,
            kind=kind,
            subject=subject,
            is_open=any(_is_failing(one, release, now) for one, release in cases),
            failures={one.device.hostname: len(_failures(one, release)) for one, release in cases},
        )
        if after is None or _place(after) != (client, kind, subject):
            yield first
            continue
        name, second = after.device.hostname, _key(client, kind, subject, 2)
        yield replace(first, is_open=False, failures={**first.failures, name: first.failures[name] - 1})
        yield replace(first, key=second, is_open=_is_open_for(after, cases, now), failures={name: 1})


def _key(client: str, kind: str, subject: str, generation: int) -> str:
    return ids.ticket_key(ids.tenant_id(client), kind, subject, generation)


def _place(failure: Happening) -> tuple[str, str, str]:
    """Return whose ticket a failure belongs to, and what it is about."""
    if failure.release is None:
        raise ValueError("a failure is of an update")
    return (failure.device.client.name, *_matter(failure.release))


def _is_open_for(failure: Happening, cases: Collection[tuple[Known, Release]], now: datetime) -> bool:
    return any(_is_failing(one, each, now) for one, each in cases if one.device == failure.device)


def _matter(release: Release) -> tuple[str, str]:
    """Return the kind and the subject of the ticket about failures of `release`."""
    line = release.fix_line
    if line is not None:
        return PATCH_FAILED, str(ids.requirement_id(line.product, line.train))
    return FAILED_UNCATALOGUED, ids.uncatalogued_subject(product_id(release), patch_id(release))


def _is_failing(one: Known, release: Release, now: datetime) -> bool:
    if release.fix_line is None:
        return one.words_on(release)[-1].what is What.FAILED
    return state(one, release, now) != "VERIFIED"

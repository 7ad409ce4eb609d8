"""What a careful reader of all webhooks and polls can know of each device: the ground on which the ledger judges."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from simulators.day import Day
from simulators.fleet import Device
from simulators.releases import Release
from simulators.script import Happening, Scan, What

Polls = Mapping[str, Sequence[datetime]]
"""At which moments of the day the API of each source (by its full name) answered a poll."""

_WORDS = frozenset({What.INSTALLED, What.FAILED, What.ROLLED_BACK})
_ATTEMPTS = frozenset({What.INSTALLED, What.FAILED})


@dataclass(slots=True)
class Known:
    """What is known of one device; every list is in the order of time.

    `words` are what its deployer said of updates: installed, failed, rolled back. `scans` are those whose list is
    known, `looks` also those of which only the moment is. `asked_at` is when its source was last asked.
    """

    device: Device
    words: list[Happening] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    looks: list[datetime] = field(default_factory=list)
    boots: list[datetime] = field(default_factory=list)
    pending: list[datetime] = field(default_factory=list)

    def words_on(self, release: Release) -> list[Happening]:
        """Return what the deployer said of one update."""
        return [word for word in self.words if word.release == release]

    def evidence_of(self, release: Release) -> bool:
        """Return whether anything was ever said of an update, or any scan listed it."""
        return bool(self.words_on(release)) or any(release in scan.missing for scan in self.scans)


def known(day: Day, delivered: Collection[Happening], polls: Polls) -> dict[tuple[str, str], Known]:
    """Return what can be known of each device, by its source and its id there.

    `delivered` are the happenings whose webhook was accepted.
    """
    by_key = {(device.source.full_name, device.vendor_id): Known(device) for device in day.devices}
    told = set(delivered)
    for each in day.happenings:
        if each in told:
            _hear(by_key[each.device.source.full_name, each.device.vendor_id], each)
    scans_of: dict[Device, list[Scan]] = {}
    for scan in day.scans:
        scans_of.setdefault(scan.device, []).append(scan)
    happenings_of: dict[Device, list[Happening]] = {}
    for each in day.happenings:
        happenings_of.setdefault(each.device, []).append(each)
    for one in by_key.values():
        scans = scans_of.get(one.device, [])
        if not one.device.source.polls:
            one.scans += scans
        for moment in polls.get(one.device.source.full_name, ()):
            _ask(one, moment, scans, happenings_of.get(one.device, []))
        _in_order(one)
    return by_key


def _hear(one: Known, told: Happening) -> None:
    """Add what one webhook tells."""
    if told.what in _WORDS:
        one.words.append(told)
    elif told.what is What.RESTARTED:
        one.boots.append(told.booted_at)
    elif told.what is What.RESTART_PENDING:
        one.pending.append(told.at)
    elif told.what is What.SCANNED:
        one.looks.append(told.at)


def _ask(one: Known, moment: datetime, scans: Sequence[Scan], happenings: Sequence[Happening]) -> None:
    """Add what the API shows at `moment`: the latest scan, the latest attempt of each update, start and restart.

    Datto's shows no list of updates and no installation: only the alerts of those that failed.
    """
    past = [each for each in happenings if each.at <= moment]
    seen = [scan for scan in scans if scan.at <= moment]
    shown: Collection[Happening]
    if one.device.source.vendor == "datto":
        shown = [each for each in past if each.what is What.FAILED]
    else:
        one.scans += [scan for scan in seen[-1:] if scan not in one.scans]
        shown = {each.release: each for each in past if each.what in _ATTEMPTS}.values()
    one.words += [each for each in shown if each not in one.words]
    one.boots += [each.booted_at for each in past if each.what is What.RESTARTED]
    last = [each for each in past if each.what in {What.RESTARTED, What.RESTART_PENDING}]
    if last and last[-1].what is What.RESTART_PENDING:
        one.pending.append(moment)


def _in_order(one: Known) -> None:
    one.words.sort(key=lambda each: each.at)
    one.scans.sort(key=lambda each: each.at)
    one.looks = sorted({*one.looks, *(scan.at for scan in one.scans)})
    one.boots = sorted(set(one.boots))
    one.pending.sort()

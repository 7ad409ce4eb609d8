"""Compares what was found with the simulator's ledger: what is lost, what is there twice, what is otherwise. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged
from contracts.events.event import Method
from contracts.events.obligation import OUTSIDE_POPULATION, FigurePublished, ObligationStateChanged
from contracts.events.rmm import RmmEvent
from patchline.demo.check import Check, compared, some, with_wrong
from patchline.demo.database import Stored
from patchline.demo.subscriber import Letter, Seen
from patchline.demo.tracker import Issue
from simulators.deliveries import Nature
from simulators.fleet import CLIENTS, NINJAONE_BRANCH
from simulators.ledger import UNDATED, Cell, Ledger, Told
from simulators.script import What
from simulators.sender import Sent

TYPE_OF: Final[Mapping[What, str]] = {
    What.ENROLLED: "device.seen.v1",
    What.UPDATED: "device.updated.v1",
    What.SCANNED: "patch.scan_completed.v1",
    What.LISTED: "patch.detected.v1",
    What.NO_LONGER_LISTED: "patch.no_longer_listed.v1",
    What.APPROVED: "patch.approved.v1",
    What.REJECTED: "patch.rejected.v1",
    What.INSTALLED: "patch.install_reported.v1",
    What.FAILED: "patch.install_failed.v1",
    What.ROLLED_BACK: "patch.rolled_back.v1",
    What.RESTART_PENDING: "patch.reboot_pending.v1",
    What.RESTARTED: "device.booted.v1",
    What.OFFLINE: "device.offline.v1",
    What.ONLINE: "device.online.v1",
    What.ALERT: "alert.raised.v1",
    What.ALERT_OVER: "alert.reset.v1",
}
_WHAT_OF: Final = {type_: what for what, type_ in TYPE_OF.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that was read through the product's own interfaces."""

    sent: Sequence[Sent]
    seen: Seen
    stored: Stored
    issues: Sequence[Issue]


def judged(ledger: Ledger, found: Found) -> list[Check]:
    """Return every comparison, in the order in which a webhook travels."""
    return [
        _accepted(found.sent),
        _refused(found.sent),
        _kept(found.sent, found.seen),
        _told(ledger, found.seen),
        _dead_letters(ledger, found.seen.letters),
        _parked(ledger, found.stored),
        _unknown_codes(ledger, found.stored),
        _silent(found.stored),
        _lost(ledger, found.stored),
        _devices(ledger, found.seen),
        _states(ledger, found.stored),
        _failures(ledger, found.stored),
        _published(found.seen, found.stored),
        _figures(ledger, found.seen),
        *_tickets(ledger, found.issues),
    ]


def _accepted(sent: Sequence[Sent]) -> Check:
    own = [each for each in sent if each.delivery.nature is not Nature.FORGED]
    refused = [each for each in own if not each.is_accepted]
    return Check(
        name="webhooks accepted",
        expected=len(own),
        found=len(own) - len(refused),
        wrong=len(refused),
        examples=some(f"{each.delivery.source.full_name}: answered {each.status}" for each in refused),
    )


def _refused(sent: Sequence[Sent]) -> Check:
    forged = [each for each in sent if each.delivery.nature is Nature.FORGED]
    wrong = [each for each in forged if each.status != 401]
    return Check(
        name="forged deliveries answered 401",
        expected=len(forged),
        found=len(forged) - len(wrong),
        wrong=len(wrong),
        examples=some(f"{each.delivery.name}: answered {each.status}" for each in wrong),
    )


def _kept(sent: Sequence[Sent], seen: Seen) -> Check:
    """Compare the accepted bodies with the bytes on the raw topic: each is there, and nothing else is."""
    accepted = {(each.delivery.source.full_name, each.delivery.body) for each in sent if each.is_accepted}
    missing, strange = accepted - seen.webhooks.keys(), seen.webhooks.keys() - accepted
    return Check(
        name="bodies kept as evidence",
        expected=len(accepted),
        found=len(accepted) - len(missing),
        lost=len(missing),
        wrong=len(strange),
        examples=some([*(f"lost, from {source}" for source, _ in missing), *(f"from {each[0]}" for each in strange)]),
    )


def _told(ledger: Ledger, seen: Seen) -> Check:
    """Compare what the day's kinds of webhooks say; other kinds (an agent's report) are judged by themselves."""
    found = Counter(
        _as_told(each)
        for each in seen.events
        if isinstance(each.data, RmmEvent) and each.data.method is Method.WEBHOOK and each.data.TYPE in _WHAT_OF
    )
    return compared("events told by webhooks", Counter(ledger.told), found, str)


def _as_told(envelope: Envelope) -> Told:
    patch = getattr(envelope.data, "patch", None)
    return Told(
        envelope.source,
        envelope.subject,
        _WHAT_OF[envelope.data.TYPE],
        0 if envelope.source in UNDATED else round(envelope.time.timestamp() * 1000),
        "" if patch is None else patch.kb or patch.title or "",
    )


def _dead_letters(ledger: Ledger, letters: Iterable[Letter]) -> Check:
    expected = Counter((each.source.full_name, each.body) for each in ledger.dead_letters)
    found = Counter((each.source, each.body) for each in letters)
    names = {(each.source.full_name, each.body): each.name for each in ledger.dead_letters}
    reasons = {(each.source, each.body): f"{each.topic}: {each.reason}" for each in letters}
    return compared(
        "dead letters", expected, found, lambda key: f"{key[0]}: {names.get(key) or reasons.get(key, 'unknown')}"
    )


def _parked(ledger: Ledger, stored: Stored) -> Check:
    found = sum(each.events for each in stored.parked)
    return Check(
        name="events parked for a mapping",
        expected=ledger.parked,
        found=found,
        lost=max(ledger.parked - found, 0),
        doubled=max(found - ledger.parked, 0),
    )


def _unknown_codes(ledger: Ledger, stored: Stored) -> Check:
    """Compare by the code's last part: the gateway keeps it verbatim behind the activity's type."""
    found = Counter({code.rpartition(".")[2]: count for code, count in stored.unknown_codes.items()})
    return compared("unknown codes counted", Counter(ledger.unknown_codes), found, str)


def _silent(stored: Stored) -> Check:
    """The one instance that stopped answering is known to have stopped, and no other."""
    found = Counter(each.source for each in stored.silent)
    return compared("sources known to be silent", Counter([NINJAONE_BRANCH.full_name]), found, str)


def _lost(ledger: Ledger, stored: Stored) -> Check:
    """Compare how many of its webhooks each source confessed to have lost: the poll found what they would have told."""
    return compared("lost webhooks noticed", Counter(ledger.lost_webhooks), Counter(stored.lost_webhooks), str)


def _devices(ledger: Ledger, seen: Seen) -> Check:
    assets = [each for each in seen.assets.values() if isinstance(each.data, AssetChanged)]
    found = Counter(_place(each) for each in assets)
    check = compared("devices in the inventory", Counter(ledger.devices.keys()), found, str)
    wrong = [
        f"{device.hostname}: {asset.os_family}, {asset.tier}"
        for each in assets
        if isinstance(asset := each.data, AssetChanged) and (device := ledger.devices.get(_place(each))) is not None
        if (asset.hostname, asset.os_family, asset.tier) != (device.hostname, device.system.family, device.tier)
    ]
    return with_wrong(check, wrong)


def _place(envelope: Envelope) -> tuple[str, str]:
    asset = envelope.data
    return (asset.source, asset.device) if isinstance(asset, AssetChanged) else ("", "")


def _states(ledger: Ledger, stored: Stored) -> Check:
    expected, found = Counter(ledger.standings.keys()), Counter(stored.obligations.keys())
    check = compared("obligations", expected, found, str)
    wrong = [
        f"{ledger.devices[owed[:2]].hostname}, {owed.product}: is {is_now.state} in {is_now.cell.severity}, "
        f"should be {standing.state} in {standing.cell.severity} ({is_now.why})"
        for owed, standing in ledger.standings.items()
        if (is_now := stored.obligations.get(owed)) is not None
        and (is_now.state, is_now.cell) != (standing.state, standing.cell)
    ]
    return with_wrong(check, wrong)


def _failures(ledger: Ledger, stored: Stored) -> Check:
    expected = Counter({owed: each.failures for owed, each in ledger.standings.items() if each.failures})
    found = Counter({owed: each.failures for owed, each in stored.obligations.items() if each.failures})
    return compared("failures counted", expected, found, str)


def _published(seen: Seen, stored: Stored) -> Check:
    """Compare the states on `compliance.events` with those in the database: subscribers know what we know."""
    published = Counter(
        (told.label.source, told.label.device, told.product, told.train, told.state.value)
        for each in seen.obligations.values()
        if isinstance(told := each.data, ObligationStateChanged)
    )
    kept = Counter((*owed, each.state) for owed, each in stored.obligations.items())
    return compared("states published as stored", kept, published, str)


def _figures(ledger: Ledger, seen: Seen) -> Check:
    expected, found = ledger.partitions(), {cell: each.counts for cell, each in figures(seen).items()}
    present = {cell: counts for cell, counts in found.items() if any(counts.values())}
    check = compared("figures published", Counter(expected.keys()), Counter(present.keys()), str)
    wrong = [
        f"{cell}: {_shown(present[cell])}, should be {_shown(counts)}"
        for cell, counts in expected.items()
        if cell in present and _shown(present[cell]) != _shown(counts)
    ]
    wrong += [
        f"{cell}: the states do not sum to the population {figure.population}"
        for cell, figure in figures(seen).items()
        if figure.population != sum(count for state, count in figure.counts.items() if state not in OUTSIDE_POPULATION)
    ]
    return with_wrong(check, wrong)


def figures(seen: Seen) -> dict[Cell, FigurePublished]:
    """Return the newest figure of each cell, as a subscriber knows them."""
    names: dict[UUID | None, str] = {ids.tenant_id(client.name): client.name for client in CLIENTS}
    return {
        Cell(names.get(each.tenant, str(each.tenant)), told.os_family, told.tier, told.severity): told
        for each in seen.figures.values()
        if isinstance(told := each.data, FigurePublished)
    }


def _shown(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{state} {count}" for state, count in sorted(counts.items()) if count)


def _tickets(ledger: Ledger, issues: Sequence[Issue]) -> list[Check]:
    by_key = {each.key: each for each in ledger.tickets}
    check = compared("tickets", Counter(by_key.keys()), Counter(each.key for each in issues), str)
    pairs = [(by_key[issue.key], issue) for issue in issues if issue.key in by_key]
    wrong = [
        f"ticket {issue.number}, {issue.title}: is {_word(is_open=issue.is_open)}"
        for ticket, issue in pairs
        if ticket.is_open != issue.is_open
    ]
    listed = Counter({(ticket.key, name): 1 for ticket in ledger.tickets for name in ticket.failures})
    hostnames = {device.vendor_id: device.hostname for device in ledger.devices.values()}
    introduced: Counter[tuple[str, str]] = Counter()
    for issue in issues:
        introduced.update({(issue.key, hostnames.get(name, name)): times for name, times in issue.devices.items()})
    titles = {issue.key: f"ticket {issue.number}, {issue.title}" for issue in issues}
    devices = compared("devices on tickets", listed, introduced, lambda key: f"{titles.get(key[0], key[0])}: {key[1]}")
    return [with_wrong(check, wrong), devices]


def _word(*, is_open: bool) -> str:
    return "open, should be resolved" if is_open else "resolved, should be open"

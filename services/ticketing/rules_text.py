"""What tickets say to a technician: plain sentences, the devices, what to do, ids to look things up by. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from services.ticketing import rules
from services.ticketing.records import About, Act, Client, Intent, Kind, Listing, Plan, Ticket, Told
from services.ticketing.rules_todo import SUBJECTS_OF_COMPLIANCE, TO_DO_OF_COMPLIANCE

TITLE_CHARACTERS: Final = 200
MOST_DEVICES: Final = 50
"""A note names so many devices of a kind; the rest are counted."""

MEANINGS: Final = {
    "0x80070005": "access denied",
    "0x80070070": "the disk is full",
    "0x80070643": "fatal error during installation",
    "0x80073712": "the component store is damaged",
    "0x800f0922": "the installers failed, often for want of room on the system reserved partition",
    "0x80240034": "the update could not be downloaded",
    "0x8024402c": "a proxy's or server's name could not be resolved",
}
"""Codes of Windows Update that technicians meet most. Source: Microsoft, "Windows Update error codes by component"."""

CLEARED: Final = {
    "VERIFIED": "proven installed",
    "EXCEPTED": "excepted",
    "NOT_APPLICABLE": "the patch does not apply to it",
    "OUT_OF_SCOPE": "out of scope",
    "RETIRED": "retired",
    rules.NO_LONGER_FAILING: "no longer failing",
    rules.MOVED: "continues in another ticket",
    rules.ANOTHER_ASSET: "goes on as another asset, the same machine",
}

TO_DO: Final = """What to do:
1. Read the error code in the RMM's log of the device; restart the device once if it is due.
2. Mend the cause (disk space, pending restart, damaged update component), then let the RMM install it again.
3. Leave the ticket open: it is resolved by itself once each device is proven good. A report of success is no proof."""


OF_DEVICES: Final = frozenset({Kind.PATCH_FAILED, Kind.FAILED_UNCATALOGUED})
OF_MACHINES: Final = frozenset(
    {Kind.PATCH_OVERDUE, Kind.MONITOR, Kind.REBOOT_SURPRISE, Kind.WINDOW_MISSED, Kind.TRIAGE}
)
"""These list machines too, each with what is wrong with it in words."""

_EXPOSURE: Final = """What to do:
1. Reach the person by phone or in person, never by mail to the same mailbox, and say what happened in plain words.
2. Where the password was made invalid: help them back in by self-service reset or the help desk, with a second factor.
3. Where it came from a stealer log: take the machine that is named off the network and have it cleaned before anything.
4. Leave the ticket open: it follows the case by itself and is resolved with the proof. See: patchline case show."""

TO_DO_BY_KIND: Final[Mapping[Kind, str]] = {
    Kind.PATCH_FAILED: TO_DO,
    Kind.FAILED_UNCATALOGUED: TO_DO,
    Kind.EXPOSURE: _EXPOSURE,
    Kind.EXPOSURE_FOREIGN: """What to do:
1. Find out whose the domain is: a client's that is not mapped yet, a former name, or nobody's that we care for.
2. If it is the client's: add the domain to its directory, or map it (patchline client map), then patchline case retry.
3. If it is not: say so at the case (patchline case refuse) and have the feed's scope corrected.""",
    Kind.EXPOSURE_LATE: """What to do:
1. Look what each case waits for (patchline case show): an approval, a breaker, a person's step.
2. Do that first. A line is cleared when the promise is kept, late or not; the report shows both.""",
    Kind.BREAKER: """What to do:
1. Look what asked for so many resets (patchline breaker status): a real breach, or a feed gone wrong.
2. Only when that is known: patchline breaker arm, with the reason. What was held goes on in small batches.""",
    Kind.HYGIENE: """What to do:
1. Mend each account with the client; a line is cleared when the next reading of the directory shows it.
2. What is meant to be so belongs into the client's guard policy, not under this ticket.""",
    **TO_DO_OF_COMPLIANCE,
}

SUBJECTS: Final[Mapping[Kind, str]] = {
    Kind.PATCH_FAILED: "requirement",
    Kind.FAILED_UNCATALOGUED: "patch",
    Kind.EXPOSURE: "case",
    Kind.EXPOSURE_FOREIGN: "case",
    Kind.EXPOSURE_LATE: "promise",
    Kind.BREAKER: "scope",
    Kind.HYGIENE: "monitor",
    **SUBJECTS_OF_COMPLIANCE,
}


def plan(
    ticket: Ticket, listings: Sequence[tuple[str, Listing]], *, intent: Intent, about: About, client: Client
) -> Plan:
    """Return the words of `intent`, and which of the listed devices (by asset) they tell."""
    title = ticket.title or title_of(ticket.matter.kind, about, client.name)
    text = _text(ticket, listings, intent=intent, title=title)
    return Plan(
        title=title,
        text=text,
        company=client.company,
        severity=about.severity,
        devices=ticket.failing,
        failures=sum(listing.failures for _, listing in listings),
        told=tuple(_told(asset, listing, has_words=bool(text)) for asset, listing in listings),
    )


def title_of(kind: Kind, about: About, client: str) -> str:
    """Return the title of a ticket: the patch or what else it is about, then whose."""
    patch = " ".join(part for part in (about.product, about.train, about.release) if part)
    match kind:
        case Kind.PATCH_FAILED:
            title = f"{patch}: update fails at {client}"
        case Kind.PATCH_OVERDUE:
            title = f"{patch}: overdue at {client}"
        case Kind.FAILED_UNCATALOGUED:
            named = about.title or (f"KB{about.kb}" if about.kb else about.patch)
            unknown = " ".join(part for part in (named, f"({about.product})" if about.product else None) if part)
            title = f"{unknown}, not in the catalog: update fails at {client}"
        case _:
            title = f"{about.title} at {client}"
    return one_line(title)[:TITLE_CHARACTERS]


def told_in(words: str, told: Sequence[Told]) -> tuple[Told, ...]:
    """Return what `words` on a ticket really tell of its devices: those that they name, by asset."""
    return tuple(each for each in told if not each.noted or _is_named(one_line(each.asset), words))


def _is_named(asset: str, words: str) -> bool:
    return re.search(rf"(?<![^\s(]){re.escape(asset)}(?![^\s):])", words) is not None


def lacking_in(words: str, why: str) -> str:
    """Return the lines of `why` that `words` on a ticket lack, however the tracker breaks its lines."""
    there = one_line(words)
    return "\n".join(line for line in why.splitlines() if one_line(line) not in there)


def one_line(text: str) -> str:
    """Return a vendor's or customer's text as one line without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _told(asset: str, listing: Listing, *, has_words: bool) -> Told:
    return Told(
        asset=asset,
        failures=listing.failures,
        noted=has_words and (_is_new(listing) or _is_counted(listing)),
        cleared=has_words and listing.cleared_as is not None,
    )


def _is_new(listing: Listing) -> bool:
    return listing.cleared_as is None and listing.noted_failures is None


def _is_counted(listing: Listing) -> bool:
    """Return whether the ticket lists the device already, with a count that is worth telling again."""
    noted = listing.noted_failures
    return listing.cleared_as is None and noted is not None and rules.is_worth_a_note(noted, listing.failures)


def _text(ticket: Ticket, listings: Sequence[tuple[str, Listing]], *, intent: Intent, title: str) -> str:
    kind = ticket.matter.kind
    device = _device if kind in OF_DEVICES else _machine if kind in OF_MACHINES else _listed
    new = sorted(device(asset, each) for asset, each in listings if _is_new(each))
    counted = sorted(device(asset, each) for asset, each in listings if _is_counted(each))
    cleared = sorted(_cleared(each) for _, each in listings if each.cleared_as is not None and not each.noted_cleared)
    match intent.act:
        case Act.OPEN:
            listed = _block("Devices" if kind in OF_DEVICES | OF_MACHINES else "Found", new)
            parts = [f"{title}.", intent.why, listed, _block("Already cleared", cleared), TO_DO_BY_KIND[kind]]
        case Act.APPEND if not (intent.why or new or counted):
            return ""
        case Act.APPEND:
            blocks = [_block("Failing too", new), _block("Still failing", counted), _block("Cleared", cleared)]
            parts = [intent.why, *blocks, _count_of(ticket) if listings else ""]
        case Act.REOPEN:
            parts = ["Open again.", intent.why, _block("Devices", new), _count_of(ticket) if listings else ""]
        case Act.RESOLVE:
            parts = [intent.why or "No device on this ticket is failing any more.", _block("Cleared", cleared)]
        case _:
            assert_never(intent.act)
    return "\n\n".join(part for part in (*parts, _reference(ticket, intent)) if part)


def _count_of(ticket: Ticket) -> str:
    return f"Failing on this ticket now: {ticket.failing}."


def _block(heading: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = [f"- and {len(lines) - MOST_DEVICES} more"] if len(lines) > MOST_DEVICES else []
    return "\n".join([f"{heading} ({len(lines)}):", *lines[:MOST_DEVICES], *more])


def _device(asset: str, listing: Listing) -> str:
    label = listing.label
    times = "once" if listing.failures == 1 else f"{listing.failures} times"
    failed = f"failed {times}" if listing.failures else "not proven installed"
    code = f", code {_code(listing.code)}" if listing.code else ""
    where = f"{label.source}, device {label.device}, asset {asset}"
    return one_line(f"- {_name(listing)} ({label.os_family}, {label.tier}): {failed}{code}. {where}")


def _machine(asset: str, listing: Listing) -> str:
    """Return the line of a machine: what is wrong with it, and where it is."""
    label = listing.label
    where = f"{label.source}, device {label.device}, asset {asset}"
    return one_line(
        f"- {_name(listing)} ({label.os_family}, {label.tier}): {listing.code or 'no reason given'}. {where}"
    )


def _listed(asset: str, listing: Listing) -> str:
    """Return the line of what is no device: whose account it is, and why it is here."""
    which = "" if asset == listing.label.device else f" ({asset})"
    return one_line(f"- {listing.label.device}{which}: {listing.code or 'no reason given'}")


def _code(code: str) -> str:
    meaning = MEANINGS.get(code.lower())
    return f"{code} ({meaning})" if meaning else code


def _cleared(listing: Listing) -> str:
    state = listing.cleared_as or ""
    return one_line(f"- {_name(listing)}: {CLEARED.get(state, state)}")


def _name(listing: Listing) -> str:
    return listing.label.hostname or f"device {listing.label.device}"


def _reference(ticket: Ticket, intent: Intent) -> str:
    subject = SUBJECTS[ticket.matter.kind]
    return f"Reference: ticket {ticket.key}, {subject} {one_line(ticket.matter.subject)}, event {intent.cause.event_id}"

"""What becomes of a delivery and of each event in it: published, parked, refused or nothing new. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from contracts.envelope import Envelope
from contracts.ids import EventId
from contracts.order import effective_at
from contracts.raw import RawDelivery
from contracts.topics import Lane
from services.gateway.vendors.translation import Content, Hinted, Said, Translation, Unsaid

WINDOW: Final = 200
MOST_BAD: Final = 100
"""More bad ones than this among a source's last `WINDOW` records quarantine it. A source starts with a good name."""

QUARANTINED_REASON: Final = "source quarantined: mend it, release it (patchline source release), then replay"


class Outcome(StrEnum):
    """What became of a delivery; each is in exactly one. The names are the columns of `flow`."""

    TRANSLATED = "translated"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    DEAD_LETTERED = "dead_lettered"
    QUARANTINED = "quarantined"
    UNKNOWN = "unknown"
    IGNORED = "ignored"


class Fate(StrEnum):
    """What became of one event, or of a code that is none."""

    PUBLISHED = "published"
    PARKED = "parked"
    UNKNOWN = "unknown"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"


class Unowned(StrEnum):
    """Why no client can be named."""

    NO_ORGANISATION = "no organisation"
    NO_CLIENT = "no client"
    TWO_CLIENTS = "two clients"


@dataclass(frozen=True, slots=True)
class Health:
    """A source's last outcomes, `1` for a bad one, newest last; empty means all good."""

    recent: str = ""
    is_quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """One delivery and what it says; `None`: not looked into, its source is quarantined."""

    delivery: RawDelivery
    translation: Translation | None


@dataclass(slots=True)
class Reading:
    """A batch, read. `outcomes` are the new ones of each source that has or had bad ones; `why` is its last reason."""

    reads: list[Read] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    quarantined: set[str] = field(default_factory=set)
    why: dict[str, str] = field(default_factory=dict)


def read(
    deliveries: Iterable[RawDelivery],
    health: Mapping[str, Health],
    translate: Callable[[RawDelivery], Translation],
) -> Reading:
    """Translate each delivery alone; stop looking into a source once its last records are mostly bad."""
    result = Reading(quarantined={source for source, each in health.items() if each.is_quarantined})
    recent = {source: each.recent for source, each in health.items()}
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    for delivery in deliveries:
        source = delivery.source
        if source in result.quarantined:
            result.reads.append(Read(delivery, None))
            continue
        translation = translate(delivery)
        result.reads.append(Read(delivery, translation))
        before = recent.get(source, "")
        is_bad = bool(translation.problems) and translation.is_senders_fault
        if is_bad or before:
            outcome = "1" if is_bad else "0"
            recent[source] = shortened(before + outcome)
            outcomes[source].append(outcome)
        if is_bad:
            result.why[source] = translation.problems[0]
            if is_mostly_bad(recent[source]):
                result.quarantined.add(source)
    result.outcomes = {source: "".join(each) for source, each in outcomes.items()}
    return result


def shortened(recent: str) -> str:
    """Return the last `WINDOW` outcomes; nothing if all of them are good."""
    window = recent[-WINDOW:]
    return window if "1" in window else ""


def is_mostly_bad(recent: str) -> bool:
    """Return whether a source with these last outcomes is to be quarantined."""
    return recent.count("1") > MOST_BAD


@dataclass(frozen=True, slots=True)
class Item:
    """One event, or one code that is none, of the delivery at `index`; `number` counts them through the batch."""

    number: int
    index: int
    delivery: RawDelivery
    content: Content

    @property
    def stands_for(self) -> str:
        """Return what its id stands for: an event, or a code of which no event is made."""
        match self.content:
            case Unsaid(is_known=False):
                return "unknown"
            case Unsaid() | Hinted():
                return "ignored"
            case _:
                return "event"


@dataclass(frozen=True, slots=True)
class Told:
    """One new event. Its owner is asked for `effective_at`: a device that believes it is 2099 stays with its client."""

    number: int
    delivery: RawDelivery
    said: Said
    effective_at: datetime


def items(reads: Sequence[Read]) -> list[Item]:
    """Return everything that the deliveries say, in order."""
    result: list[Item] = []
    for index, each in enumerate(reads):
        if each.translation is not None:
            made = each.translation
            contents: list[Content] = [*made.said, *made.tickets, *made.exposures, *made.hints, *made.unsaid]
            result += [Item(len(result) + place, index, each.delivery, one) for place, one in enumerate(contents)]
    return result


def firsts(all_items: Iterable[Item], fresh: AbstractSet[EventId]) -> list[Item]:
    """Return, of the items whose id nobody knew before this batch, the first of each id."""
    first_by_id: dict[EventId, Item] = {}
    for item in all_items:
        if item.content.id in fresh:
            first_by_id.setdefault(item.content.id, item)
    return list(first_by_id.values())


def told(fresh: Iterable[Item]) -> list[Told]:
    """Return the events among new items."""
    return [
        Told(item.number, item.delivery, said, effective_at(said.time, item.delivery.received))
        for item in fresh
        if isinstance(said := item.content, Said)
    ]


@dataclass(frozen=True, slots=True)
class Ownership:
    """A dated mapping: whose an organisation, or one site of it, is. `None` is without an end, or any other site."""

    tenant: UUID
    site: str | None
    valid_from: datetime | None
    valid_to: datetime | None


def tenant_of(ownerships: Iterable[Ownership], site: str | None, at: datetime) -> UUID | Unowned:
    """Return the one client that owned `site` of an organisation at `at`. A site's own mapping beats the general."""
    valid = [
        each
        for each in ownerships
        if (each.valid_from is None or each.valid_from <= at) and (each.valid_to is None or at < each.valid_to)
    ]
    own = {each.tenant for each in valid if each.site is not None and each.site == site}
    tenants = own or {each.tenant for each in valid if each.site is None}
    if len(tenants) == 1:
        return tenants.pop()
    return Unowned.TWO_CLIENTS if tenants else Unowned.NO_CLIENT


@dataclass(frozen=True, slots=True)
class Seat:
    """The organisation and site that a device belongs to."""

    organisation: str
    site: str | None


def seats_told(events: Iterable[Told]) -> dict[tuple[str, str], tuple[Seat, datetime]]:
    """Return, by source and device, the newest seat that these events name, and when it was seen."""
    newest: dict[tuple[str, str], tuple[Seat, datetime]] = {}
    for each in events:
        event = each.said.event
        if event.organisation is not None:
            key = (each.delivery.source, event.device)
            if key not in newest or newest[key][1] <= each.effective_at:
                newest[key] = (Seat(event.organisation, event.site), each.effective_at)
    return newest


def seat(each: Told, known: Mapping[tuple[str, str], Seat]) -> Seat | None:
    """Return where an event's device belongs: what it says itself, else what is known of the device."""
    event = each.said.event
    if event.organisation is not None:
        return Seat(event.organisation, event.site)
    return known.get((each.delivery.source, event.device))


def envelope(each: Told, tenant: UUID | None, lane: Lane) -> Envelope:
    """Return the canonical event; its cause is the delivery, which came by `lane`."""
    said, delivery = each.said, each.delivery
    return Envelope(
        id=said.id,
        source=delivery.source,
        subject=said.event.device,
        time=said.time,
        received=delivery.received,
        data=said.event,
        tenant=tenant,
        causation=delivery.raw_id,
        correlation=said.correlation,
        traceparent=delivery.traceparent,
        lane=lane,
    )


_OUTCOME_BY_FATE: Final[Mapping[Fate, Outcome]] = {
    Fate.PUBLISHED: Outcome.TRANSLATED,
    Fate.PARKED: Outcome.PARKED,
    Fate.UNKNOWN: Outcome.UNKNOWN,
    Fate.IGNORED: Outcome.IGNORED,
    Fate.DUPLICATE: Outcome.DUPLICATE,
}
"""In the order in which one counts before the other."""


def outcome(each: Read, fates: Sequence[Fate]) -> Outcome:
    """Return what became of a delivery, given what became of its events: the best of them counts."""
    if each.translation is None:
        return Outcome.QUARANTINED
    if each.translation.problems:
        return Outcome.DEAD_LETTERED
    if len(fates) == 1:
        return _OUTCOME_BY_FATE[fates[0]]
    return next((became for fate, became in _OUTCOME_BY_FATE.items() if fate in fates), Outcome.IGNORED)


@dataclass(slots=True)
class Tally:
    """What one hour's deliveries of one source consisted of. `replayed` ones had their outcome when first read."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    events: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    replayed: int = 0


def tallies(
    reads: Sequence[Read],
    outcomes: Sequence[Outcome],
    fates: Sequence[Sequence[Fate]],
    again: AbstractSet[int] = frozenset(),
) -> dict[tuple[str, datetime], Tally]:
    """Return the tally of each source and hour of receipt. The deliveries at the places in `again` were replayed."""
    result: defaultdict[tuple[str, datetime], Tally] = defaultdict(Tally)
    for place, (each, became, own) in enumerate(zip(reads, outcomes, fates, strict=True)):
        hour = each.delivery.received.replace(minute=0, second=0, microsecond=0)
        tally = result[each.delivery.source, hour]
        if place in again:
            tally.replayed += 1
        else:
            tally.outcomes[became] += 1
        for fate in own:
            tally.events[fate] += 1
    return dict(result)

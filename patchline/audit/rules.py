"""The equations of the standing audit: what was read, published, counted, and what is missing between them. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from chassis.batch import Fate
from chassis.lanes import group_of_both
from contracts import topics

Cell = tuple[str, datetime]  # a source and an hour of receipt
Place = tuple[str, int]  # a topic and a partition

_NOT_READ_HERE: Final = frozenset({Fate.ELSEWHERE, Fate.PUBLISHED})
SHOWN: Final = (Fate.APPLIED, Fate.DUPLICATE, Fate.IGNORED, Fate.PARKED, Fate.SUPERSEDED, Fate.DEAD_LETTERED)


@dataclass(frozen=True, slots=True)
class Stream:
    """What one group reads, in both lanes, or those `beside`; what the gateway made of a `kind` is published too."""

    group: str
    topics: tuple[str, ...]
    beside: tuple[str, ...] = ()
    kind: str = ""

    @property
    def readers(self) -> set[str]:
        """Return the groups that read it, without their lanes."""
        return {self.group, *self.beside}


_EVENTS: Final = (topics.RMM_EVENTS.name, topics.RMM_EVENTS_BULK.name)
_RAW: Final = tuple(each.name for each in (topics.RMM_RAW, topics.RMM_RAW_BULK, topics.PSA_RAW, topics.EXPOSURES_RAW))
_FINDINGS: Final = (topics.COMPLIANCE_EVENTS.name, topics.CREDENTIALS_EVENTS.name, topics.PSA_EVENTS.name)
DELIVERIES: Final = Stream("gateway", _RAW, beside=("gateway-psa", "gateway-exposures"))
STREAMS: Final = (
    Stream("inventory", _EVENTS, kind="rmm/"),
    Stream("compliance", _EVENTS, kind="rmm/"),
    Stream("credentials", (topics.EXPOSURES.name,), kind="exposure/"),
    Stream("ticketing", _FINDINGS, kind="psa/"),
)
"""Topics that are compacted are not among them: there a record may rightly vanish before a group reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One counter of a consumer group. `again`: those of its records that were replayed on purpose."""

    group: str
    topic: str
    source: str
    hour: datetime
    fate: Fate
    count: int
    again: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Where a group stands in one partition, and how many records it counted since `first_offset`."""

    group: str
    topic: str
    partition: int
    next_offset: int
    first_offset: int | None = None
    records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the gateway counted of one source and hour. `outcomes` are deliveries, the rest are events and rows."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    events_parked: int = 0
    events_released: int = 0
    parked_rows: int = 0
    spooled: int = 0
    drained: int = 0
    spool_rows: int = 0

    @property
    def deliveries(self) -> int:
        """Return how many deliveries are in a column."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """All counters as they stood at one instant. `totals` are a group's counted records of a topic, of all hours."""

    lines: Sequence[Line] = ()
    partitions: Sequence[Partition] = ()
    doors: Mapping[Cell, Doors] = field(default_factory=dict)
    totals: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Where each partition's log starts and ends."""

    starts: Mapping[Place, int]
    ends: Mapping[Place, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One equation of one source and hour: `expected` = the sum of `fates` + `in_flight` + `missing` - `extra`.

    `extra` came more often than it was published: a relay that died after Kafka's answer sends its last rows again.
    """

    equation: str
    group: str
    source: str
    hour: datetime
    expected: int
    fates: Mapping[str, int]
    in_flight: int = 0
    missing: int = 0
    extra: int = 0
    is_final: bool = True
    why: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Return the answer in words."""
        if self.missing:
            return f"GAP of {self.missing}"
        return "balanced" if self.is_final and not self.in_flight else "not yet final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That nothing was stepped over: one partition of a group, or (`partition` is `None`) all of a topic."""

    group: str
    topic: str
    partition: int | None
    counted: int
    unread: int | None = None
    missing: int = 0
    why: str = ""


def published(counters: Counters, stream: Stream) -> Counter[Cell]:
    """Return how many events were put on the topics of `stream`, by source and hour."""
    doors = {cell: each for cell, each in counters.doors.items() if stream.kind and cell[0].startswith(stream.kind)}
    result: Counter[Cell] = Counter({cell: each.events + each.events_released for cell, each in doors.items()})
    for line in counters.lines:
        if line.fate is Fate.PUBLISHED and line.topic in stream.topics:
            result[line.source, line.hour] += line.count
    return result


def drained(counters: Counters) -> Counter[Cell]:
    """Return how many deliveries left the spool for Kafka, by source and hour."""
    return Counter({cell: each.drained for cell, each in counters.doors.items()})


def _read(lines: Iterable[Line], stream: Stream) -> dict[Cell, list[Line]]:
    by_cell: defaultdict[Cell, list[Line]] = defaultdict(list)
    for line in lines:
        is_theirs = line.topic in stream.topics and group_of_both(line.group) in stream.readers
        if is_theirs and line.fate not in _NOT_READ_HERE:
            by_cell[line.source, line.hour].append(line)
    return by_cell


def deliveries(counters: Counters, drained_before: Mapping[Cell, int], *, is_final: bool) -> list[Balance]:
    """Return the first equation of every source and hour.

    `drained_before` left the spool before the log's ends were read; `is_final`: all of it lies below the watermarks.
    """
    read = _read(counters.lines, DELIVERIES)
    balances = []
    for source, hour in sorted({*read, *counters.doors}):
        lines, doors = read.get((source, hour), []), counters.doors.get((source, hour), Doors())
        unreadable = sum(line.count for line in lines if line.fate is Fate.UNREADABLE)
        total = sum(line.count for line in lines)
        not_arrived = max(drained_before.get((source, hour), 0) - total, 0)
        holes = {
            "read, and in no column": abs(total - unreadable - doors.deliveries),
            "left the spool uncounted": abs(doors.spooled - doors.drained - doors.spool_rows),
            "parked, and gone without a release": abs(doors.events_parked - doors.events_released - doors.parked_rows),
            "left the spool, and never read": not_arrived if is_final else 0,
        }
        waiting = doors.spool_rows + (0 if is_final else not_arrived)
        balances.append(
            Balance(
                equation="deliveries",
                group=DELIVERIES.group,
                source=source,
                hour=hour,
                expected=total + doors.spool_rows,
                fates={**doors.outcomes, "unreadable": unreadable},
                in_flight=waiting,
                missing=sum(holes.values()),
                is_final=is_final,
                why=tuple(f"{count} {what}" for what, count in holes.items() if count),
            )
        )
    return balances


def events(
    counters: Counters, stream: Stream, published_before: Mapping[Cell, int], *, is_final: bool
) -> list[Balance]:
    """Return the second equation of one group for every source and hour.

    `published_before` was published before the log's ends were read; `is_final`: all of it lies below the watermarks.
    """
    read = _read(counters.lines, stream)
    balances = []
    for source, hour in sorted({*read, *(cell for cell, count in published_before.items() if count)}):
        fates: Counter[str] = Counter(dict.fromkeys(SHOWN, 0))
        again = 0
        for line in read.get((source, hour), []):
            fates[Fate.DEAD_LETTERED if line.fate is Fate.UNREADABLE else line.fate] += line.count
            again += line.again
        expected = published_before.get((source, hour), 0) + again
        absent = max(expected - fates.total(), 0)
        balances.append(
            Balance(
                equation="events",
                group=stream.group,
                source=source,
                hour=hour,
                expected=expected,
                fates=dict(fates),
                in_flight=0 if is_final else absent,
                missing=absent if is_final else 0,
                extra=max(fates.total() - expected, 0),
                is_final=is_final,
                why=(f"{absent} published, and never read",) if is_final and absent else (),
            )
        )
    return balances


def proofs(counters: Counters, log: Log) -> list[Proof]:
    """Return, of every partition that a group reads, whether each record below the watermark was counted."""
    found = [_gapless(each, log) for each in counters.partitions]
    records: Counter[tuple[str, str]] = Counter()
    for each in counters.partitions:
        records[each.group, each.topic] += each.records
    for group, topic in sorted({*records, *counters.totals}):
        counted = counters.totals.get((group, topic), 0)
        missing = abs(records[group, topic] - counted)
        why = f"{records[group, topic]} records were read, {counted} are in a column" if missing else ""
        found.append(Proof(group=group, topic=topic, partition=None, counted=counted, missing=missing, why=why))
    return found


def _gapless(each: Partition, log: Log) -> Proof:
    place = each.topic, each.partition
    start, end = log.starts.get(place, 0), log.ends.get(place, each.next_offset)
    first = min(start, each.next_offset) if each.first_offset is None else each.first_offset
    holes = {
        "deleted from the log unread": max(start - each.next_offset, 0),
        "stepped over": each.next_offset - first - each.records,
    }
    topic = topics.BY_NAME.get(each.topic)
    if topic is None or topic.cleanup != "delete":
        holes = {}
    return Proof(
        group=each.group,
        topic=each.topic,
        partition=each.partition,
        counted=each.records,
        unread=max(end - each.next_offset, 0),
        missing=sum(abs(count) for count in holes.values()),
        why=", ".join(_said(what, count) for what, count in holes.items() if count),
    )


def _said(what: str, count: int) -> str:
    return f"{count} {what}" if count > 0 else f"{-count} counted twice: the watermark was moved back"


def is_below(partitions: Iterable[Partition], stream: Stream, ends: Mapping[Place, int]) -> bool:
    """Return whether everything before `ends` lies below the watermarks of the group of `stream`."""
    standing = {
        (each.topic, each.partition): each.next_offset
        for each in partitions
        if each.topic in stream.topics and group_of_both(each.group) in stream.readers
    }
    return all(end == 0 or standing.get(place, 0) >= end for place, end in ends.items() if place[0] in stream.topics)


def gaps(balances: Iterable[Balance], found: Iterable[Proof], sources: Collection[str] = ()) -> int:
    """Return how many records are missing, of some sources or (none named) in all."""
    own = sum(each.missing for each in balances if not sources or each.source in sources)
    return own + sum(each.missing for each in found)

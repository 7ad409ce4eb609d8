"""What became of every record, per source and hour of receipt: counted with the watermark, for the standing audit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple

from chassis.batch import REPLAY_GROUP, Batch, Fate, Record
from chassis.postgres import Connection
from contracts.envelope import Envelope

SOURCE_CHARACTERS: Final = 200


class Line(NamedTuple):
    """One counter."""

    topic: str
    source: str
    hour: datetime
    fate: Fate


class Counts(NamedTuple):
    """How many records are on each line, and how many of those were replayed on purpose."""

    all: Counter[Line]
    again: Counter[Line]


Step = tuple[str, int, int, int]
"""One partition's records of a batch: topic, partition, the offset at which they begin, how many they are."""

ADD: Final[LiteralString] = """
    WITH stepped AS (
        INSERT INTO partition_flow AS p (consumer_group, topic, partition, first_offset, records)
        SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[])
        ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET records = p.records + excluded.records
    )
    INSERT INTO group_flow AS g (consumer_group, topic, source, received_hour, fate, count, again)
    SELECT $1, * FROM unnest($6::text[], $7::text[], $8::timestamptz[], $9::text[], $10::bigint[], $11::bigint[])
    ON CONFLICT (consumer_group, topic, source, received_hour, fate) DO UPDATE
    SET count = g.count + excluded.count, again = g.again + excluded.again
"""


async def add(tx: Connection, group: str, counts: Counts, steps: Iterable[Step] = ()) -> None:
    """Add to the counters of `group`. Call last: the rows of a busy source stay locked until the transaction ends."""
    lines, moved = sorted(counts.all), sorted(steps)
    if lines:
        numbers = [counts.all[line] for line in lines], [counts.again[line] for line in lines]
        columns = (*([step[place] for step in moved] for place in range(4)), *zip(*lines, strict=True), *numbers)
        await tx.execute(ADD, group, *columns)


async def add_published(tx: Connection, group: str, topic: str, events: Iterable[Envelope]) -> None:
    """Count what `group` puts on `topic` without a batch of its own: because time passed, or a person asked."""
    await add(tx, group, Counts(_published(topic, events), Counter()))


async def add_batch(
    tx: Connection, group: str, batch: Batch[Any], polled: Sequence[Record], *, firsts: Mapping[tuple[str, int], int]
) -> None:
    """Count every record of a batch in exactly one fate. `firsts` are the offsets at which its partitions begin."""
    counts = tallied(batch, polled)
    for topic, events in batch.published:
        counts.all.update(_published(topic, events))
    records = Counter((record.topic, record.partition) for record in polled)
    await add(tx, group, counts, [(*place, firsts[place], number) for place, number in records.items()])


def tallied(batch: Batch[Any], polled: Iterable[Record]) -> Counts:
    """Return what became of the records.

    On the way everything is plain text and numbers: an enum and a moment are slow to hash, and each record is.
    """
    value_by_record = {id(item.record): item.value for item in batch.items}
    fates = dict.fromkeys(value_by_record, "applied") | {each: fate.value for each, fate in batch.fates.items()}
    for record, _ in batch.refused:
        fates[id(record)] = "dead_lettered" if id(record) in value_by_record else "unreadable"
    counts, again = Counter[_Plain](), Counter[_Plain]()
    for record in polled:
        origin = _origin(value_by_record.get(id(record)), record, batch.recorded_at)
        plain = record.topic, *origin, fates.get(id(record), "elsewhere")
        counts[plain] += 1
        if REPLAY_GROUP in dict(record.headers):
            again[plain] += 1
    return Counts(_lines(counts), _lines(again))


_Plain = tuple[str, str, float, str]
_HOUR_SECONDS: Final = 3600
_LAST_HOUR: Final = 253_402_297_199 // _HOUR_SECONDS  # of the year 9999: what a broken header says may lie beyond


def _published(topic: str, events: Iterable[Envelope]) -> Counter[Line]:
    return _lines(Counter((topic, each.source, _hour(each.received), "published") for each in events))


def _origin(value: Any, record: Record, otherwise: datetime) -> tuple[str, float]:
    """Return source and hour as the decoded value says, else as the headers do; `otherwise` where none is there."""
    if hasattr(value, "received"):
        return value.source, _hour(value.received)
    header = {name.removeprefix("ce_"): text.decode("utf-8", "replace") for name, text in record.headers}
    received = otherwise
    with suppress(KeyError, ValueError):
        received = datetime.fromisoformat(header.get("receivedtime") or header["received"])
    return header.get("source", ""), _hour(received if received.tzinfo else otherwise)


def _hour(received: datetime) -> float:
    return received.timestamp() // _HOUR_SECONDS


def _lines(counts: Counter[_Plain]) -> Counter[Line]:
    lines: Counter[Line] = Counter()
    for (topic, source, hour, fate), count in counts.items():
        kept = source.replace("\x00", "\\0")[:SOURCE_CHARACTERS]
        moment = datetime.fromtimestamp(min(max(hour, 0), _LAST_HOUR) * _HOUR_SECONDS, UTC)
        lines[Line(topic, kept, moment, Fate(fate))] += count
    return lines

"""A source's raw records once more, through the bulk lane: what its mended adapter says now comes through once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaProducer

from chassis import producing
from chassis.batch import REPLAY_GROUP, Record
from contracts.topics import RAW_MAX_BYTES, RMM_RAW_BULK
from patchline.rebuild.gateway import RAW
from patchline.rebuild.logs import Logs, Span, header
from services.gateway.translation.translate_app import GROUP

MARGIN: Final = timedelta(hours=1)
"""So much earlier than it was received no record was ever written, however clocks differ."""

Show = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which deliveries to replay: of `source`, received from `since` and before `until`."""

    source: str
    since: datetime
    until: datetime

    def has(self, record: Record) -> bool:
        """Return whether a raw record is one of them; a replayed one is not: the delivery itself stands before it."""
        if header(record, "source") != self.source or header(record, REPLAY_GROUP) is not None:
            return False
        try:
            received = datetime.fromisoformat(header(record, "received") or "")
        except ValueError:
            return False
        return received.tzinfo is not None and self.since <= received < self.until


@dataclass(slots=True)
class Replayed:
    """What a replay found and did. `repeats` are records that the spool had written twice."""

    read: int = 0
    deliveries: int = 0
    bytes: int = 0
    repeats: int = 0
    produced: int = 0


async def replay(
    kafka: str, logs: Logs, chosen: Chosen, *, clock_offset: timedelta, dry_run: bool, show: Show
) -> Replayed:
    """Put the chosen raw records, as they stand, into the bulk lane's raw topic, for the gateway and nobody else.

    Raises:
        KafkaError, TimeoutError: the cluster cannot be reached or refuses; repeating the command is harmless.
    """
    result = Replayed()
    seen: set[str] = set()
    partitions = await logs.partitions(RAW)
    ends = await logs.ends(partitions)
    starts = await logs.since(partitions, chosen.since - clock_offset - MARGIN)
    spans = {each: Span(starts[each], ends[each]) for each in partitions}
    total = sum(span.end - span.start for span in spans.values())
    async with producing.connected(kafka, max_request_size=RAW_MAX_BYTES) as producer:
        async for records in logs.read(spans):
            result.read += len(records)
            fresh = [each for each in records if chosen.has(each) and _is_new(each, seen, result)]
            if not dry_run:
                await _produce(producer, fresh)
                result.produced += len(fresh)
            show("dry run" if dry_run else "replaying", result.read, total)
    return result


def _is_new(record: Record, seen: set[str], result: Replayed) -> bool:
    raw_id = header(record, "raw_id") or ""
    if raw_id in seen:
        result.repeats += 1
        return False
    seen.add(raw_id)
    result.deliveries += 1
    result.bytes += len(record.value or b"")
    return True


async def _produce(producer: AIOKafkaProducer, records: list[Record]) -> None:
    mark = (REPLAY_GROUP, GROUP.encode())
    sent = [await producer.send(RMM_RAW_BULK.name, value=each.value, headers=[*each.headers, mark]) for each in records]
    await asyncio.gather(*sent)

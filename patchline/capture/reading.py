"""The raw records of one source, the last ones or those still to come, in clear where they open."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aiokafka import TopicPartition

from contracts.errors import UndecodableEvent
from contracts.raw import RawDelivery, delivery_of
from contracts.topics import EXPOSURES_RAW, PSA_RAW, RMM_RAW, RMM_RAW_BULK, Topic
from patchline.logs import Logs
from services.gateway.keys.bodies import Bodies, Unopened

FIRST_WINDOW: Final = 1_000
READ_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Captured:
    """A delivery of the source: in clear, or sealed and why it stays so."""

    topic: str
    delivery: RawDelivery
    problem: str | None = None


def topics_of(source_id: str) -> tuple[Topic, ...]:
    """Return the raw topics on which a source's deliveries are."""
    match source_id.partition("/")[0]:
        case "psa":
            return (PSA_RAW,)
        case "exposure":
            return (EXPOSURES_RAW,)
        case _:
            return (RMM_RAW, RMM_RAW_BULK)


class Records:
    """Reads one source's raw records through `logs`, and opens them with `bodies`. Each raw id is told once."""

    def __init__(self, logs: Logs, bodies: Bodies, source_id: str) -> None:
        """Read what `source_id` delivered."""
        self._logs = logs
        self._bodies = bodies
        self._source_id = source_id
        self._seen: set[str] = set()

    async def last(self, count: int) -> list[Captured]:
        """Return the last `count` deliveries that are kept, oldest first. Reads backwards, further the rarer they are.

        Raises:
            KafkaError: the cluster cannot be reached.
            MayWorkLater: a key or a large body cannot be had now.
        """
        places = await self._places()
        starts, ends = await self._logs.starts(places), await self._logs.ends(places)
        found: list[Any] = []
        for place in places:
            found += await self._last_of(place, starts[place], ends[place], count)
        newest = sorted(found, key=lambda record: record.timestamp)[-count:]
        return [each async for each in self._opened(newest)]

    async def coming(self, span: timedelta) -> AsyncIterator[Captured]:
        """Yield what is delivered from now on, as it comes, until `span` is over.

        Raises:
            KafkaError: the cluster cannot be reached.
            MayWorkLater: a key or a large body cannot be had now.
        """
        places = await self._places()
        consumer, loop = self._logs.consumer, asyncio.get_running_loop()
        consumer.assign(places)
        for place, end in (await self._logs.ends(places)).items():
            consumer.seek(place, end)
        deadline = loop.time() + span.total_seconds()
        while loop.time() < deadline:
            for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                async for captured in self._opened(self._ours(records)):
                    yield captured

    async def _places(self) -> list[TopicPartition]:
        return await self._logs.places([topic.name for topic in topics_of(self._source_id)])

    async def _last_of(self, place: TopicPartition, start: int, end: int, count: int) -> list[Any]:
        found: list[Any] = []
        window = max(FIRST_WINDOW, count)
        while end > start and len(found) < count:
            begin = max(start, end - window)
            found = self._ours(await self._between(place, begin, end)) + found
            end, window = begin, window * 2
        return found[-count:]

    async def _between(self, place: TopicPartition, begin: int, end: int) -> list[Any]:
        consumer = self._logs.consumer
        consumer.assign([place])
        consumer.seek(place, begin)
        records: list[Any] = []
        while await consumer.position(place) < end:
            for read in (await consumer.getmany(place, timeout_ms=READ_MS)).values():
                records += [each for each in read if each.offset < end]
        return records

    def _ours(self, records: Sequence[Any]) -> list[Any]:
        """Return the records of this source, each raw id once: what was replayed is there again."""
        ours = []
        for record in records:
            header = dict(record.headers)
            raw_id = header.get("raw_id", b"").decode("latin-1")
            if header.get("source") == self._source_id.encode() and raw_id not in self._seen:
                self._seen.add(raw_id)
                ours.append(record)
        return ours

    async def _opened(self, records: Sequence[Any]) -> AsyncIterator[Captured]:
        for record in records:
            try:
                sealed = delivery_of(record.headers, record.value)
            except UndecodableEvent:
                continue  # a record that anyone may have written: it is none of a source's
            [clear] = await self._bodies.opened([sealed])
            if isinstance(clear, Unopened):
                yield Captured(record.topic, sealed, clear.reason)
            else:
                yield Captured(record.topic, clear)

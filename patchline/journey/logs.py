"""What the topics know of a delivery: found by their headers, forward from the moment in the raw id."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition

from contracts import topics
from contracts.topics import dead_letter_topics
from patchline.journey.records import Seen
from patchline.logs import Logs

Headers = Mapping[str, str]
Match = Callable[[Headers], bool]

RAW: Final = tuple(each.name for each in (topics.RMM_RAW, topics.RMM_RAW_BULK, topics.PSA_RAW, topics.EXPOSURES_RAW))
EVENTS: Final = tuple(
    each.name for each in (topics.RMM_EVENTS, topics.RMM_EVENTS_BULK, topics.PSA_EVENTS, topics.EXPOSURES)
)
DEAD: Final = tuple(each.name for each in dead_letter_topics())

EARLIER_MS: Final = 5_000
"""Clocks of two machines differ; looking begins so much before the moment that is looked for."""

READ_MS: Final = 1_000


class Topics:
    """Looks through topics. `seconds` bounds one search: on a large log that means not everything was looked at."""

    def __init__(self, logs: Logs, *, seconds: float) -> None:
        """Look through the topics of one cluster."""
        self._logs = logs
        self._seconds = seconds

    async def deliveries(self, raw_id: UUID) -> list[Seen]:
        """Return the raw records of one delivery: more than one where the spool or a replay sent it again."""
        return await self._found(RAW, milliseconds_of(raw_id), lambda header: header.get("raw_id") == str(raw_id))

    async def named(self, delivery: str, since_ms: int) -> list[UUID]:
        """Return the raw ids of deliveries that their sender called `delivery` (`webhook-id`)."""
        found = await self._found(RAW, since_ms, lambda header: header.get("delivery") == delivery)
        return sorted({UUID(each.headers["raw_id"]) for each in found if "raw_id" in each.headers})

    async def events(self, raw_id: UUID, since_ms: int, count: int) -> list[Seen]:
        """Return the events made of one delivery as they were published; stop once there are `count`."""
        return await self._found(
            EVENTS, since_ms, lambda header: header.get("ce_causationid") == str(raw_id), count=count
        )

    async def dead_letters(self, ids: frozenset[str], since_ms: int) -> list[Seen]:
        """Return what was refused, of these raw and event ids."""
        return await self._found(
            DEAD, since_ms, lambda header: bool(ids & {header.get("raw_id", ""), header.get("ce_id", "")})
        )

    async def _found(
        self, names: Sequence[str], since_ms: int, match: Match, *, count: int | None = None
    ) -> list[Seen]:
        """Return matching records in order of their time, from `since_ms` to the ends as they are now."""
        found: list[Seen] = []
        left = await self._sought(names, since_ms)
        until = time.monotonic() + self._seconds
        while left and time.monotonic() < until and (count is None or len(found) < count):
            for place, records in (await self._logs.consumer.getmany(*left, timeout_ms=READ_MS)).items():
                found += [seen for seen in map(_seen, records) if match(seen.headers)]
                if records[-1].offset + 1 >= left[place]:
                    left.pop(place)
        return sorted(found, key=lambda each: each.timestamp_ms)

    async def _sought(self, names: Sequence[str], since_ms: int) -> dict[TopicPartition, int]:
        """Seek to the first records since then, and return where each partition that has any ends."""
        consumer = self._logs.consumer
        places = await self._logs.places(names)
        consumer.assign(places)
        ends = await self._logs.ends(places)
        firsts = await consumer.offsets_for_times(dict.fromkeys(places, max(since_ms - EARLIER_MS, 0)))
        left = {place: ends[place] for place in places if firsts[place] and firsts[place].offset < ends[place]}
        for place in left:
            consumer.seek(place, firsts[place].offset)
        return left


def _seen(record: Any) -> Seen:
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    return Seen(record.topic, record.partition, record.offset, record.timestamp, headers)


def milliseconds_of(raw_id: UUID) -> int:
    """Return when a raw id was minted, in milliseconds since 1970; 0 for an id that does not say."""
    return raw_id.int >> 80 if raw_id.version == 7 else 0

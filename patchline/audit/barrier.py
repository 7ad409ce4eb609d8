"""When an hour may be judged: once all that was published of it lies below the watermarks of those who read it.

First the counts of what was published are read, with the newest number in the outboxes; then the outbox must have let
go of all up to that number; then the ends of the logs are read; then the watermarks must be past them. What is missing
after that is missing: no clock and no guess at delays is involved.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final, Protocol

from aiokafka import TopicPartition

from chassis.postgres import Connection
from patchline.audit import rules, store
from patchline.audit.rules import DELIVERIES, STREAMS, Balance, Cell, Counters, Log, Place, Proof, Stream

LOOK_EVERY_SECONDS: Final = 0.2


class Looking(Protocol):
    """What is needed of Kafka: `patchline.logs.Logs`."""

    async def places(self, topics: Sequence[str]) -> Sequence[TopicPartition]:
        """Return every partition that these topics have by now."""
        ...

    async def starts(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset of each log's first record."""
        ...

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset that each log's next record will have."""
        ...


@dataclass(slots=True)
class Barrier:
    """One stream's: what was published up to a moment, and how far its way to the readers is known."""

    published: Counter[Cell]
    marks: dict[str, int] = field(default_factory=dict)
    ends: dict[Place, int] = field(default_factory=dict)
    is_sent: bool = False
    is_passed: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """What one look found."""

    balances: Sequence[Balance]
    proofs: Sequence[Proof]
    judged: frozenset[str]

    @property
    def gaps(self) -> int:
        """Return how many records are missing in all."""
        return rules.gaps(self.balances, self.proofs)


class Watch:
    """Looks at the counters through `connection`, and at the logs."""

    def __init__(self, connection: Connection, logs: Looking) -> None:
        """Have looked at nothing yet."""
        self._connection = connection
        self._logs = logs
        self._barriers: dict[Stream, Barrier] = {}

    async def look(self, since: datetime) -> Audit:
        """Look once and return what is known of the hours from `since` on; a stream that was judged begins anew."""
        await self._begin(since)
        await self._follow()
        log = await self._log()
        async with store.instant(self._connection):
            counters = await store.counters(self._connection, since)
        for stream, barrier in self._barriers.items():
            barrier.is_passed = barrier.is_sent and rules.is_below(counters.partitions, stream, barrier.ends)
        audit = Audit(
            self._balances(counters, since),
            rules.proofs(counters, log),
            frozenset(stream.group for stream, each in self._barriers.items() if each.is_passed),
        )
        self._barriers = {stream: each for stream, each in self._barriers.items() if not each.is_passed}
        return audit

    async def settle(self, since: datetime, *, wait_seconds: float) -> Audit:
        """Look until every stream can be judged, or `wait_seconds` are over, and return what the last look found."""
        until = time.monotonic() + wait_seconds
        judged: dict[str, list[Balance]] = {}
        while True:
            audit = await self.look(since)
            for group in audit.judged - judged.keys():
                judged[group] = [each for each in audit.balances if each.group == group]
            if len(judged) == len(STREAMS) + 1 or time.monotonic() > until:
                open_ones = [each for each in audit.balances if each.group not in judged]
                return Audit([*chain(*judged.values()), *open_ones], audit.proofs, frozenset(judged))
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _begin(self, since: datetime) -> None:
        fresh = [stream for stream in (DELIVERIES, *STREAMS) if stream not in self._barriers]
        if not fresh:
            return
        async with store.instant(self._connection):
            counters = await store.counters(self._connection, since)
            waiting = await store.waiting(self._connection, _topics(fresh))
        for stream in fresh:
            counted = rules.drained(counters) if stream is DELIVERIES else rules.published(counters, stream)
            marks = {topic: waiting[topic][1] for topic in stream.topics if topic in waiting}
            self._barriers[stream] = Barrier(counted, marks)

    async def _follow(self) -> None:
        """Read the ends of the logs of those streams whose outbox let go of what was counted."""
        left = {stream: each for stream, each in self._barriers.items() if not each.is_sent}
        if not left:
            return
        waiting = await store.waiting(self._connection, _topics(left))
        for stream, barrier in left.items():
            if all(topic not in waiting or waiting[topic][0] > mark for topic, mark in barrier.marks.items()):
                log = await self._log(stream.topics)
                if not log.ends:
                    continue  # topics that are not there were not looked at
                barrier.ends = {place: end for place, end in log.ends.items() if end > log.starts[place]}
                barrier.is_sent = True

    async def _log(self, topics: Sequence[str] = ()) -> Log:
        places = await self._logs.places(topics or _topics([DELIVERIES, *STREAMS]))
        return Log(starts=_by_place(await self._logs.starts(places)), ends=_by_place(await self._logs.ends(places)))

    def _balances(self, counters: Counters, since: datetime) -> list[Balance]:
        barrier = self._barriers[DELIVERIES]
        found = rules.deliveries(counters, _from(barrier.published, since), is_final=barrier.is_passed)
        for stream in STREAMS:
            barrier = self._barriers[stream]
            found += rules.events(counters, stream, _from(barrier.published, since), is_final=barrier.is_passed)
        return found


def _from(published: Counter[Cell], since: datetime) -> dict[Cell, int]:
    """Return the counts of hours that are still looked at: a barrier may have been begun when the window was older."""
    return {(source, hour): count for (source, hour), count in published.items() if hour >= since}


def _topics(streams: Sequence[Stream] | Mapping[Stream, Barrier]) -> list[str]:
    return sorted({topic for stream in streams for topic in stream.topics})


def _by_place(offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {(each.topic, each.partition): offset for each, offset in offsets.items()}

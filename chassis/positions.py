"""Which record of each partition comes next: read from the watermarks, checked against the log, never skipped."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from chassis import points, watermark
from chassis.batch import Record, identity
from chassis.errors import LogNotContinuous
from chassis.postgres import Pool
from chassis.topic_ids import topic_ids
from chassis.watermark import LostPartition, Move, Watermark
from contracts.topics import BY_NAME

log = logging.getLogger(__name__)

COMMIT_SECONDS: Final = 0.5
COMMIT_TIMEOUT_SECONDS: Final = 2.0
PROCEDURE: Final = "see docs/runbook.md, 'A log does not continue'"


class Positions:
    """The place of one consumer in each of its partitions."""

    def __init__(self, group: str, pool: Pool, kafka: str) -> None:
        """Know no partition yet."""
        self._group = group
        self._pool = pool
        self._kafka = kafka
        self._ids: dict[str, UUID] = {}
        self._doubted: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._remembered: dict[TopicPartition, Watermark] = {}
        self._busy_since: list[float] = []
        self._uncommitted: set[TopicPartition] = set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count as a batch under way for as long as the `with` block lasts; several may be, side by side."""
        since = time.monotonic()
        self._busy_since.append(since)
        try:
            yield
        finally:
            self._busy_since.remove(since)

    def busy_for_longer_than(self, seconds: float) -> bool:
        """Return whether one batch has been under way for so long."""
        return any(time.monotonic() - since > seconds for since in self._busy_since)

    def knows(self, partition: TopicPartition) -> bool:
        """Return whether `partition` was sought to its watermark."""
        return partition in self._next

    def forget(self, partitions: Sequence[TopicPartition]) -> None:
        """Believe nothing about these partitions until the next `seek`."""
        for each in partitions:
            self._next.pop(each, None)
            self._remembered.pop(each, None)

    async def seek(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        """Seek each partition to its watermark; one record earlier where there is one to recognise.

        Raises:
            LogNotContinuous: a log starts above its watermark or ends below it, or its topic was made anew.
        """
        self.forget(partitions)
        if not partitions:
            return
        ids = await topic_ids(self._kafka, {each.topic for each in partitions})
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        async with self._pool.acquire() as connection:
            standing = await watermark.ensure(connection, self._group, beginnings, ids)
        for each in partitions:
            mark = standing[each]
            if wrong := self._wrong(each, mark.next_offset, beginnings[each], ends[each]):
                raise LogNotContinuous(wrong)
            if mark.topic_id is not None and ids.get(each.topic, mark.topic_id) != mark.topic_id:
                raise LogNotContinuous(self._made_anew(each.topic))
        await self._tell_of_going_back(consumer, standing)
        self._ids |= ids
        for each in partitions:
            mark = standing[each]
            looks_back = mark.last_identity is not None and mark.next_offset > beginnings[each]
            consumer.seek(each, mark.next_offset - 1 if looks_back else mark.next_offset)
            self._next[each] = mark.next_offset
            if looks_back:
                self._remembered[each] = mark
        self._uncommitted |= set(partitions)  # who died before its offset left it behind

    async def _tell_of_going_back(self, consumer: Any, standing: Mapping[TopicPartition, Watermark]) -> None:
        """Say so where Kafka remembers a later place than the database: an older database is made whole by seeking."""
        committed = await asyncio.gather(*(consumer.committed(each) for each in standing))
        for each, offset in zip(standing, committed, strict=True):
            if (offset or 0) > standing[each].next_offset:
                place = {"topic": each.topic, "partition": each.partition, "watermark": standing[each].next_offset}
                log.warning("goes back, handles again", extra={"group": self._group, **place, "committed": offset})

    async def verify(self, consumer: Any) -> list[TopicPartition]:
        """Look whether the logs still continue where we stand: nobody tells a consumer that a log was cut or exchanged.

        A place that is wrong in two looks in a row is believed to be: a record may be in hand in between. Returns the
        partitions that stand earlier in the database than we believe: it was restored to an older state meanwhile.

        Raises:
            LogNotContinuous: a log starts above our place or ends below it, or its topic was made anew.
            KafkaError: no broker answers; nothing is known.
        """
        ids = await topic_ids(self._kafka, self._ids)
        for name, id_ in sorted(self._ids.items()):
            if name not in ids:
                log.warning("a topic is gone", extra={"group": self._group, "topic": name})
            elif ids[name] != id_:
                raise LogNotContinuous(self._made_anew(name))
        places = {each: self._next[each] for each in consumer.assignment() if each in self._next}
        if not places:
            return []
        async with self._pool.acquire() as connection:
            standing = await watermark.standing(connection, self._group, list(places))
        beginnings = await consumer.beginning_offsets(list(places))
        ends = await consumer.end_offsets(list(places))
        doubted: dict[TopicPartition, int] = {}
        for each, place in places.items():
            if wrong := self._wrong(each, place, beginnings[each], ends[each]):
                if self._doubted.get(each) == place:
                    raise LogNotContinuous(wrong)
                doubted[each] = place
        self._doubted = doubted
        return [each for each, mark in standing.items() if mark.next_offset < places[each]]

    def _made_anew(self, topic: str) -> str:
        return f"{topic} was made anew since {self._group} last read it: its offsets count other records; {PROCEDURE}"

    def _wrong(self, partition: TopicPartition, place: int, beginning: int, end: int) -> str:
        """Return why the log between `beginning` and `end` does not continue at our `place`; empty: it does."""
        name, mark = f"{partition.topic}/{partition.partition}", f"{self._group}'s watermark {place}"
        if beginning > place:
            return f"{name} starts at {beginning}, above {mark}: records were deleted unread; {PROCEDURE}"
        return f"{name} ends at {end}, below {mark}: the log was cut or made anew; {PROCEDURE}" if end < place else ""

    def fresh(self, records: Sequence[Record]) -> list[Record]:
        """Return the records that are next, in order; those before the watermark or of unknown partitions are not.

        Raises:
            LogNotContinuous: the record before the watermark is another one than we remember.
        """
        fresh: list[Record] = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            expected = self._next.get(partition)
            if expected is None:
                continue
            mark = self._remembered.pop(partition, None)
            if mark is not None and record.offset == mark.next_offset - 1 and identity(record) != mark.last_identity:
                raise LogNotContinuous(
                    f"{record.topic}/{record.partition}: the record at {record.offset} is {identity(record)}, "
                    f"{self._group} remembers {mark.last_identity}: another log; {PROCEDURE}"
                )
            if record.offset >= expected:
                fresh.append(record)
        self._check_gaps(fresh)
        return fresh

    def _check_gaps(self, fresh: Sequence[Record]) -> None:
        """Refuse to step over a record that must be there: only a compacted log, or one cut by age, has holes."""
        following = dict(self._next)
        for record in fresh:
            partition = TopicPartition(record.topic, record.partition)
            topic = BY_NAME.get(record.topic)
            if topic is not None and topic.cleanup == "delete" and record.offset != following[partition]:
                raise LogNotContinuous(
                    f"{record.topic}/{record.partition}: {self._group} expects {following[partition]} and reads "
                    f"{record.offset}: records between were not read; {PROCEDURE}"
                )
            following[partition] = record.offset + 1

    def still_next(self, records: Sequence[Record]) -> list[Record]:
        """Return the records that still follow where we stand: a partition sought meanwhile is read anew from there."""
        first: dict[TopicPartition, int] = {}
        for record in records:
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        sought = {each for each, offset in first.items() if self._next.get(each) != offset}
        return [each for each in records if TopicPartition(each.topic, each.partition) not in sought]

    def moves(self, records: Sequence[Record]) -> dict[TopicPartition, Move]:
        """Return the step that each partition makes when all of `records` are handled.

        Raises:
            LostPartition: one was given anew meanwhile, and is being sought.
        """
        last: dict[TopicPartition, Record] = {}
        for record in records:
            last[TopicPartition(record.topic, record.partition)] = record
        if lost := last.keys() - self._next.keys():
            raise LostPartition(f"{sorted(lost)}: being sought")
        return {
            partition: Move(self._next[partition], record.offset + 1, identity(record))
            for partition, record in last.items()
        }

    def advanced(self, moves: Mapping[TopicPartition, Move]) -> None:
        """Believe in the new places: their transaction is committed. Kafka is told with the others, soon."""
        for partition, move in moves.items():
            self._next[partition] = move.next_offset
        self._uncommitted |= moves.keys()

    async def commit_now_and_then(self, consumer: Callable[[], Any]) -> None:
        """Tell Kafka for ever how far we are: an offset for each batch is as much work for a broker as a small batch.

        `consumer` returns the one there is at the moment, or `None`.
        """
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            if self._uncommitted:
                await self.commit_rest(consumer())
                points.reached("consumer after the offset commit")

    async def commit_rest(self, consumer: Any) -> None:
        """Commit where those partitions stand that moved since the last time; what cannot be now is tried again."""
        rest, self._uncommitted = self._uncommitted, set()
        if rest and consumer is not None and not await self.commit(consumer, rest & set(consumer.assignment())):
            self._uncommitted |= rest

    def rewind(self, consumer: Any, records: Sequence[Record]) -> list[TopicPartition]:
        """Seek each partition of `records` back to where it stands and return those still assigned."""
        known = set(consumer.assignment()) & self._next.keys()
        partitions = sorted({TopicPartition(record.topic, record.partition) for record in records} & known)
        for each in partitions:
            consumer.seek(each, self._next[each])
        return partitions

    async def commit(self, consumer: Any, partitions: Iterable[TopicPartition]) -> bool:
        """Commit where these partitions stand, for whoever watches the lag; the watermarks are what counts.

        Returns whether Kafka has them, or there was nothing to say: aiokafka does not take nothing.
        """
        places = {each: self._next[each] for each in partitions if each in self._next}
        try:
            if places:
                async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                    await consumer.commit(places)
        except (KafkaError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            log.info("offsets not committed", extra={"group": self._group, "reason": reason})
            return False
        return True

"""Which record of each partition comes next: read from the watermarks, checked against the log, never skipped."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from chassis import watermark
from chassis.batch import Record, identity
from chassis.errors import LogNotContinuous
from chassis.postgres import Pool
from chassis.watermark import Move, Watermark
from contracts.topics import BY_NAME

log = logging.getLogger(__name__)

PROCEDURE: Final = "see docs/runbook.md, 'A log does not continue'"


class Positions:
    """The place of one consumer in each of its partitions."""

    def __init__(self, group: str, pool: Pool) -> None:
        """Know no partition yet."""
        self._group = group
        self._pool = pool
        self._next: dict[TopicPartition, int] = {}
        self._remembered: dict[TopicPartition, Watermark] = {}
        self._busy_since: float | None = None

    def begin(self) -> None:
        """Note that a batch is under way."""
        self._busy_since = time.monotonic()

    def end(self) -> None:
        """Note that it ended, whatever became of it."""
        self._busy_since = None

    def busy_for_longer_than(self, seconds: float) -> bool:
        """Return whether one batch has been under way for so long."""
        return self._busy_since is not None and time.monotonic() - self._busy_since > seconds

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
            LogNotContinuous: a log starts above its watermark or ends below it.
        """
        self.forget(partitions)
        if not partitions:
            return
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        async with self._pool.acquire() as connection:
            standing = await watermark.ensure(connection, self._group, beginnings)
        for each in partitions:
            mark = standing[each]
            if beginnings[each] > mark.next_offset:
                raise LogNotContinuous(
                    f"{each.topic}/{each.partition} starts at {beginnings[each]}, above {self._group}'s watermark "
                    f"{mark.next_offset}: records were deleted unread; {PROCEDURE}"
                )
            if ends[each] < mark.next_offset:
                raise LogNotContinuous(
                    f"{each.topic}/{each.partition} ends at {ends[each]}, below {self._group}'s watermark "
                    f"{mark.next_offset}: the log was cut or made anew; {PROCEDURE}"
                )
        for each in partitions:
            mark = standing[each]
            looks_back = mark.last_identity is not None and mark.next_offset > beginnings[each]
            consumer.seek(each, mark.next_offset - 1 if looks_back else mark.next_offset)
            self._next[each] = mark.next_offset
            if looks_back:
                self._remembered[each] = mark

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

    def moves(self, records: Sequence[Record]) -> dict[TopicPartition, Move]:
        """Return the step that each partition makes when all of `records` are handled."""
        last: dict[TopicPartition, Record] = {}
        for record in records:
            last[TopicPartition(record.topic, record.partition)] = record
        return {
            partition: Move(self._next[partition], record.offset + 1, identity(record))
            for partition, record in last.items()
        }

    def advanced(self, moves: Mapping[TopicPartition, Move]) -> None:
        """Believe in the new places: their transaction is committed."""
        for partition, move in moves.items():
            self._next[partition] = move.next_offset

    def rewind(self, consumer: Any, records: Sequence[Record]) -> list[TopicPartition]:
        """Seek each partition of `records` back to where it stands and return those still assigned."""
        known = set(consumer.assignment()) & self._next.keys()
        partitions = sorted({TopicPartition(record.topic, record.partition) for record in records} & known)
        for each in partitions:
            consumer.seek(each, self._next[each])
        return partitions

    async def commit(self, consumer: Any, moves: Mapping[TopicPartition, Move]) -> None:
        """Commit the offsets for whoever watches the lag; the watermarks are what counts."""
        try:
            await consumer.commit({partition: move.next_offset for partition, move in moves.items()})
        except KafkaError as error:
            log.info("offsets not committed", extra={"group": self._group, "reason": str(error)})

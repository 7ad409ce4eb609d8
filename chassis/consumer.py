"""Batches in: decode each record alone, one transaction with the watermark; the offset, now and then.

The offsets are ours (ADR 0003): a batch either advances the watermark in PostgreSQL, or is sought back and its
partitions paused for a while, and polling goes on.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from opentelemetry import trace

from chassis import flow, outbox, points, watermark
from chassis.batch import Batch, Decode, Handler, Record, dead_letter, decoded, is_for, place_of
from chassis.courtesy import Courtesy
from chassis.errors import TRANSIENT, LogNotContinuous, MayWorkLater, NeverWorks, may_work_later
from chassis.lanes import is_bulk
from chassis.later import Later
from chassis.platform import Platform
from chassis.positions import Positions
from chassis.postgres import transaction
from chassis.subscription import Member, Subscription
from chassis.telemetry import METERS, Count, Duration, links_to
from chassis.ways import parted, side_by_side
from contracts.topics import BY_NAME, Topic

log = logging.getLogger(__name__)
tracer = trace.get_tracer("patchline")

T = TypeVar("T")

LOOK_SECONDS: Final = 5.0
STUCK_SECONDS: Final = 30.0
BUGS_IN_A_ROW: Final = 100
"""So many records in a row that a handler cannot take are a broken release, not bad data: stop the line."""


class BatchConsumer(Generic[T]):
    """One consumer group of one process. Runs as a part; its handler runs inside its transactions."""

    def __init__(  # noqa: PLR0913 - what a consumer is made of
        self,
        *,
        group: str,
        topics: Sequence[Topic],
        decode: Decode[T],
        handler: Handler[T],
        on: Platform,
        max_records: int = 1000,
        ways: int = 1,
        apart_seconds: float = 0.0,
        prepare: Callable[[Sequence[Record]], Awaitable[None]] | None = None,
    ) -> None:
        """Consume `topics` as `group`, polling at most `max_records`, which `handler` gets in so many `ways` at once.

        `prepare` is awaited before each transaction: what calls out for what the records need belongs there.
        A group of the bulk lane, by its name, lets the others of its process go first, and has one way.
        """
        self.name = group
        self._decode = decode
        self._handler = handler
        self._prepare = prepare
        self._on = on
        self._progress = on.progress
        self._positions = Positions(group, on.pool, on.kafka)
        self._courtesy = Courtesy(on.live, on.pool, on.bulk_share) if is_bulk(group) else None
        self._ways, self._bugs_in_a_row = ways, 0
        self._later = Later()
        self._failed: asyncio.Future[None] | None = None
        self._subscription = Subscription(
            kafka=on.kafka,
            member=Member(group, on.group_instance),
            topics=topics,
            max_records=max_records,
            apart_seconds=apart_seconds,
            on_records=self._take,
            on_assigned=self._on_assigned,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping`; the batch under way is finished.

        Raises:
            LogNotContinuous: a log does not continue at our watermark; a person must decide.
            NeverWorks: too many records in a row could not be handled.
        """
        self._failed = asyncio.get_running_loop().create_future()
        if self._courtesy is not None:
            self._courtesy.stopping = stopping
        self._progress.ready[self.name] = False
        async with asyncio.TaskGroup() as tasks:
            self._later.begin(tasks)
            self._later.do(self._positions.commit_now_and_then(lambda: self._subscription.consumer))
            starting = tasks.create_task(self._subscription.start())
            beating = tasks.create_task(self._beat())
            watching = tasks.create_task(self._watch_logs())
            waiting = tasks.create_task(stopping.wait())
            try:
                ends: set[asyncio.Future[Any]] = {waiting, self._failed}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                starting.cancel()
                watching.cancel()
                await self._positions.commit_rest(self._subscription.consumer)
                await self._subscription.stop()
                beating.cancel()
                waiting.cancel()
                self._later.give_up()
        if self._failed.done():
            self._failed.result()

    async def _beat(self) -> None:
        """Beat while FastStream polls; a stuck handler stops the beat, a poll loop that ended stops the consumer."""
        while True:
            if self._subscription.is_over:
                self._fail(MayWorkLater(f"{self.name}: the poll loop ended"))
            if not self._positions.busy_for_longer_than(STUCK_SECONDS):
                self._progress.beat(self.name)
            await asyncio.sleep(1)

    async def _watch_logs(self) -> None:
        """Stop the consumer when a log no longer continues: FastStream would poll on for ever and tell nobody."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                consumer = self._subscription.consumer
                if consumer is not None and await self._positions.verify(consumer):
                    await self._seek_again()
            except LogNotContinuous as error:
                self._fail(error)
            except (KafkaError, *TRANSIENT) as error:
                log.info("cannot look at the logs", extra={"group": self.name, "reason": str(error)})

    async def _on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Seek each newly assigned partition to its watermark; until that is possible they stay paused."""
        try:
            await self._positions.seek(self._subscription.consumer, partitions)
        except LogNotContinuous as error:
            self._subscription.pause(partitions)
            self._fail(error)
        except (KafkaError, *TRANSIENT) as error:
            log.warning("cannot read watermarks yet", extra={"group": self.name, "reason": str(error)})
            self._subscription.pause(partitions)
            self._later.do(self._assign_again(partitions))
        else:
            self._progress.ready[self.name] = True

    async def _assign_again(self, partitions: Sequence[TopicPartition]) -> None:
        await asyncio.sleep(self._later.longer_pause())
        if mine := self._subscription.mine(partitions):
            await self._on_assigned(mine)
            if all(self._positions.knows(each) for each in mine):
                self._subscription.consumer.resume(*mine)

    async def _take(self, records: Sequence[Record]) -> None:
        try:
            await self._on_records(records)
        except Exception as error:  # noqa: BLE001 - FastStream would log it and poll on past the batch
            self._fail(error)

    async def _on_records(self, records: Sequence[Record]) -> None:
        """Handle one poll; that the record before a watermark is another one than we remember is told to `_take`."""
        fresh = self._positions.fresh(records)
        if self._courtesy is not None:
            left = await self._courtesy.in_portions(fresh, self._positions.still_next, self._next)
            if left:
                self._put_back(left, MayWorkLater("the portion before it was put back"))
        elif fresh:
            with self._on.live.working(fresh):
                await side_by_side([self._next(part) for part in parted(fresh, self._ways)])

    async def _next(self, fresh: Sequence[Record]) -> bool:
        """Handle what comes next in its partitions and return whether all of it is behind us."""
        if self._failed is None or self._failed.done():
            return False
        with self._positions.busy():
            return await self._handle([record for record in fresh if is_for(self.name, record)], fresh)

    async def _handle(self, mine: Sequence[Record], polled: Sequence[Record]) -> bool:
        """Apply the records; put back what may work later; narrow down and dead-letter what never works.

        Returns whether all of them are behind us; if not, each partition stands at the first that is not.
        """
        started = time.monotonic()
        error = await self._attempt(mine, polled, [])
        if error is None:
            self._bugs_in_a_row = 0
            self._later.forgive()
            METERS.add(Count.CONSUMED, len(polled), group=self.name)
            METERS.record(Duration.BATCH, time.monotonic() - started, group=self.name)
            return True
        if isinstance(error, watermark.LostPartition):
            METERS.add(Count.BATCHES_LOST, group=self.name)
            log.info("another consumer was first", extra={"group": self.name, "where": str(error)})
            await self._seek_again()
            return False
        if may_work_later(error):
            self._put_back(polled, error)
            return False
        return await (self._narrow(polled) if len(polled) > 1 else self._refuse(polled[0], error))

    async def _attempt(
        self, mine: Sequence[Record], polled: Sequence[Record], refused: Sequence[tuple[Record, str]]
    ) -> Exception | None:
        """Apply the records and return what went wrong, for the caller to sort into later, narrower, or never."""
        try:
            await self._apply(mine, polled, refused)
        except Exception as error:  # noqa: BLE001 - nothing is swallowed: each kind is acted on
            return error
        return None

    async def _narrow(self, polled: Sequence[Record]) -> bool:
        """Handle one half after the other; while the first is not behind us, the second may not be handled."""
        middle = len(polled) // 2
        first, second = polled[:middle], polled[middle:]
        if not await self._handle([record for record in first if is_for(self.name, record)], first):
            self._put_back(second, MayWorkLater("the half before it was put back"))
            return False
        return await self._handle([record for record in second if is_for(self.name, record)], second)

    async def _refuse(self, record: Record, error: Exception) -> bool:
        """Dead-letter one record that its handler cannot take."""
        self._bugs_in_a_row += 1
        log.error("handler cannot take a record", exc_info=error, extra=place_of(record, self.name))
        if self._bugs_in_a_row > BUGS_IN_A_ROW:
            reason = f"{BUGS_IN_A_ROW} records in a row failed in {self.name}: see docs/runbook.md, 'The line stopped'"
            self._fail(NeverWorks(f"{reason}; last: {type(error).__name__}: {error}"))
            return False
        reason = f"{self.name} cannot handle it: {type(error).__name__}: {error}"
        again = await self._attempt([], [record], [(record, reason)])
        if isinstance(again, watermark.LostPartition):
            await self._seek_again()
        elif again is not None:
            self._put_back([record], again)
        return again is None

    async def _apply(
        self, mine: Sequence[Record], polled: Sequence[Record], refused: Sequence[tuple[Record, str]]
    ) -> None:
        """Run the handler and advance the watermark in one transaction; then wake the relay."""
        moves = self._positions.moves(polled)
        with tracer.start_as_current_span(f"process {self.name}", links=links_to(mine)):
            if self._prepare is not None:
                await self._prepare(mine)
            async with transaction(self._on.pool) as tx:
                recorded_at = await watermark.advance(tx, self.name, moves, self._on.clock())
                batch: Batch[T] = decoded(mine, self._decode, recorded_at)
                batch.refused += refused
                if batch.items:
                    await self._handler.on_batch(tx, batch)
                for record, reason in batch.refused:
                    letter = dead_letter(record, group=self.name, reason=reason, at=recorded_at)
                    await outbox.enqueue_messages(tx, BY_NAME[record.topic].dead_letters, [letter])
                firsts = {each: moves[each].expected for each in moves}
                await flow.add_batch(tx, self.name, batch, polled, firsts=firsts)
                points.reached("consumer before the commit")
        points.reached("consumer after the commit")
        self._positions.advanced(moves)
        self._on.relay.wake()
        self._count_refused(batch)

    def _count_refused(self, batch: Batch[T]) -> None:
        for record, reason in batch.refused:
            METERS.add(Count.DEAD_LETTERED, topic=record.topic, group=self.name)
            log.warning("dead letter", extra={**place_of(record, self.name), "reason": reason})

    def _put_back(self, records: Sequence[Record], error: BaseException) -> None:
        """Seek back to the first of `records` in each partition and pause those partitions for a while."""
        METERS.add(Count.BATCHES_REDELIVERED, group=self.name)
        seconds = self._later.longer_pause()
        log.warning(
            "put back, tried again later",
            extra={"group": self.name, "seconds": seconds, "reason": f"{type(error).__name__}: {error}"},
        )
        partitions = self._positions.rewind(self._subscription.consumer, records)
        self._subscription.pause(partitions)
        self._later.do(self._resume(partitions, seconds))

    async def _resume(self, partitions: Sequence[TopicPartition], seconds: float) -> None:
        await asyncio.sleep(seconds)
        if mine := self._subscription.mine(partitions):
            self._subscription.consumer.resume(*mine)

    async def _seek_again(self) -> None:
        """Read all watermarks anew: if the database is an older one, all partitions go back at once, as they came."""
        partitions = sorted(self._subscription.consumer.assignment()) if self._subscription.consumer else []
        self._positions.forget(partitions)
        if partitions:
            await self._on_assigned(partitions)

    def _fail(self, error: Exception) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

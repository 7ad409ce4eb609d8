"""Deliveries into a raw topic: written together, each answered by Kafka's own acknowledgement.

What arrives in one turn of the event loop leaves as one batch. While one is on its way to a broker the next one fills,
so the more arrives the larger they get, and where many arrive they leave a little apart. A batch that is not
acknowledged within the budget fails for its own deliveries alone.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from chassis import producing
from chassis.errors import NeverWorks
from chassis.health import Progress
from chassis.telemetry import METERS, Count, Duration
from contracts.raw import RecordHeaders
from contracts.topics import RAW_MAX_BYTES, Topic
from services.gateway.door.raw_batch import BATCH_BYTES, ENOUGH, HEADERS_BYTES, Batch, Outcome, early_seconds

log = logging.getLogger(__name__)

FILLING_SECONDS: Final = 0.05
RETRY_SECONDS: Final = 0.5
STOP_SECONDS: Final = 3.0
REQUEST_TIMEOUT_MS: Final = 5_000
RETRY_BACKOFF_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a record may wait for its acknowledgement, how much may wait, how many batches travel at once."""

    budget_seconds: float = 0.5
    waiting_bytes: int = 64 * 1024 * 1024
    batches_on_their_way: int = 2


class RawWriter:
    """Writes records to one topic. Runs as a part: it keeps the producer, and drains before it ends."""

    def __init__(self, *, kafka: str, topic: Topic, progress: Progress, limits: Limits) -> None:
        """Write to `topic` of the brokers at `kafka`."""
        self._kafka = kafka
        self._topic = topic.name
        self.name = f"writer of {topic.name}"
        self._progress = progress
        self._limits = limits
        self._producer: Any = None
        self._broken = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._queue: deque[Batch] = deque()
        self._busy: dict[int, Batch] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._trouble = False
        self._on_their_way = 0
        self._waiting_bytes = 0
        self._last_partition = -1
        self._is_pump_due = False
        self._left_at = 0.0
        progress.ready[self.name] = False

    @property
    def topic(self) -> str:
        """Return the name of the topic."""
        return self._topic

    @property
    def is_connected(self) -> bool:
        """Return whether there is a producer that Kafka has not refused yet."""
        return self._producer is not None

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep a producer until `stopping`, then wait for what is on its way, at most as long as its budget.

        A batch that Kafka refuses leaves a hole in the numbering of an idempotent producer, and all that follow it into
        the same partition would be refused too: so then the producer is replaced.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            beating = tasks.create_task(self._beat())
            while not stopping.is_set():
                self._broken.clear()
                self._producer = await self._started(stopping)
                self._pump()
                await _first_of(stopping, self._broken)
            await self._drain()
            self._give_up_producer()
            await self._end_work()
            beating.cancel()

    def write(self, headers: RecordHeaders, value: bytes) -> asyncio.Future[Outcome]:
        """Write one record; the result comes once Kafka has it, or will not have it within the budget."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Outcome] = loop.create_future()
        size = len(value) + HEADERS_BYTES
        if self._waiting_bytes + size > self._limits.waiting_bytes:
            waiting.set_result(Outcome.FULL)
            return waiting
        batch = self._filling(size, loop)
        batch.records.append((headers, value))
        batch.waiting.append(waiting)
        batch.size_bytes += size
        self._waiting_bytes += size
        if not self._is_pump_due or len(batch.records) == ENOUGH:
            self._is_pump_due = True
            loop.call_soon(self._pump)
        return waiting

    def _filling(self, size: int, loop: asyncio.AbstractEventLoop) -> Batch:
        now = loop.time()
        last = self._queue[-1] if self._queue else None
        if last is None or last.size_bytes + size > BATCH_BYTES or now - last.born_at > FILLING_SECONDS:
            last = Batch(now)
            self._watch(last, loop)
            self._queue.append(last)
        return last

    def _watch(self, batch: Batch, loop: asyncio.AbstractEventLoop) -> None:
        batch.timer = loop.call_at(batch.born_at + self._limits.budget_seconds, self._expire, batch)

    def _pump(self) -> None:
        self._is_pump_due = False
        if len(self._queue) == 1 and (early := early_seconds(self._queue[0], self._left_at, time.monotonic())) > 0:
            self._is_pump_due = True
            asyncio.get_running_loop().call_later(early, self._pump)
            return
        while self._queue and self._on_their_way < self._limits.batches_on_their_way:
            partition = self._free_partition()
            if partition is None:
                return
            batch = self._queue.popleft()
            batch.partition = partition
            batch.leader = self._leader(partition)
            self._busy[partition] = batch
            self._on_their_way += 1
            self._left_at = time.monotonic()
            self._begin(self._send(self._producer, batch, partition))

    def _free_partition(self) -> int | None:
        """Return the next partition whose leader has no batch of ours on its way.

        A producer of aiokafka sends a broker one request at a time: a second batch would wait there, and no longer
        grow. Half as many batches are as many fewer for the broker to handle (ADR 0054).
        """
        if self._producer is None:
            return None
        led = self._producer.client.cluster.available_partitions_for_topic(self._topic) or ()
        taken = {each.leader for each in self._busy.values()}
        free = sorted(each for each in led if each not in self._busy and self._leader(each) not in taken)
        if not free:
            return None
        self._last_partition = next((each for each in free if each > self._last_partition), free[0])
        return self._last_partition

    def _leader(self, partition: int) -> int | None:
        leader: int | None = self._producer.client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        return leader

    async def _send(self, producer: Any, batch: Batch, partition: int) -> None:
        started = time.monotonic()
        builder = producer.create_batch()
        for headers, value in batch.records:
            builder.append(timestamp=None, key=None, value=value, headers=headers)
        builder.close()
        try:
            acknowledged = await producer.send_batch(builder, self._topic, partition=partition)
            await acknowledged
        except KafkaError as error:
            self._say_once("kafka refuses a batch", reason=str(error))
            if producer is self._producer:
                self._give_up_producer()
                self._broken.set()
            self._came_back(batch, partition)
        else:
            if self._trouble:
                log.warning("kafka acknowledges again", extra={"topic": self._topic})
                self._trouble = False
            METERS.add(Count.SENT, len(batch.records), topic=self._topic)
            METERS.record(Duration.SEND, time.monotonic() - started, topic=self._topic)
            self._settle(batch, partition, Outcome.WRITTEN)

    def _came_back(self, batch: Batch, partition: int) -> None:
        """Let a refused batch go again in halves, with the next producer, while its budget lasts."""
        if batch.is_late or (batch.was_refused and len(batch.records) == 1):
            self._settle(batch, partition, Outcome.REFUSED)
            return
        del self._busy[partition]
        self._on_their_way -= 1
        if batch.timer is not None:
            batch.timer.cancel()
        loop = asyncio.get_running_loop()
        for part in reversed(batch.parts()):
            self._watch(part, loop)
            self._queue.appendleft(part)
        self._pump()

    def _settle(self, batch: Batch, partition: int, outcome: Outcome) -> None:
        del self._busy[partition]
        self._waiting_bytes -= batch.size_bytes
        if not batch.is_late:
            self._on_their_way -= 1
        batch.settle(outcome)
        self._pump()

    def _expire(self, batch: Batch) -> None:
        """Answer a batch whose budget is used up; one that has not left yet never will."""
        batch.is_late = True
        if batch.partition is None:
            self._queue.remove(batch)
            self._waiting_bytes -= batch.size_bytes
        else:
            self._on_their_way -= 1
        self._say_once("kafka is late", reason="no acknowledgement within the budget")
        batch.settle(Outcome.LATE)
        self._pump()

    def _say_once(self, trouble: str, *, reason: str) -> None:
        """Log what is wrong with Kafka, once until it is right again."""
        if not self._trouble:
            self._trouble = True
            log.warning(trouble, extra={"topic": self._topic, "reason": reason})

    async def _beat(self) -> None:
        while True:
            self._progress.beat(self.name)
            await asyncio.sleep(1)

    async def _started(self, stopping: asyncio.Event) -> Any:
        """Return a producer that is connected; `None` if we are to stop first.

        We are ready once Kafka was tried: without it deliveries are spooled, and a process that is not ready gets none.
        """
        while not stopping.is_set():
            producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_batch_size=RAW_MAX_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                retry_backoff_ms=RETRY_BACKOFF_MS,
            )
            try:
                await asyncio.wait_for(producer.start(), producing.START_SECONDS)
                await producer.partitions_for(self._topic)
            except (KafkaError, TimeoutError) as error:
                self._say_once("kafka cannot be reached yet", reason=str(error) or type(error).__name__)
                self._progress.ready[self.name] = True
                await producer.stop()
                await _first_of(stopping, timeout_seconds=RETRY_SECONDS)
            else:
                self._progress.ready[self.name] = True
                return producer
        return None

    async def _drain(self) -> None:
        while waiting := [one for batch in (*self._queue, *self._busy.values()) for one in batch.waiting]:
            await asyncio.wait(waiting)

    async def _end_work(self) -> None:
        """Wait a moment for producers that flush; what still waits for a broker that is gone is abandoned."""
        if self._work:
            await asyncio.wait(self._work, timeout=STOP_SECONDS)
        for task in self._work:
            task.cancel()

    def _give_up_producer(self) -> None:
        """Go on without this producer; it flushes and closes beside us, however long that takes."""
        producer, self._producer = self._producer, None
        for batch in self._busy.values():
            batch.leader = None  # of another producer's connection: ours is free
        if producer is not None:
            self._begin(producer.stop())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            raise NeverWorks("the writer does not run")
        task = self._tasks.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


async def _first_of(*events: asyncio.Event, timeout_seconds: float | None = None) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

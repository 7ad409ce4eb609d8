"""FastStream, wrapped once: it polls and rebalances, and hands each poll over as it came (ADR 0003).

Its parser would fail a whole batch over one header that is not UTF-8, its nack seeks back at once, its ack commits
every assigned partition: so none of them is used.
"""

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextvars import Context
from operator import attrgetter
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage

from chassis.batch import Record
from chassis.ways import FEWEST
from contracts.topics import Topic

log = logging.getLogger(__name__)

POLL_MS: Final = 20
KAFKA_AWAY_SECONDS: Final = 1.0
GIVEN_UP_MS: Final = 10_000
"""A member that has been silent for so long is given up, and its partitions go to others."""

OnRecords = Callable[[Sequence[Record]], Coroutine[Any, Any, None]]
OnAssigned = Callable[[Sequence[TopicPartition]], Awaitable[None]]


class Member(NamedTuple):
    """Who subscribes. `instance` is a name that no other process of the group has at the same time, or empty.

    With one, a member that died has its partitions back as soon as it is here again; without, the group first waits
    until it is given up.
    """

    group: str
    instance: str = ""


class Subscription:
    """One group's subscription: `on_assigned` before the first fetch, then `on_records` for one poll after another."""

    def __init__(  # noqa: PLR0913 - what a subscription is made of
        self,
        *,
        kafka: str,
        member: Member,
        topics: Sequence[Topic],
        max_records: int,
        apart_seconds: float = 0.0,
        on_records: OnRecords,
        on_assigned: OnAssigned,
    ) -> None:
        """Subscribe `member`'s group to `topics`; nothing happens before `start`.

        Polls begin `apart_seconds` apart: each costs as much as many records do.
        """
        self._kafka = kafka
        self._group = member.group
        self._topics = [topic.name for topic in topics]
        self._listener = _Assignments(self._assigned)
        self._on_assigned = on_assigned
        self._is_to_join_again = bool(member.instance)
        self._on_records = on_records
        self._apart_seconds = apart_seconds
        self._resting: frozenset[TopicPartition] = frozenset()
        self._broker = KafkaBroker(
            kafka, apply_types=False, graceful_timeout=15, allow_auto_create_topics=False, logger=None
        )
        self._subscriber: Any = self._broker.subscriber(
            *self._topics,
            group_id=member.group,
            group_instance_id=member.instance or None,
            batch=True,
            max_records=max_records,
            batch_timeout_ms=POLL_MS,
            auto_offset_reset="none",
            ack_policy=AckPolicy.MANUAL,
            listener=self._listener,
            parser=_untouched,
            decoder=_records,
            session_timeout_ms=GIVEN_UP_MS,
            heartbeat_interval_ms=2_000,
            fetch_max_wait_ms=250,
        )
        self._subscriber(self._take)

    @property
    def consumer(self) -> Any:
        """Return aiokafka's consumer; `None` before the start and after the stop."""
        return self._subscriber.consumer

    @property
    def is_over(self) -> bool:
        """Return whether the poll loop ended by itself, which it never should."""
        return any(task.done() for task in self._subscriber.tasks)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch nothing of these partitions until somebody resumes them, whatever the distance between polls."""
        self._resting -= set(partitions)
        self.consumer.pause(*partitions)

    def mine(self, partitions: Collection[TopicPartition]) -> list[TopicPartition]:
        """Return those of `partitions` that are still assigned to us."""
        consumer = self.consumer
        return [] if consumer is None else [each for each in partitions if each in consumer.assignment()]

    async def start(self) -> None:
        """Wait until Kafka answers, then begin to poll: FastStream's own start would fail for good."""
        while not await self._kafka_answers():  # noqa: ASYNC110 - nobody sets an event when Kafka is back
            await asyncio.sleep(KAFKA_AWAY_SECONDS)
        await self._broker.start()

    async def stop(self) -> None:
        """Finish the poll under way and leave the group."""
        await self._broker.stop()

    async def _assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Tell what was given. Who came back by its name then joins once more.

        The broker gave it what it had before, and did not say that it leads: nobody would see partitions that were
        added. Source: KIP-814. Asked again by the leader itself, the group shares everything out anew.
        """
        await self._on_assigned(partitions)
        if self._is_to_join_again:
            self._is_to_join_again = False
            asyncio.get_running_loop().call_soon(self._join_again)

    def _join_again(self) -> None:
        if self.consumer is not None:
            self.consumer.subscribe(topics=self._topics, listener=self._listener)

    async def _kafka_answers(self) -> bool:
        client = AIOKafkaClient(bootstrap_servers=self._kafka)
        try:
            await client.bootstrap()
        except KafkaError as error:
            log.warning("waiting for Kafka", extra={"group": self._group, "reason": str(error)})
            return False
        finally:
            await client.close()
        return True

    async def _take(self, records: Any) -> None:
        """Take one poll; FastStream builds a model of this signature, so its argument is `Any`.

        It is handled outside FastStream's context, which has the whole poll in it: what is begun meanwhile and stays
        (a connection of the pool, a timer) keeps a copy, and with it the poll.
        """
        until = time.monotonic() + self._apart_seconds
        self._rest(len(records))
        try:
            await asyncio.create_task(self._on_records(as_written(records)), context=Context())
            await asyncio.sleep(max(until - time.monotonic(), 0.0))
        finally:
            if rested := self.mine(self._resting):
                self.consumer.resume(*rested)
            self._resting = frozenset()

    def _rest(self, count: int) -> None:
        """Fetch nothing before the next poll, where few records come; what is paused for longer stays so.

        aiokafka fetches ahead, once, as soon as a poll is taken: the next poll would have what had come by then, and
        all that comes during the distance would wait for the one after it.
        """
        if self._apart_seconds and count < FEWEST and self.consumer is not None:
            self._resting = self.consumer.assignment() - self.consumer.paused()
            self.consumer.pause(*self._resting)


def as_written(records: Sequence[Any]) -> list[Any]:
    """Return the records of one poll in the order in which they were written, each partition's as they stand in it.

    aiokafka hands over one partition after the other. Whoever catches up would hear of things in another order than
    whoever was there.
    """
    by_partition: dict[tuple[str, int], list[Any]] = {}
    for record in records:
        by_partition.setdefault((record.topic, record.partition), []).append(record)
    return list(heapq.merge(*by_partition.values(), key=attrgetter("timestamp")))


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Tells what was given; what is taken away is guarded by the watermark's compare-and-set."""

    def __init__(self, on_assigned: OnAssigned) -> None:
        self._on_assigned = on_assigned

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Do nothing: a batch that is still under way wins or loses at its watermark."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Tell before the first fetch; to be given nothing is an assignment too."""
        await self._on_assigned(sorted(assigned))


async def _untouched(records: Any) -> StreamMessage[Any]:
    """Hand the records over as they are."""
    return StreamMessage(raw_message=records, body=b"")


async def _records(message: StreamMessage[Any]) -> Any:
    return message.raw_message

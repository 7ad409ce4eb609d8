"""All consumer groups on a real database, with logs in memory instead of Kafka: every step is the test's to order."""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiokafka import TopicPartition

from chassis import outbox
from chassis.batch import REPLAY_GROUP, Handler, is_for
from chassis.consumer import BatchConsumer
from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Connection, Pool
from chassis.relay import Relay
from chassis.relay_rows import FORGET, PEEK
from contracts import records, topics
from contracts.envelope import decode
from contracts.raw import RawDelivery, delivery_of, headers_of
from patchline.audit.barrier import Audit, Watch
from services.compliance.handlers import ComplianceEvents
from services.compliance.policy import DEFAULT_1
from services.compliance.store_catalog import CatalogShelf
from services.gateway import vendors
from services.gateway.translation import parked
from services.gateway.translation.translate import Translate
from services.inventory.handlers import DeviceEvents
from services.ticketing.handlers import TicketingHandler
from tests.builders import HOUR, NOON, KafkaRecord

PARTITIONS = 2
SCHEMAS = ("gateway", "inventory", "compliance", "ticketing")
STANDING = """
    INSERT INTO watermark (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, 0)
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET next_offset = watermark.next_offset
    RETURNING next_offset
"""


class Logs:
    """Kafka's logs, and what the audit looks at in them."""

    def __init__(self) -> None:
        self.by_place: defaultdict[TopicPartition, list[KafkaRecord]] = defaultdict(list)
        self.first: dict[TopicPartition, int] = {}

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        number = zlib.crc32(key or str(len(self.by_place)).encode()) % PARTITIONS
        log = self.by_place[TopicPartition(topic, number)]
        log.append(KafkaRecord(value=value, headers=headers, topic=topic, partition=number, offset=len(log), key=key))

    async def places(self, names: Sequence[str]) -> list[TopicPartition]:
        return [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]

    async def starts(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {each: self.first.get(each, 0) for each in places}

    async def ends(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {each: len(self.by_place[each]) for each in places}


class Nobody:
    """The consumer of a group whose offsets nobody needs."""

    def assignment(self) -> set[TopicPartition]:
        return set()

    def pause(self, *_partitions: TopicPartition) -> None: ...

    def seek(self, _partition: TopicPartition, _offset: int) -> None: ...

    async def commit(self, _offsets: Mapping[TopicPartition, int]) -> None: ...


class Subscribed:
    """A subscription that polls nothing."""

    consumer = Nobody()

    def mine(self, _partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        return []


@dataclass
class Group:
    """One consumer group: the real consumer and handler, given what a poll would give."""

    name: str
    topics: tuple[str, ...]
    consumer: BatchConsumer[Any]
    pool: Pool

    async def read(self, logs: Logs, most: int) -> int:
        """Handle the next records of every partition, at most so many, and return how many there were.

        A partition whose log starts above the watermark stays where it is: there the real consumer stops.
        """
        places = [TopicPartition(topic, number) for topic in self.topics for number in range(PARTITIONS)]
        positions = self.consumer._positions
        for place in places:
            positions._next[place] = await self.pool.fetchval(STANDING, self.name, place.topic, place.partition)
        standing = [place for place in places if logs.first.get(place, 0) <= positions._next[place]]
        polled = [record for place in standing for record in logs.by_place[place][positions._next[place] :][:most]]
        if polled:
            mine = [record for record in polled if is_for(self.name, record)]
            assert await self.consumer._handle(mine, polled)
        return len(polled)


class Bus:
    """The product without its processes: deliveries go in, each group reads when it is told to."""

    def __init__(self, pools: Mapping[str, Pool], auditor: Connection) -> None:
        self.logs = Logs()
        self.pools = pools
        self.watch = Watch(auditor, self.logs)
        self.sent: list[RawDelivery] = []
        events = (topics.RMM_EVENTS.name,)
        translate = Translate(partial(vendors.translated, by_vendor=vendors.adapters()))
        self.groups = {
            "gateway": self._group("gateway", (topics.RMM_RAW.name,), delivery_of, translate),
            "inventory": self._group("inventory", events, decode, DeviceEvents(quiet=HOUR)),
            "compliance": self._group(
                "compliance", (*events, topics.ASSETS.name), decode, ComplianceEvents(CatalogShelf(), DEFAULT_1)
            ),
            "ticketing": self._group(
                "ticketing", (topics.COMPLIANCE_EVENTS.name,), decode, TicketingHandler(look_every=timedelta(hours=6))
            ),
        }

    def _group(self, name: str, names: tuple[str, ...], decoder: Any, handler: Handler[Any]) -> Group:
        progress = Progress()
        on = Platform(
            pool=self.pools[name],
            kafka="127.0.0.1:1",
            clock=lambda: NOON + HOUR,
            progress=progress,
            relay=Relay(dsn="", kafka="", progress=progress),
            health=HealthServer(progress, "127.0.0.1", 0),
        )
        read = [topics.BY_NAME[each] for each in names]
        consumer = BatchConsumer(group=name, topics=read, decode=decoder, handler=handler, on=on)
        consumer._subscription = Subscribed()  # type: ignore[assignment]  # no Kafka here
        return Group(name, names, consumer, self.pools[name])

    def deliver(self, delivery: RawDelivery) -> None:
        self.sent.append(delivery)
        self.logs.append(topics.RMM_RAW.name, str(delivery.raw_id).encode(), delivery.body, headers_of(delivery))

    async def read(self, name: str, most: int = 1000) -> int:
        return await self.groups[name].read(self.logs, most)

    async def relay(self, name: str, *, dies: bool = False) -> int:
        """Carry a service's outbox away; one that `dies` has Kafka's answer and does not note it."""
        rows = await self.pools[name].fetch(PEEK, list(range(outbox.SHARDS)), [], 10_000, 10_000, 100_000_000)
        for row in rows:
            for _, body in outbox.keyed_of(row):
                message = records.message_of(body)
                self.logs.append(row["topic"], message.key, message.value, message.headers)
        if not dies:
            await self.pools[name].execute(FORGET, [row["id"] for row in rows])
        return sum(row["records"] for row in rows)

    def replay(self) -> int:
        """Replay every dead letter to the group that refused it, as `patchline dlq replay --all` does."""
        letters = [letter for place, log in list(self.logs.by_place.items()) if _is_dead(place) for letter in log]
        for letter in letters:
            header = dict(letter.headers)
            kept = [(name, value) for name, value in letter.headers if not name.startswith("dlq_")]
            self.logs.append(
                header["dlq_topic"].decode(), letter.key, letter.value, [*kept, (REPLAY_GROUP, header["dlq_group"])]
            )
        return len(letters)

    async def release(self) -> None:
        await parked.release(self.pools["gateway"])

    async def finish(self) -> None:
        """Let everything that is under way arrive."""
        moved = 1
        while moved:
            moved = 0
            for name in SCHEMAS:
                moved += await self.read(name) + await self.relay(name)

    async def audit(self) -> Audit:
        """Return what the audit finds now, with no patience for what is under way."""
        return await self.watch.look(NOON - 24 * HOUR)

    async def fresh_audit(self) -> Audit:
        """Return what an audit finds that begins now."""
        self.watch._barriers.clear()
        return await self.audit()


def _is_dead(place: TopicPartition) -> bool:
    topic: str = place.topic
    return topic.endswith(".dlq")

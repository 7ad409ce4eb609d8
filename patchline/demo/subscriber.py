"""Reads every topic from its beginning, as any analyst may, and keeps what it needs to judge."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts import topics
from contracts.envelope import Envelope, decode
from contracts.errors import UndecodableEvent
from contracts.events.asset import AssetChanged, AssetRemoved
from contracts.events.obligation import FigurePublished, ObligationFailureRepeated, ObligationStateChanged
from contracts.events.rmm import RmmEvent
from contracts.events.ticket import TicketEvent
from contracts.raw import RawDelivery, delivery_of
from patchline.demo.evidence import Evidence

READ_MS: Final = 500
ENOUGH_BYTES: Final = 262_144
"""An answer waits for so much, or for `READ_MS`: asking for 70 partitions each time one has a record costs more."""

WATCHED: Final = (
    topics.RMM_RAW,
    topics.RMM_RAW_BULK,
    topics.RMM_EVENTS,
    topics.RMM_EVENTS_BULK,
    topics.ASSETS,
    topics.COMPLIANCE_EVENTS,
    topics.FIGURES,
    topics.TICKETS,
    *topics.dead_letter_topics(),
)
_RAW: Final = frozenset({topics.RMM_RAW.name, topics.RMM_RAW_BULK.name})


class Letter(NamedTuple):
    """A dead letter: the source it came from, its bytes, why and where it was refused."""

    topic: str
    source: str
    body: bytes
    reason: str
    raw_id: str


@dataclass(slots=True)
class Seen:
    """What was read so far. State topics keep the record with the highest `sequence` of each key.

    `unreadable` counts by topic the records that are no events of ours: a subscriber steps over them, as our own do.
    """

    records: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    polls: int = 0
    events: list[Envelope] = field(default_factory=list)
    event_ids: set[UUID] = field(default_factory=set)
    assets: dict[str, Envelope] = field(default_factory=dict)
    obligations: dict[tuple[str, str], Envelope] = field(default_factory=dict)
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    figures: dict[str, Envelope] = field(default_factory=dict)
    tickets: dict[str, list[Envelope]] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)

    def add(self, record: Any, body: bytes) -> None:
        """Take in one record, with its body in clear where it is a raw one."""
        self.records += 1
        if record.topic.endswith(".dlq"):
            self.letters.append(_letter(record, body))
            return
        try:
            if record.topic in _RAW:
                self._add_delivery(delivery_of(record.headers, record.value), body)
            else:
                self._add_event(decode(record.headers, record.value))
        except UndecodableEvent:
            self.unreadable[record.topic] += 1

    def _add_delivery(self, delivery: RawDelivery, body: bytes) -> None:
        if delivery.channel == "poll":
            self.polls += 1
        else:
            self.webhooks[delivery.source, body] += 1

    def _add_event(self, envelope: Envelope) -> None:
        match envelope.data:
            case RmmEvent():
                if envelope.id not in self.event_ids:
                    self.events.append(envelope)
                    self.event_ids.add(envelope.id)
            case AssetChanged() | AssetRemoved():
                _keep_newest(self.assets, envelope.subject, envelope)
            case ObligationStateChanged() as told:
                key = (told.label.asset, told.requirement)
                _keep_newest(self.obligations, key, envelope)
                self.failures[key] = max(self.failures.get(key, 0), told.failures)
            case ObligationFailureRepeated() as told:
                key = (told.label.asset, told.requirement)
                self.failures[key] = max(self.failures.get(key, 0), told.failures)
            case FigurePublished():
                _keep_newest(self.figures, envelope.subject, envelope)
            case TicketEvent() as told:
                self.tickets.setdefault(told.ticket, []).append(envelope)
            case _:
                return


class Subscriber:
    """Reads until told to stop; belongs to no consumer group and commits nothing."""

    def __init__(self, kafka: str, evidence: Evidence) -> None:
        """Read from the cluster at `kafka`, raw bodies through `evidence`."""
        self.seen = Seen()
        self._evidence = evidence
        self.read_at = 0.0
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=READ_MS,
            fetch_min_bytes=ENOUGH_BYTES,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Read all topics from their beginnings until `stopping`."""
        await self._consumer.start()
        try:
            partitions = [TopicPartition(topic.name, number) for topic in WATCHED for number in range(topic.partitions)]
            self._consumer.assign(partitions)
            await self._consumer.seek_to_beginning(*partitions)
            while not stopping.is_set():
                for records in (await self._consumer.getmany(timeout_ms=READ_MS)).values():
                    self.read_at = asyncio.get_running_loop().time()
                    for record in records:
                        self.seen.add(record, await self._evidence.body(record))
        finally:
            await self._consumer.stop()


def _keep_newest(kept: dict[Any, Envelope], key: Any, envelope: Envelope) -> None:
    before = kept.get(key)
    if before is None or (before.sequence or 0) < (envelope.sequence or 0):
        kept[key] = envelope


def _letter(record: Any, body: bytes) -> Letter:
    header = {name: value.decode("utf-8", "backslashreplace") for name, value in record.headers}
    return Letter(
        topic=header.get("dlq_topic", record.topic),
        source=header.get("source") or header.get("ce_source", ""),
        body=body,
        reason=header.get("dlq_reason", ""),
        raw_id=header.get("raw_id") or header.get("ce_id", ""),
    )

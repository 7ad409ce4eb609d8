"""What a handler gets: decoded records with their place, the recorded time, and a way to refuse one of them."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID, uuid5

from chassis.lanes import group_of_both
from chassis.postgres import Connection
from contracts.envelope import Envelope, Message
from contracts.errors import UndecodableEvent

T = TypeVar("T")
Decode = Callable[[Iterable[tuple[str, bytes]], bytes | None], T]
"""Makes a value from a record's headers and value; raises `UndecodableEvent` with the field and the reason."""

REPLAY_GROUP: Final = "replay_group"
"""Header of a replayed dead letter: only the consumer group that refused it handles it again."""

REASON_CHARACTERS: Final = 500
_NAMESPACE: Final = UUID("5f2f8a52-6f9e-5c0b-8a50-3d2a1a7d2b11")


class Fate(StrEnum):
    """What became of one record at one consumer group; each is in exactly one."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # known by its id
    IGNORED = "ignored"  # nothing that this group looks at
    PARKED = "parked"  # kept, and waiting for something else
    SUPERSEDED = "superseded"  # a newer word was known already
    DEAD_LETTERED = "dead_lettered"  # refused by the handler
    UNREADABLE = "unreadable"  # dead-lettered because no handler could take it
    ELSEWHERE = "elsewhere"  # replayed for another group
    PUBLISHED = "published"  # not read at all, but put on the topic


class Record(Protocol):
    """A Kafka record, as far as we look at it; aiokafka ships no types."""

    @property
    def topic(self) -> str:
        """Return the topic's name."""
        ...

    @property
    def partition(self) -> int:
        """Return the partition's number."""
        ...

    @property
    def offset(self) -> int:
        """Return the place in the partition."""
        ...

    @property
    def key(self) -> bytes | None:
        """Return the key, if it has one."""
        ...

    @property
    def value(self) -> bytes | None:
        """Return the value; `None` takes a record away from a compacted topic."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return the headers in order; a name may repeat."""
        ...


class Received(NamedTuple, Generic[T]):
    """One decoded record and where it stood."""

    record: Record
    value: T


@dataclass(slots=True)
class Batch(Generic[T]):
    """Records that are handled in one transaction. `recorded_at` is their recorded time."""

    items: list[Received[T]]
    recorded_at: datetime
    refused: list[tuple[Record, str]] = field(default_factory=list)
    fates: dict[int, Fate] = field(default_factory=dict)
    published: list[tuple[str, Sequence[Envelope]]] = field(default_factory=list)

    @property
    def values(self) -> list[T]:
        """Return the decoded values in order."""
        return [item.value for item in self.items]

    def refuse(self, item: Received[T], reason: str) -> None:
        """Dead-letter one record with the batch's transaction: it will never work."""
        self.refused.append((item.record, reason))

    def count(self, item: Received[T], fate: Fate) -> None:
        """Say what became of one record, for the standing audit; of what is not named it is that it was applied."""
        self.fates[id(item.record)] = fate

    def count_published(self, topic: str, events: Sequence[Envelope]) -> None:
        """Say what the batch put on `topic`, for the standing audit."""
        self.published.append((topic, events))


class Handler(Protocol[T]):
    """Handles one batch inside the transaction that advances the watermark."""

    async def on_batch(self, tx: Connection, batch: Batch[T]) -> None:
        """Load, decide, save. May raise anything: what may work later is put back, the rest is narrowed down."""
        ...


def decoded(records: Iterable[Record], decode: Decode[T], recorded_at: datetime) -> Batch[T]:
    """Return the batch of `records`, each decoded alone: one that cannot be is refused, its neighbours are not."""
    batch: Batch[T] = Batch([], recorded_at)
    for record in records:
        try:
            batch.items.append(Received(record, decode(record.headers, record.value)))
        except UndecodableEvent as error:
            batch.refused.append((record, str(error)))
    return batch


def identity(record: Record) -> str:
    """Return what a record is recognised by: its event or raw id, else a checksum of its bytes."""
    for name, value in record.headers:
        if name in {"ce_id", "raw_id"}:
            return value.decode("latin-1")
    return f"crc32:{zlib.crc32(record.value or b'', zlib.crc32(record.key or b'')):08x}"


def is_for(group: str, record: Record) -> bool:
    """Return whether `group` handles this record: all do, unless it was replayed to one group, in either lane."""
    for name, value in record.headers:
        if name == REPLAY_GROUP:
            return group_of_both(value.decode("latin-1")) == group_of_both(group)
    return True


def is_of_bulk(record: Record) -> bool:
    """Return whether a record came in bulk, or follows from one that did, and says so."""
    return ("ce_lane", b"bulk") in record.headers


def place_of(record: Record, group: str) -> dict[str, object]:
    """Return where a record stands, for a log line of `group`."""
    return {"group": group, "topic": record.topic, "partition": record.partition, "offset": record.offset}


def dead_letter(record: Record, *, group: str, reason: str, at: datetime) -> Message:
    """Return the record that keeps `record` whole in its dead-letter topic, with why and where it stood."""
    place = f"{group}/{record.topic}/{record.partition}/{record.offset}"
    headers = [(name, value) for name, value in record.headers if not name.startswith("dlq_") and name != REPLAY_GROUP]
    described = {
        "dlq_id": str(uuid5(_NAMESPACE, place)),
        "dlq_reason": reason.replace("\x00", "\\0")[:REASON_CHARACTERS],
        "dlq_group": group,
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_at": at.isoformat(),
    }
    headers += [(name, text.encode()) for name, text in described.items()]
    return Message(key=record.key, headers=headers, value=record.value)

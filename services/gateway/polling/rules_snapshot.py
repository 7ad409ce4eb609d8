"""What is kept of one reading until the next. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from contracts.events.event import Value

Facts = dict[str, Any]
Key = tuple[str, str]
"""The kind of a snapshot, and the device."""

E = TypeVar("E", bound=Value)

NEVER_EQUAL: Final = b""
"""The digest of what must be looked at again, whatever the next reading says."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a snapshot without its facts. `scanned_at` is the last scan of a list."""

    digest: bytes
    scanned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is kept of one kind of facts of one device."""

    kind: str
    device: str
    digest: bytes
    scanned_at: datetime | None
    facts: Facts


@dataclass(frozen=True, slots=True)
class Change(Generic[E]):
    """What a reading of one device changes: snapshots to keep, and what to tell, in entries that fit."""

    snapshots: Sequence[Snapshot]
    entries: Sequence[E]


def digest_of(facts: Facts) -> bytes:
    """Return what tells these facts from others."""
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).digest()


def packed(entries: Iterable[E], most_bytes: int) -> Iterator[list[E]]:
    """Yield `entries` in order, as many together as stay below `most_bytes` as JSON."""
    part: list[E] = []
    size = 0
    for entry in entries:
        own = len(entry.model_dump_json(exclude_none=True).encode())
        if part and size + own > most_bytes:
            yield part
            part, size = [], 0
        part.append(entry)
        size += own
    if part:
        yield part

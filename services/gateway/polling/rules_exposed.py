"""What a poll of a feed begins with, what it found, and the bodies in which that is told. Pure.

What was told before is remembered by digests alone: neither a login nor the name of a breach stands in a snapshot.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.gateway.polling.rules_snapshot import Key, Snapshot

Row = Mapping[str, Any]

LONGEST_READING_SECONDS: Final = 1800.0
"""A reading ends then, in good time before a poll's deadline, with what it has; the next one begins with the rest."""

NEVER: Final = datetime.min.replace(tzinfo=UTC)

ROWS_IN_A_RECORD: Final = 500
"""So many in one raw record, far below the largest one."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that a vendor said has changed in a client's tenant, by the newest delivery that said so."""

    organisation: str
    resource: str
    raw_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What is known when a poll begins: the last readings, whose organisations are mapped now, what was hinted at."""

    read_at: datetime
    every: timedelta
    snapshots: Mapping[Key, Snapshot]
    organisations: Sequence[str] = ()
    hints: Sequence[Hint] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that belong together, read by the rules of `feed`; `named` logins in all. They are shown nowhere."""

    feed: str
    named: int
    rows: Sequence[Row] = field(repr=False)
    organisation: str | None = None


@dataclass(slots=True)
class Found:
    """What a poll found. What could not be read, in words, and how long to wait before it is tried again."""

    batches: list[Batch] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    read_hints: list[Hint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    retry_after_seconds: float | None = None

    def fail(self, problem: str, retry_after_seconds: float | None = None) -> None:
        """Note what could not be read."""
        self.problems.append(problem)
        if retry_after_seconds is not None:
            self.retry_after_seconds = max(retry_after_seconds, self.retry_after_seconds or 0.0)


def longest_unread(names: Iterable[str], kind: str, snapshots: Mapping[Key, Snapshot]) -> list[str]:
    """Return names with those first that were not read for longest, so that none waits behind the others for ever."""

    def read_at(name: str) -> tuple[datetime, str]:
        last = snapshots.get((kind, name))
        return (last.scanned_at if last is not None and last.scanned_at is not None else NEVER, name)

    return sorted(names, key=read_at)


def bodies(batch: Batch) -> Iterator[tuple[str, bytes]]:
    """Yield the bodies that hold a batch, each with its feed's rules. They must be redacted before they are kept."""
    around: dict[str, object] = {"named": batch.named}
    if batch.organisation is not None:
        around["organisation"] = batch.organisation
    for start in range(0, len(batch.rows), ROWS_IN_A_RECORD):
        rows = list(batch.rows[start : start + ROWS_IN_A_RECORD])
        yield batch.feed, json.dumps({**around, "value": rows}, ensure_ascii=False).encode("utf-8", "replace")


def mark(*parts: str) -> str:
    """Return what a fact is remembered by."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def marks_in(snapshot: Snapshot | None) -> frozenset[str]:
    """Return what a snapshot remembers."""
    return frozenset() if snapshot is None else frozenset(snapshot.facts.get("seen", ()))


def logins_in(rows: Iterable[Row], name: str) -> int:
    """Return how many different logins stand in rows."""
    return len({str(row.get(name)).lower() for row in rows})

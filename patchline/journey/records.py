"""What is known of one delivery, as it was read, and the hops that are made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One record on a topic, without its value."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    headers: Mapping[str, str]

    @property
    def place(self) -> str:
        """Return where it stands."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What the tables know of one delivery; each row as it was read. `standing` are the gateway's watermarks."""

    raw_id: UUID
    spooled: Sequence[Row] = ()
    translated: Sequence[Row] = ()
    parked: Sequence[Row] = ()
    inventory: Sequence[Row] = ()
    compliance: Sequence[Row] = ()
    changes: Sequence[Row] = ()
    cases: Sequence[Row] = ()
    steps: Sequence[Row] = ()
    heard: Sequence[Row] = ()
    intents: Sequence[Row] = ()
    listed: Sequence[Row] = ()
    standing: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the topics know of it. Their times are the machine's; `offset` is how far the product's clock is moved."""

    deliveries: Sequence[Seen] = ()
    events: Sequence[Seen] = ()
    dead_letters: Sequence[Seen] = ()
    offset: timedelta = timedelta(0)

    def at(self, seen: Seen) -> datetime:
        """Return when a record was written, by the product's clock."""
        return datetime.fromtimestamp(seen.timestamp_ms / 1000, UTC) + self.offset


@dataclass(frozen=True, slots=True)
class Hop:
    """One step: what happened, when, what is known of it, and what followed. `at` is `None` where nobody noted it."""

    what: str
    at: datetime | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    then: Sequence["Hop"] = ()

    def as_json(self, before: datetime | None = None) -> dict[str, object]:
        """Return the tree for machines; `after_seconds` is the time since the hop before."""
        seconds = (self.at - before).total_seconds() if self.at and before else None
        return {
            "what": self.what,
            "at": self.at,
            "after_seconds": seconds,
            **self.facts,
            "then": [each.as_json(self.at or before) for each in self.then],
        }

"""Records on their way to Kafka together, and what became of them."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from contracts.raw import RecordHeaders

BATCH_BYTES: Final = 524_288
"""A batch grows to this; a larger record travels alone."""

HEADERS_BYTES: Final = 1024
"""More than a record's headers and framing take."""

APART_SECONDS: Final = 0.02
"""Between two batches: a batch for each delivery is as much work for a broker as one for ten of them."""

ENOUGH: Final = 32
"""Deliveries that wait for no distance."""


class Outcome(StrEnum):
    """What became of a record."""

    WRITTEN = "accepted"
    LATE = "kafka_late"  # not acknowledged within the budget: it may still arrive
    REFUSED = "kafka_refused"
    FULL = "full"
    SPOOLED = "spooled"  # Kafka did not take it; PostgreSQL has it until Kafka does
    SPOOL_LATE = "spool_late"  # nor was it committed within the spool's budget: it may be there all the same
    SPOOL_REFUSED = "spool_refused"
    SPOOL_FULL = "spool_full"


@dataclass(slots=True, eq=False)
class Batch:
    """Records that leave together, each with the future of who waits for it."""

    born_at: float
    records: list[tuple[RecordHeaders, bytes]] = field(default_factory=list)
    waiting: list[asyncio.Future[Outcome]] = field(default_factory=list)
    size_bytes: int = 0
    partition: int | None = None
    leader: int | None = None
    timer: asyncio.TimerHandle | None = None
    is_late: bool = False
    was_refused: bool = False

    def settle(self, outcome: Outcome) -> None:
        """Answer everyone who still waits for this batch."""
        if self.timer is not None:
            self.timer.cancel()
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(outcome)

    def parts(self) -> "list[Batch]":
        """Return both halves, so that a record that Kafka never takes is left alone in the end; one record stays."""
        middle = (len(self.records) + 1) // 2
        return [
            Batch(self.born_at, self.records[part], self.waiting[part], _size(self.records[part]), was_refused=True)
            for part in (slice(middle), slice(middle, None))
            if self.records[part]
        ]


def _size(records: list[tuple[RecordHeaders, bytes]]) -> int:
    return sum(len(value) + HEADERS_BYTES for _, value in records)


def early_seconds(batch: Batch, left_at: float, now: float) -> float:
    """Return for how long `batch` still waits, in seconds of a steady clock by which the last one left at `left_at`."""
    return 0.0 if len(batch.records) >= ENOUGH else left_at + APART_SECONDS - now

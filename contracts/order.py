"""The one order of facts, the same here and in SQL: ties have one winner, and a device dated 2099 wins nothing."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far ahead of receipt a vendor's clock is believed."""


class OrderKey(NamedTuple):
    """Where a fact stands among the facts of its field: compare whole keys, the larger one wins.

    SQL compares `(effective_at, event_id)` as a row; PostgreSQL orders uuid by its bytes, as Python does.
    """

    effective_at: datetime
    event_id: UUID


def effective_at(occurred_at: datetime, received_at: datetime) -> datetime:
    """Return the moment that counts: what the vendor said, but never later than receipt plus the tolerance."""
    return min(occurred_at, received_at + CLOCK_TOLERANCE)


def in_utc(at: datetime) -> datetime:
    """Return `at` in UTC; what has no day there (the first of all days, in local time) keeps its figures."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)

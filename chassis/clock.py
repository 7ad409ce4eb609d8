"""The clock is an argument: rules get a moment, processes get one of these."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the present moment, aware and in UTC."""


def moved_clock(offset_seconds: float) -> Clock:
    """Return the system's clock moved by `offset_seconds`; 0 in production (settings refuse anything else there)."""
    offset = timedelta(seconds=offset_seconds)

    def now() -> datetime:
        return datetime.now(UTC) + offset

    return now

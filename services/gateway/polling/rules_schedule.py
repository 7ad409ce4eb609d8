"""When a source is polled next, and when it counts as silent. Pure: chance and the clock are arguments."""

from datetime import datetime, timedelta
from typing import Final

FIRST_WAIT: Final = timedelta(seconds=15)
"""After a failure; doubled after each further one, up to the source's own interval."""

JITTER: Final = 0.2
"""Share of the interval by which polls are spread, so that sources added together do not stay together."""

SILENT_AFTER: Final = 3
"""So many failed polls in a row: the source is silent."""


def after_success(started_at: datetime, every: timedelta, chance: float) -> datetime:
    """Return when to poll again. `chance` is in [0, 1)."""
    return started_at + every * (1 + JITTER * (chance - 0.5))


def after_failure(
    now: datetime, every: timedelta, *, failures: int, retry_after_seconds: float | None, chance: float
) -> datetime:
    """Return when to try again after so many failures in a row: never before the vendor's `Retry-After`."""
    doubled = FIRST_WAIT * (1 << min(failures - 1, 16))
    wait = min(doubled, every) * (1 + JITTER * chance)
    return now + max(wait, timedelta(seconds=retry_after_seconds or 0))


def is_silent(failures: int) -> bool:
    """Return whether a source that failed so often in a row stopped answering."""
    return failures >= SILENT_AFTER

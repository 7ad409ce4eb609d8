"""When a directory is read next, and which reading is not to be believed. Pure: chance and the clock are arguments."""

from datetime import datetime, timedelta
from typing import Final

FIRST_WAIT: Final = timedelta(seconds=30)
"""After a failure; doubled after each further one, up to the directory's own interval."""

JITTER: Final = 0.2
"""Share of the interval by which readings are spread, so that directories added together do not stay together."""

FEW: Final = 20
"""Below so many accounts any number may leave at once."""

SHARE_THAT_MAY_LEAVE: Final = 0.3


def after_success(began_at: datetime, every: timedelta, chance: float) -> datetime:
    """Return when to read again. `chance` is in [0, 1). Never later than `every`: what is older counts as stale."""
    return began_at + every * (1 - JITTER * chance)


def after_failure(
    now: datetime, every: timedelta, *, failures: int, retry_after_seconds: float | None, chance: float
) -> datetime:
    """Return when to try again after so many failures in a row: never before the directory's `Retry-After`."""
    doubled = FIRST_WAIT * (1 << min(failures - 1, 16))
    wait = min(doubled, every) * (1 + JITTER * chance)
    return now + max(wait, timedelta(seconds=retry_after_seconds or 0))


def doubt(*, known: int, seen: int) -> str | None:
    """Return why a reading that showed `seen` of `known` accounts is not believed, in words; `None`: it is.

    A permission that was narrowed looks like people who left. Believing it would forget who must be protected.
    """
    if known < FEW or seen >= known * (1 - SHARE_THAT_MAY_LEAVE):
        return None
    return f"shows {seen} of the {known} accounts that it had: is our permission still the same?"

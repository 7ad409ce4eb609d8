"""When an obligation is due: exact hours, or calendar days in the client's zone. Pure."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import assert_never

from services.compliance.policy import Days, Hours, Window


def deadline(released_at: datetime, window: Window, zone: tzinfo) -> datetime:
    """Return the moment after which a patch released at `released_at` is overdue.

    Calendar days keep the time on the wall. Where the clocks skip that time, the deadline is as much later as they
    skip; where they show it twice, the first counts: a deadline never gives more than was promised.

    Source: PEP 495, fold=0.
    """
    match window:
        case Hours(hours):
            return released_at + timedelta(hours=hours)
        case Days(days):
            local = released_at.astimezone(zone).replace(fold=0) + timedelta(days=days)
            return local.replace(fold=0).astimezone(UTC)
        case _:
            assert_never(window)

"""When an obligation is due: exact hours, or calendar days and months in the client's zone. Pure."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import assert_never

from dateutil.relativedelta import relativedelta

from services.compliance.policy import Days, Hours, Months, Term


def deadline(start_at: datetime, term: Term, zone: tzinfo, *, ends_with_day: bool = False) -> datetime:
    """Return the moment after which something that counts from `start_at` is overdue, in UTC.

    Calendar days and months keep the time on the wall; a month from the 31st ends on the shorter month's last day.
    Where the clocks skip that time, the deadline is as much later as they skip; where they show it twice, the first
    counts: a deadline never gives more than was promised. `ends_with_day`: 23:59:59 of that day instead.

    Source: PEP 495, fold=0; patch-policy reference 4.6.
    """
    return _deadline(start_at, term, zone, ends_with_day)


@lru_cache(maxsize=16_384)
def _deadline(start_at: datetime, term: Term, zone: tzinfo, ends_with_day: bool) -> datetime:  # noqa: FBT001 - cached
    """Return the same; most obligations count from the releases of a few months by the terms of a few tables."""
    match term:
        case Hours(hours):
            due_at = start_at.astimezone(UTC) + timedelta(hours=hours)
        case Days(days):
            due_at = _on_the_wall(start_at, relativedelta(days=days), zone)
        case Months(months):
            due_at = _on_the_wall(start_at, relativedelta(months=months), zone)
        case _:
            assert_never(term)
    if not ends_with_day:
        return due_at
    return due_at.astimezone(zone).replace(hour=23, minute=59, second=59, microsecond=0, fold=0).astimezone(UTC)


def _on_the_wall(start_at: datetime, later: relativedelta, zone: tzinfo) -> datetime:
    local = start_at.astimezone(zone).replace(tzinfo=None, fold=0) + later
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)

"""When a client's policy in force becomes another. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.compliance.policies.compile import Version, in_force


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version with what the linter said of it when it was recorded."""

    version: Version
    feasible: bool
    accepted: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """How far was looked: up to which number of a version, and which moment."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """A client whose policy in force became another; `after` is `None`: it has none of its own any more.

    `at` is when it came into force.
    """

    tenant_id: UUID
    client: str
    before: Version | None
    after: Recorded | None
    at: datetime


def turn(versions: Sequence[Recorded], known: Known, now: datetime) -> Turn | None:
    """Return what became of one client's policy between the last look and `now`; `None`: nothing.

    `versions` are all of the client's, at least one.
    """
    before = in_force([each.version for each in versions if each.version.number <= known.number], known.at)
    after = in_force([each.version for each in versions], now)
    if (before.number if before else None) == (after.number if after else None):
        return None
    return Turn(
        tenant_id=versions[0].version.tenant_id,
        client=versions[-1].version.document.client,
        before=before,
        after=next((each for each in versions if each.version is after), None),
        at=_came_at(before, after, now),
    )


def _came_at(before: Version | None, after: Version | None, now: datetime) -> datetime:
    """Return since when `after` holds: it was recorded, or became valid, or the one that hid it ended."""
    moments = [after.recorded_at, after.document.valid_from] if after else []
    ended_at = before.document.valid_until if before else None
    if ended_at is not None and ended_at <= now:
        moments.append(ended_at)
    return min(max(moments, default=now), now)

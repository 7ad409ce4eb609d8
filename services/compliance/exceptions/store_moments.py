"""Moments at which time alone brings something about, found by an index on the moment."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection


class What(StrEnum):
    """What time brings about."""

    LAPSED = "lapsed"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    EXCLUSION_ENDED = "exclusion_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that comes about `at` a moment; `about_id` is that of a request or an exclusion."""

    about_id: UUID
    what: What
    tenant_id: UUID
    at: datetime


SET: Final[LiteralString] = """
    INSERT INTO exception_timer (about_id, what, tenant_id, at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (about_id, what) DO NOTHING
"""


async def set_(tx: Connection, moment: Moment) -> None:
    """Have it told when its moment comes. A repeat is a no-op."""
    await tx.execute(SET, moment.about_id, moment.what, moment.tenant_id, moment.at)


FORGET: Final[LiteralString] = "DELETE FROM exception_timer WHERE about_id = $1 AND what = ANY($2::text[])"


async def forget(tx: Connection, about_id: UUID, whats: Collection[What]) -> None:
    """Let these not come about any more."""
    await tx.execute(FORGET, about_id, sorted(whats))


TAKE: Final[LiteralString] = """
    DELETE FROM exception_timer WHERE (about_id, what) IN (
        SELECT about_id, what FROM exception_timer WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING about_id, what, tenant_id, at
"""


async def take_due(tx: Connection, now: datetime, most: int) -> list[Moment]:
    """Return those whose moment came, the earliest first, as told with the caller's transaction."""
    rows = await tx.fetch(TAKE, now, most)
    due = [
        Moment(about_id=row["about_id"], what=What(row["what"]), tenant_id=row["tenant_id"], at=row["at"])
        for row in rows
    ]
    return sorted(due, key=lambda each: (each.at, each.about_id, each.what))

"""Obligations that time alone may have changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection

DUE: Final[LiteralString] = """
    SELECT asset_id, requirement_id, next_change_at
    FROM obligation
    WHERE next_change_at <= $1
    ORDER BY next_change_at
    LIMIT $2
"""
STILL_DUE: Final[LiteralString] = """
    SELECT asset_id, requirement_id, next_change_at
    FROM obligation
    WHERE next_change_at <= $1 AND (asset_id, requirement_id) IN (SELECT * FROM unnest($2::uuid[], $3::uuid[]))
"""


@dataclass(frozen=True, slots=True)
class Due:
    """An obligation whose moment came at `at`."""

    asset_id: UUID
    requirement_id: UUID
    at: datetime


async def due(tx: Connection, now: datetime, limit: int) -> list[Due]:
    """Return the obligations whose moment came first, without locking them."""
    return [Due(*row) for row in await tx.fetch(DUE, now, limit)]


async def still_due(tx: Connection, now: datetime, among: list[Due]) -> list[Due]:
    """Return those whose moment has still come, now that their assets are locked."""
    assets, requirements = [each.asset_id for each in among], [each.requirement_id for each in among]
    return [Due(*row) for row in await tx.fetch(STILL_DUE, now, assets, requirements)]

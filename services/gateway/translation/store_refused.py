"""Which deliveries were refused: each is a dead letter once."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection

REMEMBER: Final[LiteralString] = """
    INSERT INTO refused (raw_id, recorded_at) SELECT raw_id, $2 FROM unnest($1::uuid[]) AS t (raw_id)
    ON CONFLICT DO NOTHING
    RETURNING raw_id
"""


async def remember(tx: Connection, raw_ids: Collection[UUID], recorded_at: datetime) -> set[UUID]:
    """Note these deliveries as refused and return those that were not yet."""
    if not raw_ids:
        return set()
    return {row["raw_id"] for row in await tx.fetch(REMEMBER, sorted(set(raw_ids)), recorded_at)}

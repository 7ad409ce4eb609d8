"""What was said of restarts to come: facts, each kept once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.monitors.news import RebootNews

KEEP: Final[LiteralString] = """
    INSERT INTO reboot_word (event_id, tenant_id, device_id, source, said, at, by, recorded_at)
    SELECT event_id, tenant_id, device_id, source, said, at, by, $8
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
        AS told (event_id, tenant_id, device_id, source, said, at, by)
    ORDER BY event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
"""


async def keep(tx: Connection, words: Iterable[RebootNews], recorded_at: datetime) -> set[UUID]:
    """Keep words and return the ids of those that were not there."""
    rows = list(words)
    kept = await tx.fetch(
        KEEP,
        [each.event.id for each in rows],
        [each.tenant_id for each in rows],
        [each.device_id for each in rows],
        [each.event.source for each in rows],
        [each.word.said for each in rows],
        [each.word.at for each in rows],
        [each.word.by for each in rows],
        recorded_at,
    )
    return {row["event_id"] for row in kept}

"""What `patchline window` reads, as the operator's role."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.clocks.records import Tzdata


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWindow:
    """One window, in UTC, with the zone of its rule and the tz data it was read from."""

    name: str
    zone: str
    start_at: datetime
    end_at: datetime
    note: str | None
    tzdata: str


TO_COME: Final[LiteralString] = """
    SELECT window_name AS name, zone, start_at, end_at, note, tzdata
    FROM compliance.window_occurrence JOIN compliance.window_rule USING (tenant_id, window_name)
    WHERE tenant_id = $1 AND end_at > $2
    ORDER BY start_at, window_name
    LIMIT $3
"""


async def to_come(tx: Connection, tenant_id: UUID, at: datetime, limit: int) -> list[ShownWindow]:
    """Return the windows of a client that end after `at`, the one that begins first first."""
    return [ShownWindow(**row) for row in await tx.fetch(TO_COME, tenant_id, at, limit)]


TZDATA: Final[LiteralString] = "SELECT number, version, read_at FROM compliance.tzdata_read ORDER BY number DESC"


async def tzdata(tx: Connection) -> list[Tzdata]:
    """Return every version that was read, the newest first."""
    return [Tzdata(**row) for row in await tx.fetch(TZDATA)]

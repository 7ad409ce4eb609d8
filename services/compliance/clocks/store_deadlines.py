"""Deadlines as they were before something moved them, until what became of them is told."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Tier
from services.compliance.clocks.records import Difference, Moved

REMEMBER: Final[LiteralString] = """
    INSERT INTO deadline_before (asset_id, requirement_id, tenant_id, due_at, why, noticed_at)
    SELECT asset_id, requirement_id, tenant_id, due_at, $2, $3 FROM obligation
    WHERE tenant_id = ANY($1::uuid[]) AND due_at >= $4
    ORDER BY asset_id, requirement_id
    ON CONFLICT (asset_id, requirement_id) DO NOTHING
"""


async def remember(tx: Connection, tenants: Collection[UUID], difference: Difference) -> None:
    """Note when obligations of these clients are due that it may move: those that are due after it begins."""
    await tx.execute(REMEMBER, sorted(tenants), difference.why, difference.noticed_at, difference.first_at)


RECHECK: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at)
    SELECT DISTINCT asset_id, tenant_id, $2::uuid, $3::timestamptz FROM deadline_before
    WHERE tenant_id = ANY($1::uuid[])
    ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET cause_id = excluded.cause_id, cause_at = excluded.cause_at
"""


async def decide_anew(tx: Connection, tenants: Collection[UUID], cause_id: UUID, cause_at: datetime) -> None:
    """Let the assets be decided anew of which a deadline is remembered; what moved by that is told afterwards."""
    await tx.execute(RECHECK, sorted(tenants), cause_id, cause_at)


DECIDED: Final[LiteralString] = """
    WITH decided AS (
        DELETE FROM deadline_before WHERE (asset_id, requirement_id) IN (
            SELECT b.asset_id, b.requirement_id FROM deadline_before AS b
            WHERE NOT EXISTS (SELECT FROM recheck AS r WHERE r.asset_id = b.asset_id)
            ORDER BY b.asset_id, b.requirement_id LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING asset_id, requirement_id, due_at, why, noticed_at
    )
    SELECT d.asset_id, d.requirement_id, o.tenant_id, d.due_at AS was_due_at, o.due_at, d.why, d.noticed_at,
           o.product, o.train, a.source, a.device, a.hostname, o.os_family, o.tier
    FROM decided AS d LEFT JOIN obligation AS o USING (asset_id, requirement_id) LEFT JOIN asset AS a USING (asset_id)
    ORDER BY d.asset_id, d.requirement_id
"""


async def decided(tx: Connection, limit: int) -> tuple[list[Moved], int]:
    """Forget up to `limit` of those that were decided anew; return which of them moved, and how many were forgotten."""
    rows = await tx.fetch(DECIDED, limit)
    moved = [
        Moved(**{**row, "os_family": OsFamily(row["os_family"]), "tier": Tier(row["tier"])})
        for row in rows
        if row["product"] is not None and row["due_at"] != row["was_due_at"]
    ]
    return moved, len(rows)

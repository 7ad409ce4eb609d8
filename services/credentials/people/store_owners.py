"""Owners' enrolments and revocations that others were not told of yet."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection


class What(StrEnum):
    """What happened to an owner."""

    ENROLLED = "enrolled"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerNews:
    """An owner was enrolled for a client, or revoked. `by`: who typed it."""

    tenant: UUID
    approver: UUID
    what: What
    name: str
    public_key: bytes
    at: datetime
    by: str


TAKE: Final[LiteralString] = """
    WITH news AS (
        SELECT client.tenant_id, a.approver_id, happened.what, a.name, a.public_key, happened.at, happened.by
        FROM approver AS a
        CROSS JOIN LATERAL unnest(a.tenants) AS client (tenant_id)
        CROSS JOIN LATERAL (VALUES ('enrolled', a.enrolled_at, a.enrolled_by), ('revoked', a.revoked_at, a.revoked_by))
            AS happened (what, at, by)
        WHERE a.role = 'owner' AND happened.at IS NOT NULL AND NOT EXISTS (
            SELECT FROM owner_told AS t
            WHERE (t.tenant_id, t.approver_id, t.what) = (client.tenant_id, a.approver_id, happened.what))
        ORDER BY happened.at, a.approver_id, client.tenant_id LIMIT $2
    ), told AS (
        INSERT INTO owner_told (tenant_id, approver_id, what, told_at)
        SELECT tenant_id, approver_id, what, $1 FROM news ORDER BY tenant_id, approver_id, what
        ON CONFLICT DO NOTHING
        RETURNING tenant_id, approver_id, what
    )
    SELECT news.* FROM news JOIN told USING (tenant_id, approver_id, what)
    ORDER BY at, approver_id, tenant_id, what
"""
"""There are a few owners for each client, so looking at all of them is looking at little."""


async def take_untold(tx: Connection, now: datetime, most: int) -> list[OwnerNews]:
    """Return what happened to owners, the oldest first, as told with the caller's transaction; each comes once."""
    return [
        OwnerNews(
            tenant=row["tenant_id"],
            approver=row["approver_id"],
            what=What(row["what"]),
            name=row["name"],
            public_key=row["public_key"],
            at=row["at"],
            by=row["by"],
        )
        for row in await tx.fetch(TAKE, now, most)
    ]

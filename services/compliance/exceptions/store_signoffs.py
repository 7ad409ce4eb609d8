"""Owners whose signature counts, what they signed, and what became of it."""

from collections.abc import Collection, Sequence
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.exceptions.news import OwnerNews, RevokedOwner
from services.compliance.exceptions.records import OwnerKey, Signoff

KEEP_OWNERS: Final[LiteralString] = """
    INSERT INTO owner_key (tenant_id, approver_id, name, public_key, enrolled_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::timestamptz[])
    ON CONFLICT DO NOTHING
"""
KEEP_REVOCATIONS: Final[LiteralString] = """
    INSERT INTO owner_revocation (tenant_id, approver_id, revoked_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
    ON CONFLICT DO NOTHING
"""


async def keep_owners(tx: Connection, told: Sequence[OwnerNews]) -> None:
    """Keep enrolments. An enrolment never changes: another key is another person to us. A repeat is a no-op."""
    rows = sorted(told, key=lambda each: (each.tenant_id, each.approver_id))
    await tx.execute(
        KEEP_OWNERS,
        [each.tenant_id for each in rows],
        [each.approver_id for each in rows],
        [each.name for each in rows],
        [each.public_key for each in rows],
        [each.enrolled_at for each in rows],
    )


async def keep_revocations(tx: Connection, told: Sequence[RevokedOwner]) -> None:
    """Keep revocations, which may come before the enrolment does. A repeat is a no-op."""
    rows = sorted(told, key=lambda each: (each.tenant_id, each.approver_id))
    await tx.execute(
        KEEP_REVOCATIONS,
        [each.tenant_id for each in rows],
        [each.approver_id for each in rows],
        [each.revoked_at for each in rows],
    )


OWNERS: Final[LiteralString] = """
    SELECT k.tenant_id, k.approver_id, k.name, k.public_key, r.revoked_at
    FROM owner_key AS k LEFT JOIN owner_revocation AS r USING (tenant_id, approver_id)
    WHERE k.tenant_id = ANY($1::uuid[])
"""


async def owners(tx: Connection, tenants: Collection[UUID]) -> dict[UUID, dict[UUID, OwnerKey]]:
    """Return by client, and by their id, everyone who was ever enrolled as its owner."""
    found: dict[UUID, dict[UUID, OwnerKey]] = {each: {} for each in tenants}
    for row in await tx.fetch(OWNERS, sorted(tenants)):
        found[row["tenant_id"]][row["approver_id"]] = OwnerKey(
            id=row["approver_id"], name=row["name"], public_key=row["public_key"], revoked_at=row["revoked_at"]
        )
    return found


PENDING: Final[LiteralString] = """
    SELECT signoff_id, exception_id, tenant_id, statement, signature, brought_at
    FROM exception_signoff WHERE state = 'pending'
    ORDER BY brought_at, signoff_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""


async def load_pending(tx: Connection, *, most: int) -> list[Signoff]:
    """Return sign-offs that wait for an answer, the oldest first, locked until the transaction ends."""
    return [
        Signoff(
            id=row["signoff_id"],
            exception_id=row["exception_id"],
            tenant_id=row["tenant_id"],
            statement=row["statement"],
            signature=row["signature"],
            brought_at=row["brought_at"],
        )
        for row in await tx.fetch(PENDING, most)
    ]


ANSWER: Final[LiteralString] = """
    UPDATE exception_signoff
    SET state = CASE WHEN $2::text IS NULL THEN 'counted' ELSE 'refused' END, answer = $2
    WHERE signoff_id = $1
"""


async def answer(tx: Connection, signoff: Signoff, why_not: str | None) -> None:
    """Say what became of a sign-off: `None`, it was counted; else why not."""
    await tx.execute(ANSWER, signoff.id, why_not)

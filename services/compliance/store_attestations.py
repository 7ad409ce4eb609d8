"""What people attested of machines: read when obligations are decided, and noticed once each."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.compliance.rules_rows import Attestation

OF_ASSETS: Final[LiteralString] = """
    SELECT attestation_id, tenant_id, asset_id, requirement_id, release, attested_at, attested_by, reason, evidence,
           evidence_name
    FROM attestation
    WHERE asset_id = ANY($1::uuid[])
    ORDER BY attested_at, attestation_id
"""


async def of_assets(tx: Connection, asset_ids: Collection[UUID]) -> list[Attestation]:
    """Return what was attested of these assets, or of devices that were assets of their own, by when it was so."""
    return [_attestation(row) for row in await tx.fetch(OF_ASSETS, list(asset_ids))]


def _attestation(row: asyncpg.Record) -> Attestation:
    return Attestation(
        id=row["attestation_id"],
        tenant_id=row["tenant_id"],
        asset_id=row["asset_id"],
        requirement_id=row["requirement_id"],
        release=row["release"],
        attested_at=row["attested_at"],
        attested_by=row["attested_by"],
        reason=row["reason"],
        evidence=row["evidence"],
        evidence_name=row["evidence_name"],
    )


NEWS: Final[LiteralString] = """
    SELECT attestation_id, tenant_id, asset_id, requirement_id, release, attested_at, attested_by, reason, evidence,
           evidence_name, recorded_at, told.number, applied.number AS after
    FROM attestation AS told, attestation_applied AS applied
    WHERE told.number > applied.number
    ORDER BY told.number
    LIMIT $1
"""
APPLY: Final[LiteralString] = "UPDATE attestation_applied SET number = $1 WHERE number = $2 RETURNING number"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attestation, and when it was recorded."""

    attestation: Attestation
    recorded_at: datetime


async def take_news(tx: Connection, most: int) -> list[Recorded]:
    """Return attestations that were not noticed yet and note that they are; none if another process does so."""
    rows = await tx.fetch(NEWS, most)
    if not rows or await tx.fetchval(APPLY, rows[-1]["number"], rows[0]["after"]) is None:
        return []
    return [Recorded(_attestation(row), row["recorded_at"]) for row in rows]


EXCLUDE: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.attestations', 0))"
ADD: Final[LiteralString] = """
    INSERT INTO compliance.attestation (attestation_id, tenant_id, asset_id, requirement_id, release, attested_at,
                                        attested_by, reason, evidence, evidence_name, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (attestation_id) DO NOTHING
    RETURNING number
"""


async def add(tx: Connection, attested: Attestation, recorded_at: datetime) -> bool:
    """Keep a person's word, as the operator's role; return whether it is new. Numbers become visible in their order."""
    await tx.execute(EXCLUDE)
    number = await tx.fetchval(
        ADD,
        attested.id,
        attested.tenant_id,
        attested.asset_id,
        attested.requirement_id,
        attested.release,
        attested.attested_at,
        attested.attested_by,
        attested.reason,
        attested.evidence,
        attested.evidence_name,
        recorded_at,
    )
    return number is not None

"""What `patchline obligation` and `figures` read of policies and of people's words, as the operator's role."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.compliance.policies.compile import Version, applied, in_force
from services.compliance.policies.store_policies import version_of
from services.compliance.policy import Policy

NOTICED: Final[LiteralString] = """
    SELECT number, tenant_id, version, document, presets, digest, recorded_at, recorded_by, reason
    FROM compliance.policy_version
    WHERE tenant_id = ANY($1::uuid[]) AND number <= (SELECT number FROM compliance.policy_noticed)
    ORDER BY number
"""


async def policies(tx: Connection, tenants: Collection[UUID], now: datetime) -> Mapping[UUID, Policy]:
    """Return the policy of each of these clients that the service decides by; one without its own is absent."""
    by_tenant: dict[UUID, list[Version]] = {}
    for row in await tx.fetch(NOTICED, sorted(tenants)):
        by_tenant.setdefault(row["tenant_id"], []).append(version_of(row))
    held = ((tenant, in_force(versions, now)) for tenant, versions in by_tenant.items())
    return {tenant: applied(version).policy for tenant, version in held if version is not None}


ATTESTED: Final[LiteralString] = """
    SELECT attested_at, attested_by, release, reason, evidence, evidence_name, recorded_at
    FROM compliance.attestation
    WHERE asset_id = $1 AND requirement_id = $2
    ORDER BY attested_at, attestation_id
"""


async def attested(tx: Connection, asset_id: UUID, requirement_id: UUID) -> list[asyncpg.Record]:
    """Return what people attested of one obligation."""
    return await tx.fetch(ATTESTED, asset_id, requirement_id)


RELEASES: Final[LiteralString] = """
    SELECT release FROM compliance.catalog_release
    WHERE requirement_id = $1 AND version = (SELECT max(version) FROM compliance.catalog_version)
    ORDER BY released_at, release
"""


async def releases(tx: Connection, requirement_id: UUID) -> list[str]:
    """Return the releases of a requirement in the newest catalog, in their order."""
    return [row["release"] for row in await tx.fetch(RELEASES, requirement_id)]

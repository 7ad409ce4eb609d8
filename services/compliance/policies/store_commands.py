"""What `patchline policy` reads and adds, as the operator's role: versions are never changed or removed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import asyncpg

from chassis import commands
from chassis.postgres import Connection
from services.compliance.policies.compile import Version, digest_of, normalised
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.preset import Preset
from services.compliance.policies.store_policies import version_of

SEE_ALL: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), true)
"""


@asynccontextmanager
async def operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, in which every client's rows are visible."""
    async with commands.operator() as connection, connection.transaction():
        await connection.execute(SEE_ALL)
        yield connection


AS_COMPLIANCE: Final[LiteralString] = "SELECT set_config('search_path', 'compliance', true)"


async def read_as_compliance(tx: Connection) -> None:
    """Let the service's own statements find its tables until the transaction ends; the operator may read them all."""
    await tx.execute(AS_COMPLIANCE)


TENANT: Final[LiteralString] = "SELECT tenant_id FROM gateway.client WHERE name = $1"


async def tenant_of(tx: Connection, client: str) -> UUID | None:
    """Return the client of that name; `None`: there is none."""
    found: UUID | None = await tx.fetchval(TENANT, client)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who records a policy, why, when, and what the linter said of it. `accepted`: why it holds though infeasible."""

    by: str
    reason: str
    at: datetime
    feasible: bool
    accepted: str | None
    lint: dict[str, object]


IN_ORDER: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.policy_version', 0))"
NEWEST: Final[LiteralString] = """
    SELECT version, digest FROM compliance.policy_version WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1
"""
ADD: Final[LiteralString] = """
    INSERT INTO compliance.policy_version
        (tenant_id, version, document, presets, digest, valid_from, valid_until, recorded_at, recorded_by, reason,
         feasible, accepted, lint)
    VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb)
"""


async def add(
    tx: Connection, tenant: UUID, document: PolicyDocument, presets: tuple[Preset, ...], *, said: Said
) -> tuple[int, bool]:
    """Record a policy as the client's newest; return its version, and whether it was not the newest already.

    Only one is recorded at a time, so that they are numbered in the order in which the service can see them.
    """
    await tx.execute(IN_ORDER)
    digest = digest_of(document, presets)
    newest = await tx.fetchrow(NEWEST, tenant)
    if newest is not None and newest["digest"] == digest:
        return newest["version"], False
    version = newest["version"] + 1 if newest else 1
    await tx.execute(
        ADD,
        tenant,
        version,
        normalised(document),
        [normalised(each) for each in presets],
        digest,
        document.valid_from,
        document.valid_until,
        said.at,
        said.by,
        said.reason,
        said.feasible,
        said.accepted,
        said.lint,
    )
    return version, True


VERSIONS: Final[LiteralString] = """
    SELECT number, tenant_id, version, document, presets, digest, recorded_at, recorded_by, reason,
           valid_from, valid_until, feasible, accepted, lint
    FROM compliance.policy_version
    WHERE tenant_id = $1
    ORDER BY version DESC
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A version as it is kept, with what the linter said of it then."""

    version: Version
    feasible: bool
    accepted: str | None
    lint: dict[str, Any]


async def versions(tx: Connection, tenant: UUID) -> list[Kept]:
    """Return every version of a client's policy, newest first."""
    return [_kept(row) for row in await tx.fetch(VERSIONS, tenant)]


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(version_of(row), row["feasible"], row["accepted"], row["lint"])

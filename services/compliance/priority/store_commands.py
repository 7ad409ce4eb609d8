"""What `patchline priority` and `patchline triage` read and add, as the operator's role; nothing is ever changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts import ids
from services.compliance.rules_cause import SOURCE

STANDING: Final[LiteralString] = """
    SELECT coalesce(client.name, kept.tenant_id::text) AS client, told.product, told.train, kept.release,
           kept.machines, kept.open, told.severity, kept.outcome, told.verdict, told.also, told.inputs, told.override,
           told.decided_by, told.decided_at, told.table_id, kept.requirement_id::text AS requirement
    FROM compliance.priority_standing AS kept
    JOIN compliance.priority_decision AS told USING (decision_id)
    LEFT JOIN compliance.client ON client.tenant_id = kept.tenant_id
    WHERE ($1::uuid IS NULL OR kept.tenant_id = $1) AND ($2::text IS NULL OR kept.outcome = $2) AND kept.open > 0
"""


async def standing(tx: Connection, tenant: UUID | None, outcome: str | None) -> list[asyncpg.Record]:
    """Return the last decision of everything that is open, in no order."""
    return await tx.fetch(STANDING, tenant, outcome)


LOG: Final[LiteralString] = """
    SELECT told.decided_at, told.product, told.train, told.release, told.severity, told.machines, told.before,
           told.outcome, told.decided_by, told.table_id, told.verdict, told.also, told.inputs, told.override,
           told.policy, told.catalog, told.class, told.requirement_id::text AS requirement,
           told.decision_id::text AS decision, told.digest
    FROM compliance.priority_decision AS told
    WHERE told.tenant_id = $1 AND ($2::uuid IS NULL OR told.requirement_id = $2)
      AND told.decided_at >= $3 AND told.decided_at < $4
    ORDER BY told.number
"""


async def log(
    tx: Connection, tenant: UUID, requirement: UUID | None, *, since: datetime, until: datetime
) -> list[asyncpg.Record]:
    """Return the decisions of a client that were made in an interval, oldest first."""
    return await tx.fetch(LOG, tenant, requirement, since, until)


IS_REQUIREMENT: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM compliance.catalog_requirement WHERE requirement_id = $1)
"""


async def is_requirement(tx: Connection, requirement: UUID) -> bool:
    """Return whether any catalog ever had it."""
    return bool(await tx.fetchval(IS_REQUIREMENT, requirement))


OVERRIDE: Final[LiteralString] = """
    INSERT INTO compliance.priority_override (override_id, tenant_id, requirement_id, machines, table_id, outcome,
                                              reason, said_by, valid_from, until, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (override_id) DO NOTHING
"""
OVERRIDES: Final[LiteralString] = """
    SELECT told.number, told.recorded_at, told.requirement_id::text AS requirement, told.machines,
           told.table_id AS table, told.outcome, told.reason, told.said_by AS by, told.valid_from, told.until
    FROM compliance.priority_override AS told
    WHERE told.tenant_id = $1
    ORDER BY told.number
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A person's word instead of a table's, as it was typed. `outcome` `None` gives the word back to the table."""

    tenant: UUID
    requirement: UUID
    machines: str | None
    table: str
    outcome: str | None
    reason: str
    by: str
    valid_from: datetime
    until: datetime
    at: datetime


async def override(tx: Connection, word: Word) -> UUID:
    """Keep a person's word and return its id. The same word is kept once."""
    about = (str(word.tenant), str(word.requirement), word.machines or "", word.table, word.outcome or "", word.by)
    override_id = ids.event_id_of_fields(SOURCE, "priority.override", word.at, *about)
    key = (override_id, word.tenant, word.requirement, word.machines, word.table)
    await tx.execute(OVERRIDE, *key, word.outcome, word.reason, word.by, word.valid_from, word.until, word.at)
    return override_id


async def overrides(tx: Connection, tenant: UUID) -> list[asyncpg.Record]:
    """Return every override that anybody ever gave a client, oldest first."""
    return await tx.fetch(OVERRIDES, tenant)

"""What `patchline triage` reads and adds, as the operator's role; nothing is ever changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts import ids
from services.compliance.rules_cause import SOURCE

TRIAGES: Final[LiteralString] = """
    SELECT coalesce(client.name, t.tenant_id::text) AS client, asset.hostname, t.product, t.train, t.release, t.rule,
           t.started_at, t.began_at, t.closed_at, t.deployed_at, t.standing, t.asset_id, t.requirement_id, t.tenant_id
    FROM compliance.forensic_triage AS t
    LEFT JOIN compliance.client ON client.tenant_id = t.tenant_id
    LEFT JOIN compliance.asset ON asset.asset_id = t.asset_id
    WHERE ($1::uuid IS NULL OR t.tenant_id = $1) AND ($2::boolean OR t.closed_at IS NULL)
    ORDER BY client, t.started_at, asset.hostname, t.product, t.train
"""


async def triages(tx: Connection, tenant: UUID | None, *, closed: bool) -> list[asyncpg.Record]:
    """Return the triages of a client, or of all; those that are closed only if asked for."""
    return await tx.fetch(TRIAGES, tenant, closed)


OF_MACHINE: Final[LiteralString] = """
    SELECT t.tenant_id, t.asset_id, t.requirement_id, t.product, t.train, t.started_at, t.standing
    FROM compliance.forensic_triage AS t JOIN compliance.asset USING (asset_id)
    WHERE (lower(asset.hostname) = lower($1) OR t.asset_id::text = $1) AND t.closed_at IS NULL
      AND ($2::uuid IS NULL OR t.requirement_id = $2)
    ORDER BY t.asset_id, t.requirement_id, t.started_at
"""


async def of_machine(tx: Connection, machine: str, requirement: UUID | None) -> list[asyncpg.Record]:
    """Return the triages that are under way on a machine, by its hostname or the id of its asset."""
    return await tx.fetch(OF_MACHINE, machine, requirement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step as it was typed. `evidence`: the SHA-256 of the file that was kept, and its name."""

    step: str
    done_at: datetime
    found: str | None
    note: str
    evidence: str | None
    evidence_name: str | None
    by: str
    recorded_at: datetime


RECORD: Final[LiteralString] = """
    INSERT INTO compliance.triage_record (record_id, tenant_id, asset_id, requirement_id, step, done_at, found, note,
                                          evidence, evidence_name, recorded_by, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (record_id) DO NOTHING
    RETURNING record_id
"""


async def record(tx: Connection, triage: asyncpg.Record, done: Done) -> bool:
    """Add what was done to a triage's machine and requirement; return whether it was not there already.

    The id is made of what was done and when, not of when it was typed: the same typed again is the same.
    """
    tenant, asset, requirement = triage["tenant_id"], triage["asset_id"], triage["requirement_id"]
    about = (str(asset), str(requirement), done.step, done.found or "", done.evidence or "", done.note)
    record_id = ids.event_id_of_fields(SOURCE, "triage.record", done.done_at, *about)
    told = (done.step, done.done_at, done.found, done.note, done.evidence, done.evidence_name)
    values = (record_id, tenant, asset, requirement, *told, done.by, done.recorded_at)
    return await tx.fetchval(RECORD, *values) is not None


RECORDS: Final[LiteralString] = """
    SELECT step, done_at, found, note, evidence, evidence_name, recorded_by, recorded_at
    FROM compliance.triage_record
    WHERE asset_id = $1 AND requirement_id = $2
    ORDER BY number
"""


async def records(tx: Connection, asset: UUID, requirement: UUID) -> list[asyncpg.Record]:
    """Return everything that was recorded of a machine and a requirement, in the order in which it was."""
    return await tx.fetch(RECORDS, asset, requirement)

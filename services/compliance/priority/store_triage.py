"""Forensic triages: which machines need one, what was recorded of it, and which of them time has made late."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Tier
from contracts.events.obligation import DeviceLabel
from services.compliance.priority.rules_triage import Found, Recorded, Standing, Step, Triage

MACHINES: Final[LiteralString] = """
    SELECT owed.asset_id, owed.requirement_id, owed.release, owed.clock_started_at AS since, owed.tier, asset.tags,
           asset.ephi, asset.first_seen_at
    FROM obligation AS owed JOIN asset USING (asset_id)
    WHERE owed.tenant_id = $1 AND owed.requirement_id = ANY($2::uuid[]) AND owed.state = ANY($3::text[])
      AND owed.release IS NOT NULL
    ORDER BY owed.asset_id, owed.requirement_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that lacks something. `since`: when its clock began."""

    asset_id: UUID
    requirement_id: UUID
    release: str
    since: datetime | None
    tier: Tier
    tags: tuple[str, ...]
    ephi: bool | None
    first_seen_at: datetime | None


async def machines(
    tx: Connection, tenant: UUID, requirements: Collection[UUID], states: Sequence[str]
) -> list[Machine]:
    """Return a client's machines whose obligations of these requirements are in these states."""
    return [
        Machine(
            asset_id=row["asset_id"],
            requirement_id=row["requirement_id"],
            release=row["release"],
            since=row["since"],
            tier=Tier(row["tier"]),
            tags=tuple(row["tags"]),
            ephi=row["ephi"],
            first_seen_at=row["first_seen_at"],
        )
        for row in await tx.fetch(MACHINES, tenant, sorted(requirements), states)
    ]


BEGIN: Final[LiteralString] = """
    INSERT INTO forensic_triage (asset_id, requirement_id, started_at, tenant_id, rule, product, train, release,
                                 began_at, standing)
    SELECT told.*, $9, '{}'::jsonb
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS told
    ON CONFLICT (asset_id, requirement_id, started_at) DO NOTHING
"""


async def begin(tx: Connection, triages: Collection[Triage], now: datetime) -> None:
    """Let triages begin; one that began already goes on as it is."""
    rows = sorted(triages, key=lambda each: (each.asset_id, each.requirement_id, each.started_at))
    await tx.execute(
        BEGIN,
        [each.asset_id for each in rows],
        [each.requirement_id for each in rows],
        [each.started_at for each in rows],
        [each.tenant_id for each in rows],
        [each.rule for each in rows],
        [each.product for each in rows],
        [each.train for each in rows],
        [each.release for each in rows],
        now,
    )


OF_TENANT: Final[LiteralString] = """
    SELECT t.asset_id, t.requirement_id, t.started_at, t.tenant_id, t.rule, t.product, t.train, t.release,
           t.deployed_at, t.standing, t.next_change_at, asset.source, asset.device, asset.hostname, asset.os_family,
           asset.tier, owed.moments,
           nullif(own.asset_id, t.asset_id) AS goes_on
    FROM forensic_triage AS t
    LEFT JOIN asset USING (asset_id)
    LEFT JOIN obligation AS owed USING (asset_id, requirement_id)
    LEFT JOIN device AS own ON own.device_id = t.asset_id
    WHERE t.tenant_id = $1 AND t.closed_at IS NULL
    ORDER BY t.asset_id, t.requirement_id, t.started_at
    FOR UPDATE OF t
"""
RUNG: Final[LiteralString] = """
    SELECT t.asset_id, t.requirement_id, t.started_at, t.tenant_id, t.rule, t.product, t.train, t.release,
           t.deployed_at, t.standing, t.next_change_at, asset.source, asset.device, asset.hostname, asset.os_family,
           asset.tier, owed.moments,
           nullif(own.asset_id, t.asset_id) AS goes_on
    FROM forensic_triage AS t
    LEFT JOIN asset USING (asset_id)
    LEFT JOIN obligation AS owed USING (asset_id, requirement_id)
    LEFT JOIN device AS own ON own.device_id = t.asset_id
    WHERE t.next_change_at <= $1
    ORDER BY t.next_change_at
    LIMIT $2
    FOR UPDATE OF t SKIP LOCKED
"""
DEPLOYED: Final = ("deploy_reported_at", "verified_at")
"""The moments of an obligation that show that a patch was deployed by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A triage as it was last told. `deployed`: every moment at which a patch is known to have been deployed.

    `goes_on`: the asset that the machine turned out to be.
    """

    triage: Triage
    label: DeviceLabel
    told: dict[str, Any]
    next_change_at: datetime | None
    deployed: tuple[datetime, ...]
    goes_on: UUID | None = None


async def of_tenant(tx: Connection, tenant: UUID) -> list[Kept]:
    """Return a client's triages that are not closed, locked."""
    return [_kept(row) for row in await tx.fetch(OF_TENANT, tenant)]


async def rung(tx: Connection, now: datetime, most: int) -> list[Kept]:
    """Return the triages whose next moment came, the first ones first, locked."""
    return [_kept(row) for row in await tx.fetch(RUNG, now, most)]


def _kept(row: asyncpg.Record) -> Kept:
    moments = row["moments"] or {}
    deployed = [datetime.fromisoformat(moments[name]) for name in DEPLOYED if name in moments]
    return Kept(
        triage=Triage(
            tenant_id=row["tenant_id"],
            asset_id=row["asset_id"],
            requirement_id=row["requirement_id"],
            rule=row["rule"],
            product=row["product"],
            train=row["train"],
            release=row["release"],
            started_at=row["started_at"],
        ),
        label=DeviceLabel(
            asset=str(row["asset_id"]),
            source=row["source"] or "unknown",
            device=row["device"] or "unknown",
            hostname=row["hostname"],
            os_family=OsFamily(row["os_family"] or OsFamily.OTHER),
            tier=Tier(row["tier"] or Tier.WORKSTATION),
        ),
        told=row["standing"],
        next_change_at=row["next_change_at"],
        deployed=(*deployed, *([row["deployed_at"]] if row["deployed_at"] else ())),
        goes_on=row["goes_on"],
    )


RECORDS: Final[LiteralString] = """
    SELECT wanted.asset_id, wanted.requirement_id, r.step, r.done_at, r.recorded_at, r.found
    FROM unnest($1::uuid[], $2::uuid[]) AS wanted (asset_id, requirement_id)
    JOIN triage_record AS r ON r.requirement_id = wanted.requirement_id
        AND (r.asset_id = wanted.asset_id
             OR r.asset_id IN (SELECT device_id FROM device WHERE device.asset_id = wanted.asset_id))
"""


async def records(tx: Connection, triages: Sequence[Triage]) -> dict[tuple[UUID, UUID], list[Recorded]]:
    """Return what was recorded of each machine and requirement, also of assets that turned out to be that machine."""
    keys = sorted({(each.asset_id, each.requirement_id) for each in triages})
    assets, requirements = [asset for asset, _ in keys], [requirement for _, requirement in keys]
    found: dict[tuple[UUID, UUID], list[Recorded]] = {}
    for row in await tx.fetch(RECORDS, assets, requirements):
        told = Recorded(
            step=Step(row["step"]),
            done_at=row["done_at"],
            recorded_at=row["recorded_at"],
            found=Found(row["found"]) if row["found"] else None,
        )
        found.setdefault((row["asset_id"], row["requirement_id"]), []).append(told)
    return found


SAVE: Final[LiteralString] = """
    UPDATE forensic_triage AS t
    SET deployed_at = new.deployed_at, standing = new.standing, next_change_at = new.next_change_at,
        closed_at = CASE WHEN new.is_closed THEN $8::timestamptz END
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::jsonb[], $6::timestamptz[],
                $7::boolean[])
        AS new (asset_id, requirement_id, started_at, deployed_at, standing, next_change_at, is_closed)
    WHERE t.asset_id = new.asset_id AND t.requirement_id = new.requirement_id AND t.started_at = new.started_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How a triage stands now, with the words in which it is told; one that goes on elsewhere is not closed here."""

    kept: Kept
    standing: Standing
    told: dict[str, Any]


async def save(tx: Connection, changed: Sequence[Changed], now: datetime) -> None:
    """Keep how locked triages stand."""
    await tx.execute(
        SAVE,
        [each.kept.triage.asset_id for each in changed],
        [each.kept.triage.requirement_id for each in changed],
        [each.kept.triage.started_at for each in changed],
        [each.standing.deployed_at for each in changed],
        [each.told for each in changed],
        [each.standing.next_change_at for each in changed],
        [each.standing.is_closed and each.kept.goes_on is None for each in changed],
        now,
    )

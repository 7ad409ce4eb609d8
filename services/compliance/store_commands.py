"""What `patchline catalog`, `figures` and `obligation` read and write, as the operator's role."""

from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import State
from services.compliance.rules_figures import Cell, Figure, figure

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), true)
"""
IS_CLIENT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM compliance.client WHERE name = $1)"


async def see_all_tenants(tx: Connection) -> None:
    """Let the operator see the rows of every client until the transaction ends."""
    await tx.execute(SEE_ALL_TENANTS)


async def is_client(tx: Connection, name: str) -> bool:
    """Return whether there is a client of that name."""
    return bool(await tx.fetchval(IS_CLIENT, name))


STATUS: Final[LiteralString] = """
    SELECT newest.version, newest.name, newest.loaded_at,
           coalesce(applied.version >= newest.version, false) AS applied,
           (SELECT count(*) FROM compliance.catalog_product WHERE version = newest.version) AS products,
           (SELECT count(*) FROM compliance.catalog_release WHERE version = newest.version) AS releases,
           (SELECT count(*) FROM compliance.catalog_release
            WHERE version = newest.version AND fixed_build IS NOT NULL AND NOT build_confirmed) AS builds_unconfirmed,
           (SELECT count(*) FROM compliance.recheck) AS assets_to_decide_anew,
           (SELECT count(*) FROM compliance.device WHERE asset_id IS NULL) AS devices_without_asset,
           (SELECT count(*) FROM compliance.evidence JOIN compliance.device USING (device_id)
            WHERE asset_id IS NULL) AS patches_parked_for_inventory,
           (SELECT count(*) FROM compliance.evidence JOIN compliance.device USING (device_id)
            WHERE asset_id IS NOT NULL AND requirement_id IS NULL) AS patches_parked_for_catalog,
           (SELECT count(*) FROM compliance.uncatalogued_failure WHERE failing) AS uncatalogued_failing
    FROM compliance.catalog_applied AS applied
    LEFT JOIN (SELECT * FROM compliance.catalog_version ORDER BY version DESC LIMIT 1) AS newest ON true
"""


async def status(tx: Connection) -> dict[str, object]:
    """Return which catalog is known, whether obligations follow it already, and what is parked."""
    row = await tx.fetchrow(STATUS)
    return dict(row) if row else {}


COUNTS: Final[LiteralString] = """
    SELECT client.name AS client, owed.tenant_id, owed.os_family, owed.tier, owed.severity, owed.state,
           count(*) AS count, count(*) FILTER (WHERE owed.proof = 'attested') AS attested
    FROM compliance.obligation AS owed
    LEFT JOIN compliance.client USING (tenant_id)
    WHERE ($1::text IS NULL OR client.name = $1)
      AND ($2::text IS NULL OR owed.os_family = $2)
      AND ($3::text IS NULL OR owed.tier = $3)
      AND ($4::text IS NULL OR owed.severity = $4)
    GROUP BY client.name, owed.tenant_id, owed.os_family, owed.tier, owed.severity, owed.state
    ORDER BY client.name, owed.os_family, owed.tier, owed.severity
"""


async def figures(
    tx: Connection, *, client: str | None, os_family: OsFamily | None, tier: Tier | None, severity: Severity | None
) -> list[tuple[str, Figure]]:
    """Return the figure of each cell, with its client's name, counted from the obligations as they stand."""
    rows = await tx.fetch(COUNTS, client, os_family, tier, severity)
    counts: dict[tuple[str, Cell], dict[State, int]] = {}
    attested: dict[Cell, int] = {}
    for row in rows:
        cell = Cell(row["tenant_id"], OsFamily(row["os_family"]), Tier(row["tier"]), Severity(row["severity"]))
        counts.setdefault((row["client"] or str(cell.tenant_id), cell), {})[State(row["state"])] = row["count"]
        attested[cell] = attested.get(cell, 0) + row["attested"]
    return [(name, figure(cell, found, attested[cell])) for (name, cell), found in counts.items()]


OBLIGATIONS: Final[LiteralString] = """
    SELECT coalesce(client.name, owed.tenant_id::text) AS client, asset.hostname, owed.product, owed.train,
           owed.release, owed.state, owed.severity, owed.due_at, owed.failures, owed.why, owed.since_at,
           owed.verified_at, owed.code, owed.os_family, owed.tier, asset.source, asset.device,
           owed.asset_id::text AS asset, owed.requirement_id::text AS requirement, owed.rule, owed.proof,
           owed.breached_at
    FROM compliance.obligation AS owed
    LEFT JOIN compliance.asset USING (asset_id)
    LEFT JOIN compliance.client ON client.tenant_id = owed.tenant_id
    WHERE ($1::text IS NULL OR client.name = $1) AND ($2::text IS NULL OR owed.state = $2)
    ORDER BY client.name, asset.hostname, owed.asset_id, owed.product, owed.train
    LIMIT $3
"""


async def obligations(tx: Connection, *, client: str | None, state: State | None, limit: int) -> list[asyncpg.Record]:
    """Return obligations for people, by client and machine."""
    return await tx.fetch(OBLIGATIONS, client, state, limit)


OF_MACHINE: Final[LiteralString] = """
    SELECT owed.asset_id, owed.requirement_id, asset.hostname, owed.product, owed.train, owed.release, owed.state,
           owed.severity, owed.why, owed.since_at, owed.clock_started_at, owed.due_at, owed.next_change_at,
           owed.verified_at, owed.failures, owed.code, owed.moments, owed.rule, owed.proof, owed.breached_at,
           owed.tenant_id, owed.os_family
    FROM compliance.obligation AS owed
    LEFT JOIN compliance.asset USING (asset_id)
    WHERE owed.asset_id::text = $1 OR lower(asset.hostname) = lower($1)
       OR owed.asset_id IN (SELECT asset_id FROM compliance.device WHERE device_id::text = $1)  -- merged into it
    ORDER BY owed.asset_id, owed.product, owed.train
"""
HISTORY: Final[LiteralString] = """
    SELECT recorded_at, occurred_at, before, state, why, release, due_at, failures, caused_by::text, catalog, policy,
           rule, proof
    FROM compliance.obligation_history
    WHERE asset_id = $1 AND requirement_id = $2
    ORDER BY recorded_at, occurred_at, event_id
"""
WITNESSES: Final[LiteralString] = """
    SELECT at, source, method, saw, event_id::text AS event
    FROM compliance.witness
    WHERE asset_id = $1 AND requirement_id = $2
    ORDER BY at, event_id
"""


async def of_machine(tx: Connection, asset_or_hostname: str) -> list[asyncpg.Record]:
    """Return the obligations of one machine."""
    return await tx.fetch(OF_MACHINE, asset_or_hostname)


async def history(tx: Connection, asset_id: UUID, requirement_id: UUID) -> list[asyncpg.Record]:
    """Return every transition of one obligation, as we came to know them."""
    return await tx.fetch(HISTORY, asset_id, requirement_id)


async def witnesses(tx: Connection, asset_id: UUID, requirement_id: UUID) -> list[asyncpg.Record]:
    """Return who said what, by when they looked."""
    return await tx.fetch(WITNESSES, asset_id, requirement_id)

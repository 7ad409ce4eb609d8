"""What `patchline monitor` reads, as the operator's role."""

from datetime import datetime
from typing import Final, LiteralString

from chassis.postgres import Connection

FAILING: Final[LiteralString] = """
    SELECT coalesce(client.name, state.tenant_id::text) AS client, coalesce(asset.hostname, asset.device) AS machine,
           asset.tier, state.monitor, state.happened_at, state.detected_at, state.why
    FROM compliance.monitor_state AS state
    JOIN compliance.asset USING (asset_id)
    LEFT JOIN compliance.client ON client.tenant_id = state.tenant_id
    WHERE state.failing AND ($1::text IS NULL OR client.name = $1) AND ($2::text IS NULL OR state.monitor = $2)
    ORDER BY client, state.monitor, state.happened_at, machine
"""


async def failing(tx: Connection, client: str | None, monitor: str | None) -> list[dict[str, object]]:
    """Return the conditions that hold now, the longest of each monitor first."""
    return [dict(row) for row in await tx.fetch(FAILING, client, monitor)]


DELAYS: Final[LiteralString] = """
    SELECT coalesce(client.name, told.tenant_id::text) AS client, told.monitor, count(*) AS told,
           count(*) FILTER (WHERE told.late) AS late,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY told.delay_seconds) AS median_seconds,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY told.delay_seconds) AS p95_seconds,
           max(told.delay_seconds) AS longest_seconds
    FROM compliance.monitor_history AS told
    LEFT JOIN compliance.client ON client.tenant_id = told.tenant_id
    WHERE told.failing AND told.detected_at >= $2 AND ($1::text IS NULL OR client.name = $1)
    GROUP BY client.name, told.tenant_id, told.monitor
    ORDER BY client, told.monitor
"""


async def delays(tx: Connection, client: str | None, since: datetime) -> list[dict[str, object]]:
    """Return how long it took to notice what was noticed since then, per client and monitor."""
    return [dict(row) for row in await tx.fetch(DELAYS, client, since)]


REBOOTS: Final[LiteralString] = """
    SELECT coalesce(client.name, reboot.tenant_id::text) AS client, coalesce(asset.hostname, asset.device) AS machine,
           asset.tier, reboot.booted_at, reboot.verdict, reboot.deployed, reboot.rule, reboot.window_name,
           reboot.notified_at, reboot.deferrals, reboot.consented_by, reboot.consented_at, reboot.why, reboot.policy
    FROM compliance.reboot
    JOIN compliance.asset USING (asset_id)
    LEFT JOIN compliance.client ON client.tenant_id = reboot.tenant_id
    WHERE reboot.booted_at >= $2 AND ($1::text IS NULL OR client.name = $1)
      AND ($3::text IS NULL OR reboot.verdict = $3)
    ORDER BY client, reboot.booted_at DESC, machine
"""


async def reboots(tx: Connection, client: str | None, since: datetime, verdict: str | None) -> list[dict[str, object]]:
    """Return the restarts since then, newest first, with what is kept of how each came about."""
    return [dict(row) for row in await tx.fetch(REBOOTS, client, since, verdict)]


MISSED: Final[LiteralString] = """
    SELECT coalesce(client.name, missed.tenant_id::text) AS client, coalesce(asset.hostname, asset.device) AS machine,
           asset.tier, missed.window_name, missed.misses, missed.ticket, missed.starts_at, missed.ends_at
    FROM compliance.window_missed AS missed
    JOIN compliance.asset USING (asset_id)
    LEFT JOIN compliance.client ON client.tenant_id = missed.tenant_id
    WHERE missed.misses > 0 AND ($1::text IS NULL OR client.name = $1)
    ORDER BY client, missed.misses DESC, machine
"""


async def missed(tx: Connection, client: str | None) -> list[dict[str, object]]:
    """Return the machines that missed their last windows, most misses first."""
    return [dict(row) for row in await tx.fetch(MISSED, client)]


SOURCES: Final[LiteralString] = """
    SELECT coalesce(client.name, watched.tenant_id::text) AS client, watched.source, watched.heard_at, watched.silent
    FROM compliance.source_watch AS watched
    LEFT JOIN compliance.client ON client.tenant_id = watched.tenant_id
    WHERE $1::text IS NULL OR client.name = $1
    ORDER BY client, watched.source
"""


async def sources(tx: Connection, client: str | None) -> list[dict[str, object]]:
    """Return when each source was last heard of each client that asks, to the minute, and whether it is silent."""
    return [dict(row) for row in await tx.fetch(SOURCES, client)]

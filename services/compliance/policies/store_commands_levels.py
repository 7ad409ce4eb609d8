"""What `patchline policy levels` reads, as the operator's role: how obligations stood, as it is known now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Tier
from contracts.events.obligation import State
from services.compliance.exceptions.records import Exclusion
from services.compliance.policies.rules_levels import Deadlines, Group, Standing

DEADLINES: Final[LiteralString] = """
    WITH due AS (
        SELECT DISTINCT owed.asset_id, owed.requirement_id, owed.os_family, owed.tier, told.due_at
        FROM compliance.obligation AS owed
        JOIN compliance.obligation_history AS told USING (asset_id, requirement_id)
        WHERE owed.tenant_id = $1 AND told.due_at >= $2 AND told.due_at < $3
    ), stood AS (
        SELECT due.os_family, due.tier, due.due_at, at_due.state, at_due.due_at IS DISTINCT FROM due.due_at AS moved,
               met.release IS NOT NULL AS was_met,
               CASE WHEN at_due.due_at IS DISTINCT FROM due.due_at THEN met.release ELSE at_due.release END AS release
        FROM due
        CROSS JOIN LATERAL (                              -- of what is true of a moment, the last that we came to know
            SELECT state, due_at, release
            FROM compliance.obligation_history
            WHERE asset_id = due.asset_id AND requirement_id = due.requirement_id AND occurred_at <= due.due_at
            ORDER BY recorded_at DESC, occurred_at DESC, event_id DESC LIMIT 1
        ) AS at_due
        LEFT JOIN LATERAL (
            SELECT coalesce(release, '') AS release
            FROM compliance.obligation_history
            WHERE asset_id = due.asset_id AND requirement_id = due.requirement_id
              AND due_at = due.due_at AND state = 'VERIFIED' AND occurred_at <= due.due_at
            LIMIT 1
        ) AS met ON true
    )
    SELECT os_family, tier, due_at, state, moved, was_met, release, count(*) AS count
    FROM stood
    GROUP BY os_family, tier, due_at, state, moved, was_met, release
    ORDER BY os_family, tier, due_at, state, release
"""


async def deadlines(tx: Connection, tenant: UUID, begin: datetime, end: datetime) -> list[Deadlines]:
    """Return how the client's obligations stood at each deadline with `begin` <= deadline < `end`."""
    return [
        Deadlines(
            group=Group(OsFamily(row["os_family"]), Tier(row["tier"])),
            release=row["release"],
            due_at=row["due_at"],
            state=State(row["state"]),
            moved=row["moved"],
            was_met=row["was_met"],
            count=row["count"],
        )
        for row in await tx.fetch(DEADLINES, tenant, begin, end)
    ]


STANDINGS: Final[LiteralString] = """
    SELECT owed.os_family, owed.tier, stood.release, reading.at, stood.state, count(*) AS count
    FROM compliance.obligation AS owed
    CROSS JOIN unnest($2::timestamptz[]) AS reading (at)
    CROSS JOIN LATERAL (
        SELECT state, release
        FROM compliance.obligation_history
        WHERE asset_id = owed.asset_id AND requirement_id = owed.requirement_id AND occurred_at <= reading.at
        ORDER BY recorded_at DESC, occurred_at DESC, event_id DESC LIMIT 1
    ) AS stood
    WHERE owed.tenant_id = $1
    GROUP BY owed.os_family, owed.tier, stood.release, reading.at, stood.state
    ORDER BY owed.os_family, owed.tier, reading.at, stood.state, stood.release
"""


async def standings(tx: Connection, tenant: UUID, moments: Sequence[datetime]) -> list[Standing]:
    """Return how many of the client's obligations were in which state at each of these moments."""
    return [
        Standing(
            group=Group(OsFamily(row["os_family"]), Tier(row["tier"])),
            release=row["release"],
            at=row["at"],
            state=State(row["state"]),
            count=row["count"],
        )
        for row in await tx.fetch(STANDINGS, tenant, list(moments))
    ]


EXCLUSIONS: Final[LiteralString] = """
    SELECT said.exclusion_id, said.tenant_id, said.patches, said.reason, said.approver, said.valid_from, said.until,
           said.recorded_at, ended.ended_at
    FROM compliance.exclusion AS said
    LEFT JOIN compliance.exclusion_end AS ended USING (exclusion_id)
    WHERE said.tenant_id = $1
    ORDER BY said.recorded_at, said.exclusion_id
"""


async def exclusions(tx: Connection, tenant: UUID) -> list[Exclusion]:
    """Return every exclusion of the client that was ever recorded."""
    return [
        Exclusion(
            id=row["exclusion_id"],
            tenant_id=row["tenant_id"],
            patches=tuple(row["patches"]),
            reason=row["reason"],
            approver=row["approver"],
            valid_from=row["valid_from"],
            until=row["until"],
            recorded_at=row["recorded_at"],
            ended_at=row["ended_at"],
        )
        for row in await tx.fetch(EXCLUSIONS, tenant)
    ]


ZONE: Final[LiteralString] = "SELECT zone FROM compliance.client WHERE tenant_id = $1"


async def zone_name(tx: Connection, tenant: UUID) -> str | None:
    """Return the client's zone as its source named it; `None`: nobody told of it yet."""
    found: str | None = await tx.fetchval(ZONE, tenant)
    return found

"""How long installations were seen to take, from what was said of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString

from chassis.postgres import Connection

FEWEST: Final = 10
"""Below that nobody can say how long nine of ten take."""

SEEN: Final[LiteralString] = """
    WITH claim AS (
        SELECT device_id, effective_at AS at
        FROM compliance.patch_fact
        WHERE tenant_id IN (SELECT tenant_id FROM compliance.client WHERE name = $1)
          AND type = 'patch.install_reported.v1' AND effective_at >= $2
    ), took AS (
        SELECT claim.device_id, booted.at - min(claim.at) AS length  -- a night's patches are one installation
        FROM claim
        CROSS JOIN LATERAL (
            SELECT min((facts->>'booted_at')::timestamptz) AS at
            FROM compliance.patch_fact
            WHERE device_id = claim.device_id AND type = 'device.booted.v1'
              AND effective_at >= claim.at AND effective_at < claim.at + interval '24 hours'
              AND (facts->>'booted_at')::timestamptz >= claim.at
        ) AS booted
        WHERE booted.at IS NOT NULL
        GROUP BY claim.device_id, booted.at
    )
    SELECT count(*) AS seen, percentile_disc(0.9) WITHIN GROUP (ORDER BY length) AS p90
    FROM took
"""


@dataclass(frozen=True, slots=True)
class Installs:
    """How many installations were seen, and how long nine of ten of them took; `None`: too few were."""

    seen: int
    p90: timedelta | None


async def installs(tx: Connection, client: str, since: datetime) -> Installs:
    """Return how long it took from a deployer's first report to the restart that followed within 24 hours.

    No source says when an installation began, so this is the least that a window must have room for.
    """
    row = await tx.fetchrow(SEEN, client, since)
    seen = row["seen"] if row else 0
    return Installs(seen, row["p90"] if row and seen >= FEWEST else None)

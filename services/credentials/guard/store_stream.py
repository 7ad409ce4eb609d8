"""Whom the feeds named when, and how that compares with what is usual."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.credentials.guard.records import Arrival, Guarding, Stream
from services.credentials.guard.store_guard import HOUR

USUAL: Final = timedelta(days=30)
KEPT: Final = timedelta(days=31)

SAVE: Final[LiteralString] = """
    INSERT INTO guard_arrival (tenant_id, source, account, received_hour, received_at, privileged)
    SELECT DISTINCT ON (tenant_id, source, account, date_trunc('hour', received_at, 'UTC'))
           tenant_id, source, account, date_trunc('hour', received_at, 'UTC'), received_at, privileged
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[])
        AS named (tenant_id, source, account, received_at, privileged)
    ORDER BY tenant_id, source, account, date_trunc('hour', received_at, 'UTC'), received_at
    ON CONFLICT (tenant_id, source, account, received_hour) DO NOTHING
"""


async def save(tx: Connection, arrivals: Sequence[Arrival]) -> None:
    """Keep who was named by which source, once in an hour."""
    await tx.execute(
        SAVE,
        [each.tenant for each in arrivals],
        [each.source for each in arrivals],
        [each.account for each in arrivals],
        [each.received_at for each in arrivals],
        [each.privileged for each in arrivals],
    )


STREAMS: Final[LiteralString] = """
    SELECT asked.tenant_id, recent.accounts, recent.privileged, recent.sources, known.sources AS known_sources,
           coalesce(days.usual, 0)::double precision AS usual_per_day
    FROM unnest($1::uuid[], $2::timestamptz[]) AS asked (tenant_id, since)
    CROSS JOIN LATERAL (
        SELECT count(*) AS accounts, count(*) FILTER (WHERE is_privileged) AS privileged,
               (SELECT count(DISTINCT source) FROM guard_arrival AS s
                WHERE s.tenant_id = asked.tenant_id AND s.received_at > asked.since) AS sources
        FROM (
            SELECT bool_or(a.privileged) AS is_privileged FROM guard_arrival AS a
            WHERE a.tenant_id = asked.tenant_id AND a.received_at > asked.since
            GROUP BY a.account
        ) AS each
    ) AS recent
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT source) AS sources FROM guard_arrival AS a
        WHERE a.tenant_id = asked.tenant_id AND a.received_at > $4
    ) AS known
    CROSS JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY accounts) AS usual
        FROM (
            SELECT count(DISTINCT a.account) AS accounts FROM guard_arrival AS a
            WHERE a.tenant_id = asked.tenant_id AND a.received_at > $4 AND a.received_at <= $3
            GROUP BY date_trunc('day', a.received_at, 'UTC')
        ) AS day
    ) AS days
"""


async def streams(tx: Connection, guarding: Mapping[UUID, Guarding], *, now: datetime) -> dict[UUID, Stream]:
    """Return what the feeds named in the last hour for each client, since its breaker was armed, and what is usual."""
    tenants = sorted(guarding)
    hour_ago = now - HOUR
    since = [max(hour_ago, guarding[tenant].tenant.armed_at or hour_ago) for tenant in tenants]
    return {
        row["tenant_id"]: Stream(
            accounts=row["accounts"],
            privileged=row["privileged"],
            sources=row["sources"],
            known_sources=row["known_sources"],
            usual_per_day=row["usual_per_day"],
        )
        for row in await tx.fetch(STREAMS, tenants, since, hour_ago, now - USUAL)
    }


def with_delivery(stream: Stream, named: int) -> Stream:
    """Return `stream` with the largest delivery that is under way."""
    return replace(stream, largest_delivery=named)


FORGET: Final[LiteralString] = """
    DELETE FROM guard_arrival WHERE (tenant_id, source, account, received_hour) IN (
        SELECT tenant_id, source, account, received_hour FROM guard_arrival WHERE received_at < $1 LIMIT $2
    )
"""


async def forget(tx: Connection, now: datetime, most: int) -> None:
    """Forget at most so many of those that say nothing about what is usual any more."""
    await tx.execute(FORGET, now - KEPT, most)

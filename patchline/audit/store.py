"""The counters of all services, read at one instant: as `patchline_auditor`, which may read nothing else."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, LiteralString

import asyncpg

from chassis.batch import Fate
from chassis.postgres import Connection
from patchline.audit.rules import Cell, Counters, Doors, Line, Partition

LINES: Final[LiteralString] = """
    SELECT consumer_group, topic, source, received_hour, fate, count, again
    FROM (SELECT * FROM gateway.group_flow UNION ALL SELECT * FROM inventory.group_flow
          UNION ALL SELECT * FROM compliance.group_flow UNION ALL SELECT * FROM ticketing.group_flow
          UNION ALL SELECT * FROM credentials.group_flow) AS every_group
    WHERE received_hour >= $1
"""
TOTALS: Final[LiteralString] = """
    SELECT consumer_group, topic, sum(count)::bigint AS count
    FROM (SELECT * FROM gateway.group_flow UNION ALL SELECT * FROM inventory.group_flow
          UNION ALL SELECT * FROM compliance.group_flow UNION ALL SELECT * FROM ticketing.group_flow
          UNION ALL SELECT * FROM credentials.group_flow) AS every_group
    WHERE fate <> 'published'
    GROUP BY consumer_group, topic
"""
PARTITIONS: Final[LiteralString] = """
    SELECT consumer_group, topic, partition, next_offset, first_offset, coalesce(records, 0) AS records
    FROM (SELECT * FROM gateway.watermark UNION ALL SELECT * FROM inventory.watermark
          UNION ALL SELECT * FROM compliance.watermark UNION ALL SELECT * FROM ticketing.watermark
          UNION ALL SELECT * FROM credentials.watermark) AS standing
    LEFT JOIN (SELECT * FROM gateway.partition_flow UNION ALL SELECT * FROM inventory.partition_flow
               UNION ALL SELECT * FROM compliance.partition_flow UNION ALL SELECT * FROM ticketing.partition_flow
               UNION ALL SELECT * FROM credentials.partition_flow
              ) AS counted USING (consumer_group, topic, partition)
    ORDER BY consumer_group, topic, partition
"""
DOORS: Final[LiteralString] = """
    SELECT source, received_hour,
           coalesce(f.translated, 0) AS translated, coalesce(f.duplicate, 0) AS duplicate,
           coalesce(f.parked, 0) AS parked, coalesce(f.dead_lettered, 0) AS dead_lettered,
           coalesce(f.quarantined, 0) AS quarantined, coalesce(f.unknown, 0) AS unknown,
           coalesce(f.ignored, 0) AS ignored, coalesce(f.replayed, 0) AS replayed, coalesce(f.events, 0) AS events,
           coalesce(f.events_parked, 0) AS events_parked, coalesce(f.events_released, 0) AS events_released,
           coalesce(s.spooled, 0) AS spooled, coalesce(s.drained, 0) AS drained,
           coalesce(p.rows, 0) AS parked_rows, coalesce(w.rows, 0) AS spool_rows
    FROM (SELECT * FROM gateway.flow WHERE received_hour >= $1) AS f
    FULL JOIN (SELECT * FROM gateway.spool_flow WHERE received_hour >= $1) AS s USING (source, received_hour)
    FULL JOIN (SELECT source, date_trunc('hour', received_at, 'UTC') AS received_hour, count(*) AS rows
               FROM gateway.parked WHERE received_at >= $1 GROUP BY 1, 2) AS p USING (source, received_hour)
    FULL JOIN (SELECT source, received_hour, count(*) AS rows
               FROM gateway.spool WHERE received_hour >= $1 GROUP BY 1, 2) AS w USING (source, received_hour)
"""
WAITING: Final[LiteralString] = """
    SELECT topic, min(id) AS first, max(id) AS last
    FROM (SELECT id, topic FROM gateway.outbox UNION ALL SELECT id, topic FROM gateway.outbox_pack
          UNION ALL SELECT id, topic FROM compliance.outbox UNION ALL SELECT id, topic FROM compliance.outbox_pack
          UNION ALL SELECT id, topic FROM credentials.outbox UNION ALL SELECT id, topic FROM credentials.outbox_pack
         ) AS outbox
    WHERE topic = ANY($1::text[])
    GROUP BY topic
"""
OF_SCHEMA: Final[LiteralString] = "SELECT set_config('search_path', $1, true)"
AMISS: Final[LiteralString] = """
    SELECT w.consumer_group AS group, w.topic, w.partition, w.next_offset AS watermark,
           coalesce(p.records, 0) AS counted,
           w.next_offset - coalesce(p.first_offset, 0) - coalesce(p.records, 0) AS stepped_over
    FROM watermark AS w LEFT JOIN partition_flow AS p USING (consumer_group, topic, partition)
    WHERE w.consumer_group = $1 AND w.topic = $2 AND ($3::integer IS NULL OR w.partition = $3)
      AND w.next_offset <> coalesce(p.first_offset + p.records, 0)
    ORDER BY w.partition
"""
ACCEPT: Final[LiteralString] = """
    INSERT INTO partition_flow (consumer_group, topic, partition, first_offset, records)
    SELECT w.consumer_group, w.topic, w.partition, w.next_offset - coalesce(p.records, 0), 0
    FROM watermark AS w LEFT JOIN partition_flow AS p USING (consumer_group, topic, partition)
    WHERE w.consumer_group = $1 AND w.topic = $2 AND ($3::integer IS NULL OR w.partition = $3)
      AND w.next_offset <> coalesce(p.first_offset + p.records, 0)
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET first_offset = excluded.first_offset
"""
OUTCOMES: Final = (
    "translated",
    "duplicate",
    "parked",
    "dead_lettered",
    "quarantined",
    "unknown",
    "ignored",
    "replayed",
)


@asynccontextmanager
async def instant(connection: Connection) -> AsyncIterator[None]:
    """Let everything that is read inside the `with` block be of one instant."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield


async def counters(connection: Connection, since: datetime) -> Counters:
    """Return the counters of hours that begin at `since` or later. Call inside `instant`."""
    return Counters(
        lines=[_line(row) for row in await connection.fetch(LINES, since)],
        partitions=[_partition(row) for row in await connection.fetch(PARTITIONS)],
        doors=dict(_doors(row) for row in await connection.fetch(DOORS, since)),
        totals={(row["consumer_group"], row["topic"]): row["count"] for row in await connection.fetch(TOTALS)},
    )


async def waiting(connection: Connection, topics: Sequence[str]) -> Mapping[str, tuple[int, int]]:
    """Return, of each of these topics that has any, the first and last number of what waits in an outbox for it."""
    rows = await connection.fetch(WAITING, topics)
    return {row["topic"]: (row["first"], row["last"]) for row in rows}


def _line(row: asyncpg.Record) -> Line:
    return Line(
        group=row["consumer_group"],
        topic=row["topic"],
        source=row["source"],
        hour=row["received_hour"],
        fate=Fate(row["fate"]),
        count=row["count"],
        again=row["again"],
    )


def _partition(row: asyncpg.Record) -> Partition:
    return Partition(
        group=row["consumer_group"],
        topic=row["topic"],
        partition=row["partition"],
        next_offset=row["next_offset"],
        first_offset=row["first_offset"],
        records=row["records"],
    )


def _doors(row: asyncpg.Record) -> tuple[Cell, Doors]:
    doors = Doors(
        outcomes={name: row[name] for name in OUTCOMES},
        events=row["events"],
        events_parked=row["events_parked"],
        events_released=row["events_released"],
        parked_rows=row["parked_rows"],
        spooled=row["spooled"],
        drained=row["drained"],
        spool_rows=row["spool_rows"],
    )
    return (row["source"], row["received_hour"]), doors

"""The spool in PostgreSQL: rows in, rows out, both counted in the transaction that moves them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis import outbox
from chassis.postgres import Connection
from contracts.raw import RecordHeaders


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A raw record that waits for Kafka: what would have gone there, and what the audit counts it by."""

    raw_id: UUID
    topic: str
    source: str
    received_at: datetime
    headers: RecordHeaders
    value: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row of the spool, as Kafka will get it."""

    raw_id: UUID
    topic: str
    headers: RecordHeaders
    value: bytes


ADD: Final[LiteralString] = """
    WITH added AS (
        INSERT INTO spool (raw_id, topic, source, received_hour, headers, value)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[])
        ON CONFLICT DO NOTHING
        RETURNING source, received_hour
    )
    INSERT INTO spool_flow AS f (source, received_hour, spooled)
    SELECT source, received_hour, count(*) FROM added GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (source, received_hour) DO UPDATE SET spooled = f.spooled + excluded.spooled
"""


async def add(connection: Connection, records: Sequence[Spooled]) -> None:
    """Insert and count records, in one statement that is its own transaction; one that is there already is a no-op."""
    ordered = sorted(records, key=lambda record: record.raw_id)
    await connection.execute(
        ADD,
        [record.raw_id for record in ordered],
        [record.topic for record in ordered],
        [record.source for record in ordered],
        [hour_of(record.received_at) for record in ordered],
        [outbox.written(record.headers) for record in ordered],
        [record.value for record in ordered],
    )


def hour_of(received_at: datetime) -> datetime:
    """Return the hour that the audit counts a delivery in."""
    return received_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


PEEK: Final[LiteralString] = """
    SELECT raw_id, topic, headers, value FROM (
        SELECT raw_id, topic, headers, value, sum(octet_length(value)) OVER (ORDER BY raw_id) AS bytes
        FROM spool WHERE raw_id > $1 ORDER BY raw_id LIMIT $2
    ) AS oldest
    WHERE bytes - octet_length(value) < $3 ORDER BY raw_id
"""


async def peek(connection: Connection, after: UUID, *, most: int, most_bytes: int) -> list[Waiting]:
    """Return the oldest records after `after`: at most `most`, and none that begins beyond `most_bytes` of values."""
    return [
        Waiting(row["raw_id"], row["topic"], outbox.headers_of(row["headers"]), row["value"])
        for row in await connection.fetch(PEEK, after, most, most_bytes)
    ]


FORGET: Final[LiteralString] = """
    WITH gone AS (DELETE FROM spool WHERE raw_id = ANY($1::uuid[]) RETURNING source, received_hour)
    INSERT INTO spool_flow AS f (source, received_hour, spooled, drained)
    SELECT source, received_hour, count(*), count(*) FROM gone GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (source, received_hour) DO UPDATE SET drained = f.drained + excluded.drained
"""


async def forget(connection: Connection, raw_ids: Sequence[UUID]) -> None:
    """Delete records that Kafka has and count them as drained, in one statement; one that is gone is a no-op."""
    await connection.execute(FORGET, sorted(raw_ids))


STANDING: Final[LiteralString] = """
    SELECT (SELECT raw_id FROM spool ORDER BY raw_id LIMIT 1) IS NOT NULL AS has_any,  -- by the key, past dead rows
           (SELECT coalesce(sum(spooled - drained), 0)::bigint FROM spool_flow WHERE spooled > drained) AS records
"""


async def standing(connection: Connection) -> int:
    """Return how many records wait, by the counts; at least 1 while there is a row."""
    row = await connection.fetchrow(STANDING)
    return 0 if row is None else max(int(row["has_any"]), row["records"])


LEASE: Final[LiteralString] = "SELECT pg_try_advisory_lock(hashtext(current_schema() || '.spool'), 0)"


async def lease(connection: Connection) -> bool:
    """Become the one who drains, for as long as this connection lives; return whether nobody else is."""
    return bool(await connection.fetchval(LEASE))

"""Where a consumer group stands in each partition: kept in PostgreSQL, advanced by compare-and-set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from aiokafka import TopicPartition

from chassis.postgres import Connection


class LostPartition(Exception):
    """Another consumer advanced the watermark first: roll back, read it again, seek. No failure."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """The next offset to handle, and the identity of the record before it (`None`: nothing handled yet).

    `topic_id` is the cluster's id of the topic that it counts in; `None`: no cluster told one yet.
    """

    next_offset: int
    last_identity: str | None
    topic_id: UUID | None


@dataclass(frozen=True, slots=True)
class Move:
    """One partition's step: from the offset that we believe in to the next, past a record with `identity`."""

    expected: int
    next_offset: int
    identity: str


ENSURE: Final[LiteralString] = """
    INSERT INTO watermark AS standing (consumer_group, topic, partition, next_offset, topic_id)
    SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::uuid[])
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET topic_id = excluded.topic_id
    WHERE standing.topic_id IS NULL AND excluded.topic_id IS NOT NULL
"""
READ: Final[LiteralString] = """
    SELECT topic, partition, next_offset, last_identity, topic_id
    FROM watermark
    WHERE consumer_group = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::integer[]))
"""


async def ensure(
    connection: Connection, group: str, beginnings: Mapping[TopicPartition, int], ids: Mapping[str, UUID]
) -> dict[TopicPartition, Watermark]:
    """Return the watermark of each partition; one that has none starts at its beginning, in the topic of that id."""
    partitions = sorted(beginnings)
    topics = [each.topic for each in partitions]
    numbers = [each.partition for each in partitions]
    async with connection.transaction():
        starts = [beginnings[each] for each in partitions]
        await connection.execute(ENSURE, group, topics, numbers, starts, [ids.get(topic) for topic in topics])
        return await standing(connection, group, partitions)


async def standing(
    connection: Connection, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Watermark]:
    """Return the watermarks of these partitions that there are."""
    topics, numbers = [each.topic for each in partitions], [each.partition for each in partitions]
    rows = await connection.fetch(READ, group, topics, numbers)
    return {
        TopicPartition(row["topic"], row["partition"]): Watermark(
            row["next_offset"], row["last_identity"], row["topic_id"]
        )
        for row in rows
    }


ADVANCE: Final[LiteralString] = """
    WITH standing AS (
        SELECT topic, partition, w.next_offset, step.next_offset AS new_offset, identity, last_recorded_at
        FROM watermark AS w JOIN unnest($2::text[], $3::integer[], $4::bigint[], $5::text[])
            AS step (topic, partition, next_offset, identity) USING (topic, partition)
        WHERE consumer_group = $1
        ORDER BY topic, partition
        FOR UPDATE OF w
    ), recorded AS (SELECT greatest($6, max(last_recorded_at)) AS at FROM standing), moved AS (
        UPDATE watermark AS w SET next_offset = new_offset, last_identity = s.identity, last_recorded_at = at
        FROM standing AS s, recorded
        WHERE consumer_group = $1 AND w.topic = s.topic AND w.partition = s.partition
    )
    SELECT topic, partition, next_offset, at FROM standing, recorded
"""
"""One statement, as every transaction of every consumer begins with it; where it should not have moved, all of it is
rolled back."""


async def advance(connection: Connection, group: str, moves: Mapping[TopicPartition, Move], now: datetime) -> datetime:
    """Move the watermarks inside the caller's transaction and return the recorded time of the whole batch.

    The recorded time is `now`, or the latest that any of these partitions has seen: it never goes back.

    Raises:
        LostPartition: a watermark is not where we believed it to be; the transaction must be rolled back.
    """
    places = sorted(moves)
    topics, numbers = [each.topic for each in places], [each.partition for each in places]
    offsets, identities = [moves[each].next_offset for each in places], [moves[each].identity for each in places]
    rows = await connection.fetch(ADVANCE, group, topics, numbers, offsets, identities, now)
    found = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    for each in places:
        if found.get(each) != moves[each].expected:
            raise LostPartition(f"{each.topic}/{each.partition}: {found.get(each)}, not {moves[each].expected}")
    recorded_at: datetime = rows[0]["at"]
    return recorded_at

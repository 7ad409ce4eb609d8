"""What the gateway knows of the events it published: read as its own writer, in one snapshot."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from aiokafka import TopicPartition

from chassis import outbox
from chassis.postgres import Connection, Pool
from contracts.records import message_of
from contracts.topics import RMM_EVENTS_BY_LANE, RMM_RAW_BY_LANE
from patchline.rebuild.rules import Claim

RAW: Final = tuple(RMM_RAW_BY_LANE.values())
EVENTS: Final = tuple(RMM_EVENTS_BY_LANE.values())


@dataclass(frozen=True, slots=True)
class Published:
    """Where the gateway stood: how far each raw log was translated, what was parked, what was not sent yet."""

    translated: dict[TopicPartition, int]
    parked: set[UUID]
    unsent: set[UUID]
    recorded_at: datetime | None


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection whose every statement sees the same moment."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection


STANDING: Final[LiteralString] = """
    SELECT topic, partition, next_offset, last_recorded_at FROM watermark WHERE topic = ANY($1::text[])
"""
PARKED: Final[LiteralString] = "SELECT event_id FROM parked"


UNSENT: Final[LiteralString] = """
    SELECT key, headers, value, records, pack FROM outbox_waiting WHERE topic = ANY($1::text[])
"""


async def published(tx: Connection) -> Published:
    """Return where the gateway stands."""
    rows = await tx.fetch(STANDING, [each.name for each in RAW])
    moments = [row["last_recorded_at"] for row in rows if row["last_recorded_at"] is not None]
    return Published(
        translated={TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows},
        parked={row["event_id"] for row in await tx.fetch(PARKED)},
        unsent=await unsent(tx, [each.name for each in EVENTS], "ce_id"),
        recorded_at=max(moments, default=None),
    )


async def unsent(tx: Connection, topics: Sequence[str], name: str) -> set[UUID]:
    """Return one header, a UUID, of each record for `topics` that is in the outbox still."""
    rows = await tx.fetch(UNSENT, topics)
    messages = [message_of(body) for row in rows for _, body in outbox.keyed_of(row)]
    return {UUID(value.decode()) for message in messages for key, value in message.headers if key == name}


CLAIMS: Final[LiteralString] = """
    SELECT event_id, raw_id, stands_for = 'event' AS is_event, recorded_at
    FROM translated WHERE event_id = ANY($1::uuid[])
"""


async def claims(tx: Connection, event_ids: Collection[UUID]) -> dict[UUID, Claim]:
    """Return which delivery claimed each of these ids."""
    rows = await tx.fetch(CLAIMS, list(event_ids))
    return {row["event_id"]: Claim(row["raw_id"], row["is_event"], row["recorded_at"]) for row in rows}

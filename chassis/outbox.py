"""Messages leave with the transaction that caused them, or not at all; `relay` carries them to Kafka."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, LiteralString

import asyncpg
from pydantic_core import to_json

from chassis.postgres import Connection
from contracts import records
from contracts.envelope import Envelope, Message, encode
from contracts.topics import Topic

SHARDS: Final = 8
"""Relays share the work by these; a key is always in the same one. As many as `relay_shard` has rows."""

COLUMNS: Final = ("shard", "topic", "key", "headers", "value")
PACK_COLUMNS: Final = ("shard", "topic", "records", "pack")
PACKED_FROM: Final = 32
"""So many records of one commit and topic are packed; of fewer each has a row, as there would be hardly fewer packs."""


def shard_of(key: bytes | None) -> int:
    """Return the shard of a record key."""
    return records.shard_of(key, SHARDS)


async def enqueue_keyed(tx: Connection, topic: Topic, keyed: Iterable[tuple[str, Envelope]]) -> int:
    """Add events with a record key each to the caller's transaction and return how many."""
    return await enqueue_messages(tx, topic.name, [encode(envelope, key) for key, envelope in keyed])


DRAW: Final[LiteralString] = """
    INSERT INTO aggregate_sequence AS a (aggregate, sequence)
    SELECT aggregate, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint + drawn
    FROM unnest($1::text[], $2::bigint[]) AS needed (aggregate, drawn)
    ON CONFLICT (aggregate) DO UPDATE
    SET sequence = greatest(
        excluded.sequence,
        a.sequence + excluded.sequence - floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint
    )
    RETURNING aggregate, sequence
"""
"""The next numbers of each aggregate: one more than the last, and never below the database's clock in milliseconds.

So a database that was restored to an older state draws numbers above all that were published since (ADR 0022)."""


async def enqueue_sequenced(tx: Connection, topic: Topic, keyed: Sequence[tuple[str, Envelope]]) -> int:
    """Add events of a state topic, numbered per key in their order here; consumers keep the highest.

    The keys' rows stay locked until the transaction ends, so numbers are published in the order of the states.
    """
    names = [f"{topic.name}/{key}" for key, _ in keyed]
    left = Counter(names)
    aggregates = sorted(left)
    rows = await tx.fetch(DRAW, aggregates, [left[each] for each in aggregates]) if names else []
    last = {aggregate: sequence for aggregate, sequence in rows}  # noqa: C416 - a Record is no tuple to mypy
    messages: list[Message] = []
    for name, (key, envelope) in zip(names, keyed, strict=True):
        left[name] -= 1
        message = encode(envelope, key)
        message.headers.append(("ce_sequence", str(last[name] - left[name]).encode()))
        messages.append(message)
    return await enqueue_messages(tx, topic.name, messages)


async def enqueue_messages(tx: Connection, topic: str, messages: Sequence[Message]) -> int:
    """Add encoded records to the caller's transaction and return how many."""
    if len(messages) >= PACKED_FROM:
        rows = [(shard, topic, count, pack) for shard, count, pack in records.packs(messages, SHARDS)]
        await tx.copy_records_to_table("outbox_pack", columns=PACK_COLUMNS, records=rows)
    elif messages:
        await tx.copy_records_to_table(
            "outbox",
            columns=COLUMNS,
            records=[
                (shard_of(message.key), topic, message.key, written(message.headers), message.value)
                for message in messages
            ],
        )
    return len(messages)


def keyed_of(row: asyncpg.Record) -> Iterable[records.Keyed]:
    """Return the records of one row of `outbox_waiting`, in order."""
    if row["pack"] is not None:
        return records.unpacked(row["pack"], row["records"])
    message = Message(key=row["key"], headers=headers_of(row["headers"]), value=row["value"])
    return [(message.key or b"", records.body(message))]


def written(headers: Iterable[tuple[str, bytes]]) -> str:
    """Return headers as text that PostgreSQL stores; any bytes survive."""
    return to_json([(name, value.decode("latin-1")) for name, value in headers]).decode()


def headers_of(text: str) -> list[tuple[str, bytes]]:
    """Return the headers that `written` wrote."""
    return [(name, value.encode("latin-1")) for name, value in json.loads(text)]

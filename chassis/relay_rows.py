"""What a relay asks of PostgreSQL: which shards are its own, and the next rows of the outbox in them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_SECONDS: Final = 5.0
"""How long a record of a relay that died may still arrive: its successor waits that long."""

ROWS: Final = 1000
BULK_ROWS: Final = 100
BYTES: Final = 2_097_152


async def peeked(connection: Connection, shards: Sequence[int], flying: Sequence[int]) -> list[asyncpg.Record]:
    """Return the next rows of these shards but those whose ids are `flying`."""
    return await connection.fetch(PEEK, shards, flying, ROWS, BULK_ROWS, BYTES) if shards else []


def may_be_more(rows: Sequence[asyncpg.Record]) -> bool:
    """Return whether a portion is so large that it may have been cut; else it is time to look at the next commit.

    Where little is under way a look costs as much as sending what it finds, and most portions are of one commit.
    """
    size = sum(len(row["value"] or b"") + len(row["pack"] or b"") for row in rows)
    return size >= BYTES // 2 or sum(row["records"] for row in rows) >= BULK_ROWS


PEEK: Final[LiteralString] = """
    (SELECT id, topic, key, headers, value, records, pack
     FROM (SELECT *, sum(records) OVER up - records AS records_before, sum(size) OVER up - size AS bytes_before
           FROM (SELECT * FROM outbox_waiting
                 WHERE shard = ANY($1::smallint[]) AND id <> ALL($2::bigint[]) AND topic NOT LIKE '%.bulk'
                 ORDER BY id LIMIT $3) AS first
           WINDOW up AS (ORDER BY id)) AS live
     WHERE records_before < $3 AND bytes_before < $5 ORDER BY id)
    UNION ALL
    (SELECT id, topic, key, headers, value, records, pack
     FROM (SELECT *, sum(records) OVER up - records AS records_before, sum(size) OVER up - size AS bytes_before
           FROM (SELECT * FROM outbox_waiting
                 WHERE shard = ANY($1::smallint[]) AND id <> ALL($2::bigint[]) AND topic LIKE '%.bulk'
                 ORDER BY id LIMIT $4) AS first
           WINDOW up AS (ORDER BY id)) AS bulk
     WHERE records_before < $4 AND bytes_before < $5 ORDER BY id)
"""
"""What is live, then a small portion of bulk: neither keeps the other waiting. A key's records of one topic stay in
their order. A first import may fill the outbox with records of nearly a megabyte each, so both are bounded by bytes,
too. What is in flight ($2) is left out: of what was committed since, some may have a lower id.
"""
FORGET: Final[LiteralString] = """
    WITH packs AS (DELETE FROM outbox_pack WHERE id = ANY($1::bigint[]))
    DELETE FROM outbox WHERE id = ANY($1::bigint[])
"""
SHORTEN: Final[LiteralString] = "UPDATE outbox_pack SET records = $2, pack = $3 WHERE id = $1"
TAKE: Final[LiteralString] = """
    SELECT shard, clean FROM relay_shard
    WHERE shard <> ALL($1::smallint[])
      AND pg_try_advisory_lock(hashtext(current_schema() || '.outbox'), shard)
"""
CHANNEL: Final[LiteralString] = "SELECT current_schema() || '.outbox'"
TELL: Final[LiteralString] = """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify(current_schema() || '.outbox', '')
"""
"""A hint, which may be lost: each relay looks by itself now and then. So nobody waits for it to be on a disk."""

MARK: Final[LiteralString] = "UPDATE relay_shard SET clean = $2 WHERE shard = ANY($1::smallint[])"


async def take_shards(connection: Connection, held: Sequence[int]) -> list[int]:
    """Lock the shards that no relay holds and return them; wait first if one's last relay did not stop cleanly."""
    rows = await connection.fetch(TAKE, held)
    taken = [row["shard"] for row in rows]
    if taken:
        await connection.execute(MARK, taken, False)
    if any(not row["clean"] for row in rows):
        log.info("relay takes over", extra={"shards": len(taken), "waits_seconds": DELIVERY_TIMEOUT_SECONDS})
        await asyncio.sleep(DELIVERY_TIMEOUT_SECONDS)
    return taken

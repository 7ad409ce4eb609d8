"""The standing auditor's role reads counters and places, and no row of anybody's."""

import asyncpg

from tests.audit.bus import SCHEMAS
from tests.parts import Database

READABLE = """
    SELECT DISTINCT n.nspname || '.' || c.relname || CASE
        WHEN has_table_privilege('patchline_auditor', c.oid, 'SELECT') THEN '' ELSE '.' || a.attname END AS name
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm')
      AND has_column_privilege('patchline_auditor', c.oid, a.attnum, 'SELECT')
"""
WRITABLE = """
    SELECT c.oid::regclass::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm')
      AND (has_table_privilege('patchline_auditor', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR has_any_column_privilege('patchline_auditor', c.oid, 'INSERT, UPDATE'))
"""


async def test_the_auditor_reads_counters_and_nothing_else(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    readable = {row["name"] for row in await connection.fetch(READABLE, list(SCHEMAS))}
    writable = await connection.fetch(WRITABLE, list(SCHEMAS))
    await connection.close()

    of_each = {f"{schema}.{name}" for schema in SCHEMAS for name in ("watermark", "partition_flow", "group_flow")}
    numbers = {
        f"{s}.{table}.{name}" for s in SCHEMAS for table in ("outbox", "outbox_pack") for name in ("id", "topic")
    }
    own = {"gateway.flow", "gateway.spool_flow", "gateway.spool.source", "gateway.spool.received_hour"}
    own |= {"gateway.parked.source", "gateway.parked.received_at"}
    assert readable == of_each | numbers | own
    assert writable == []

"""What PostgreSQL says, as the operator: counts and places, never a row of a client's."""

from typing import Final, LiteralString

from chassis.postgres import Connection
from patchline.diagnose import scrub
from patchline.diagnose.bundle import Files, as_json

WATERMARKS: Final[LiteralString] = """
    SELECT consumer_group, topic, partition, next_offset, last_recorded_at
    FROM (SELECT consumer_group, topic, partition, next_offset, last_recorded_at FROM gateway.watermark
          UNION ALL
          SELECT consumer_group, topic, partition, next_offset, last_recorded_at FROM inventory.watermark
          UNION ALL
          SELECT consumer_group, topic, partition, next_offset, last_recorded_at FROM compliance.watermark
          UNION ALL
          SELECT consumer_group, topic, partition, next_offset, last_recorded_at FROM ticketing.watermark
          UNION ALL
          SELECT consumer_group, topic, partition, next_offset, last_recorded_at FROM credentials.watermark) AS standing
    ORDER BY consumer_group, topic, partition
"""
MIGRATIONS: Final[LiteralString] = """
    SELECT schema, file, applied_at
    FROM (SELECT 'gateway' AS schema, file, applied_at FROM gateway.migration
          UNION ALL SELECT 'inventory', file, applied_at FROM inventory.migration
          UNION ALL SELECT 'compliance', file, applied_at FROM compliance.migration
          UNION ALL SELECT 'ticketing', file, applied_at FROM ticketing.migration
          UNION ALL SELECT 'credentials', file, applied_at FROM credentials.migration) AS applied
    ORDER BY schema, file
"""
TABLES: Final[LiteralString] = """
    SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.reltuples::bigint AS rows_about,
           pg_relation_size(c.oid) AS bytes, pg_total_relation_size(c.oid) AS bytes_with_indexes,
           s.n_dead_tup AS dead_rows, s.last_autovacuum, s.last_autoanalyze
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
    WHERE n.nspname IN ('gateway', 'inventory', 'compliance', 'ticketing', 'credentials') AND c.relkind IN ('r', 'p')
    ORDER BY bytes_with_indexes DESC
"""
ACTIVITY: Final[LiteralString] = """
    SELECT pid, usename, application_name, state, wait_event_type, wait_event, backend_start, xact_start, query_start,
           pg_blocking_pids(pid) AS blocked_by, query
    FROM pg_stat_activity WHERE datname = current_database() ORDER BY pid
"""
LOCKS: Final[LiteralString] = """
    SELECT pid, locktype, mode, granted, relation::regclass::text AS relation, waitstart
    FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY granted, pid
"""
SERVER: Final[LiteralString] = """
    SELECT version() AS version, pg_database_size(current_database()) AS database_bytes, now() AS now,
           pg_postmaster_start_time() AS started_at
"""
PARKED: Final[LiteralString] = """
    SELECT source, reason, count(*) AS events, min(received_at) AS oldest
    FROM gateway.parked GROUP BY source, reason ORDER BY source, reason
"""
POLLS: Final[LiteralString] = """
    SELECT source, next_at, leased_until, last_succeeded_at, last_failed_at, failures, last_error, lost_webhooks
    FROM gateway.poll_state ORDER BY source
"""
SOURCES: Final[LiteralString] = """
    SELECT source_id, vendor, scheme, enabled, poll_seconds, quarantined_at, added_at
    FROM gateway.source ORDER BY source_id
"""
SPOOL: Final[LiteralString] = """
    SELECT source, received_hour, spooled, drained FROM gateway.spool_flow ORDER BY received_hour DESC, source LIMIT 200
"""
INTENTS: Final[LiteralString] = """
    SELECT kind, state, count(*) AS intents, min(due_at) AS oldest_due, max(attempts) AS most_attempts
    FROM ticketing.intent GROUP BY kind, state ORDER BY kind, state
"""
QUARANTINE: Final[LiteralString] = """
    SELECT source, reason, key_id, count(*) AS deliveries, min(received_at) AS oldest
    FROM gateway.exposure_quarantine GROUP BY source, reason, key_id ORDER BY source, reason, key_id
"""
STEPS: Final[LiteralString] = """
    SELECT s.step, s.state, count(*) AS cases, min(s.due_at) AS oldest_due, max(s.attempts) AS most_attempts
    FROM credentials.case_step AS s JOIN credentials.exposure_case AS c USING (case_id)
    WHERE c.closed_at IS NULL GROUP BY s.step, s.state ORDER BY s.step, s.state
"""
CASES: Final[LiteralString] = """
    SELECT decision, rule, kind, dry_run, closed_at IS NULL AS is_open, count(*) AS cases, min(opened_at) AS oldest
    FROM credentials.exposure_case GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
BREAKERS: Final[LiteralString] = """
    SELECT tenant_id, state, moved_at, armed_at, moves FROM credentials.breaker ORDER BY tenant_id
"""
PROMISES: Final[LiteralString] = """
    SELECT promise, count(*) AS owed, count(kept_at) AS kept, count(broken_at) AS late,
           count(*) FILTER (WHERE kept_at IS NULL) AS missing
    FROM credentials.promise WHERE waived_at IS NULL GROUP BY promise ORDER BY promise
"""
DIRECTORIES: Final[LiteralString] = """
    SELECT name, kind, enabled, every_seconds, fresh_at, accounts, failures, failed_at, last_error, next_at,
           leased_until
    FROM credentials.directory ORDER BY name
"""
PLAIN: Final[dict[str, LiteralString]] = {
    "watermarks": WATERMARKS,
    "migrations": MIGRATIONS,
    "tables": TABLES,
    "locks": LOCKS,
    "server": SERVER,
    "parked": PARKED,
    "sources": SOURCES,
    "spool": SPOOL,
    "intents": INTENTS,
    "quarantine": QUARANTINE,
    "steps": STEPS,
    "cases": CASES,
    "breakers": BREAKERS,
    "promises": PROMISES,
}
REPORTING: Final[dict[str, LiteralString]] = {"polls": POLLS, "directories": DIRECTORIES}
"""What has a `last_error`: somebody else's sentence."""


async def tables(tx: Connection) -> Files:
    """Return one file per question. Call in a transaction that sees every client: counts are of all of them."""
    files = {
        f"database/{name}.json": as_json([dict(row) for row in await tx.fetch(sql)]) for name, sql in PLAIN.items()
    }
    activity = [dict(row) | {"query": scrub.statement(row["query"] or "")} for row in await tx.fetch(ACTIVITY)]
    for name, sql in REPORTING.items():
        rows = [dict(row) | {"last_error": scrub.sentence(row["last_error"] or "", ())} for row in await tx.fetch(sql)]
        files[f"database/{name}.json"] = as_json(rows)
    return files | {"database/activity.json": as_json(activity)}

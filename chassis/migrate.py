"""Numbered SQL files, forward only, under an advisory lock; one schema, one writer role and one mailbox per service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import asyncpg

from chassis.errors import NeverWorks

MAILBOX: Final = Path(__file__).parent / "migrations"
LOCK_KEY: Final = 7_283_645_120


class MigrationChanged(NeverWorks):
    """A file that was applied is missing or has another number now: forward only."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One service's schema and the folder of its numbered files."""

    name: str
    folder: Path


ROLES: Final[LiteralString] = """
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['patchline_owner', 'patchline_reader', 'patchline_operator', 'patchline_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOINHERIT %s', role,
                           CASE role WHEN 'patchline_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        END IF;
    END LOOP;
END $$;
CREATE SCHEMA IF NOT EXISTS patchline;
GRANT USAGE ON SCHEMA patchline TO PUBLIC;
CREATE OR REPLACE FUNCTION patchline.visible_tenants() RETURNS uuid[] STABLE LANGUAGE sql
    SET search_path = pg_catalog
    AS $$ SELECT string_to_array(current_setting('patchline.tenants', true), ',')::uuid[] $$;
CREATE OR REPLACE FUNCTION patchline.isolate(kept regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    writer text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = kept) || '_writer';
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', kept);
    EXECUTE format('CREATE POLICY all_tenants ON %s TO %I USING (true) WITH CHECK (true)', kept, writer);
    EXECUTE format('CREATE POLICY own_tenants ON %s TO patchline_reader, patchline_operator '
                   'USING (tenant_id = ANY ((SELECT patchline.visible_tenants())::uuid[])) '
                   'WITH CHECK (tenant_id = ANY ((SELECT patchline.visible_tenants())::uuid[]))', kept);
    EXECUTE format('GRANT SELECT ON %s TO patchline_reader, patchline_operator', kept);
END $$;
"""
"""The roles of the product. None is a superuser, none but the owner owns a table, none bypasses row-level security.

`isolate` is called by migrations on every table that has a `tenant_id`: readers see the rows of `patchline.tenants`
only (unset: none), the schema's own batch writer sees all.
"""

ROOM: Final[LiteralString] = """
SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 || '_writer')
            THEN format('CREATE ROLE %I LOGIN NOINHERIT;', $1 || '_writer') ELSE '' END
    || format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION patchline_owner;', $1)
    || format('GRANT USAGE ON SCHEMA %I TO %I, patchline_reader, patchline_operator;', $1, $1 || '_writer')
    || format('ALTER ROLE %I SET search_path = %I;', $1 || '_writer', $1)
    || format('ALTER DEFAULT PRIVILEGES FOR ROLE patchline_owner IN SCHEMA %I '
              'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I;', $1, $1 || '_writer')
    || format('ALTER DEFAULT PRIVILEGES FOR ROLE patchline_owner IN SCHEMA %I '
              'GRANT USAGE ON SEQUENCES TO %I;', $1, $1 || '_writer')
"""
"""Builds the statements that make a service's schema and its batch writer's role; PostgreSQL quotes the names."""

LEDGER: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS migration (file text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
"""
APPLIED: Final[LiteralString] = "SELECT file FROM migration"
NOTE: Final[LiteralString] = "INSERT INTO migration (file) VALUES ($1)"


async def migrate(dsn: str, schemas: Sequence[Schema], *, say: Callable[[str], None]) -> int:
    """Bring every schema to its newest file and return how many files ran. `dsn` needs CREATEROLE and CREATE.

    Each file runs in a transaction of its own with its line in the ledger; two runs at once wait for each other.

    Raises:
        MigrationChanged: the ledger names a file that is not there.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
        await connection.execute(ROLES)
        await connection.execute("GRANT patchline_owner TO CURRENT_USER")
        return sum([await _migrate_schema(connection, schema, say) for schema in schemas])
    finally:
        await connection.close()


async def _migrate_schema(
    connection: "asyncpg.Connection[asyncpg.Record]", schema: Schema, say: Callable[[str], None]
) -> int:
    await connection.execute(await connection.fetchval(ROOM, schema.name))
    await connection.execute("SELECT set_config('search_path', $1, false)", schema.name)
    await connection.execute("SET ROLE patchline_owner")
    try:
        await connection.execute(LEDGER)
        done = {row["file"] for row in await connection.fetch(APPLIED)}
        files = {f"mailbox/{file.name}": file for file in sorted(MAILBOX.glob("*.sql"))}
        files |= {file.name: file for file in sorted(schema.folder.glob("*.sql"))}
        if missing := done - files.keys():
            raise MigrationChanged(f"schema {schema.name}: applied but not here: {', '.join(sorted(missing))}")
        pending = [name for name in files if name not in done]
        for name in pending:
            say(f"{schema.name}: {name}")
            async with connection.transaction():
                await connection.execute(files[name].read_text())
                await connection.execute(NOTE, name)
        return len(pending)
    finally:
        await connection.execute("RESET ROLE")

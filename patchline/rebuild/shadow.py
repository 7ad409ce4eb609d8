"""The shadow schema: made by the service's own migrations, filled by its own handlers, swapped in by the owner."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, LiteralString

import asyncpg

from chassis.errors import MayWorkLater, NeverWorks
from chassis.migrate import Schema, migrate
from chassis.postgres import Connection
from patchline.rebuild.sessions import Sessions, replaced_of, shadow_of
from patchline.schemas import SCHEMAS

LOCK_SECONDS: Final = 60
"""So long the swap waits for others to let go of a table; then nothing is swapped."""

DROP: Final[LiteralString] = """
    SELECT coalesce(string_agg(format('DROP SCHEMA %I CASCADE;', nspname), ' '), 'SELECT')
    FROM pg_namespace WHERE nspname = ANY($1::text[])
"""
DROP_ROLE: Final[LiteralString] = """
    SELECT coalesce(string_agg(format('DROP ROLE %I;', rolname), ' '), 'SELECT')
    FROM pg_roles WHERE rolname = $1 || '_writer'
"""


async def drop(sessions: Sessions, *, replaced: bool = False) -> None:
    """Drop what an earlier rebuild left: its shadow, the shadow's role, and if asked the tables that it replaced."""
    shadow = shadow_of(sessions.service)
    names = [shadow, replaced_of(sessions.service)] if replaced else [shadow]
    async with sessions.owner() as owner:
        await owner.execute(await owner.fetchval(DROP, names))
    async with _admin(sessions) as admin:
        await admin.execute(await admin.fetchval(DROP_ROLE, shadow))


@asynccontextmanager
async def _admin(sessions: Sessions) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    admin = await asyncpg.connect(sessions.dsn)
    try:
        yield admin
    finally:
        await admin.close()


PLACE: Final[LiteralString] = "SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION patchline_owner', $1::text)"
FILES: Final[LiteralString] = """
    SELECT format('SELECT (SELECT array_agg(file ORDER BY file) FROM %I.migration) '
                  '     = (SELECT array_agg(file ORDER BY file) FROM %I.migration)', $1::text, $2::text)
"""
ADOPT: Final[LiteralString] = """
    SELECT string_agg(
               format('DROP POLICY all_tenants ON %1$I.%2$I; '
                      'CREATE POLICY all_tenants ON %1$I.%2$I TO %3$I USING (true) WITH CHECK (true);',
                      schemaname, tablename, $2 || '_writer'), ' ')
           || format('GRANT USAGE ON SCHEMA %1$I TO %2$I; '
                     'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %1$I TO %2$I; '
                     'GRANT USAGE ON ALL SEQUENCES IN SCHEMA %1$I TO %2$I; '
                     'REVOKE ALL ON ALL TABLES IN SCHEMA %1$I FROM %3$I; '
                     'REVOKE ALL ON ALL SEQUENCES IN SCHEMA %1$I FROM %3$I; '
                     'REVOKE ALL ON SCHEMA %1$I FROM %3$I, patchline_reader, patchline_operator;',
                     $1::text, $2 || '_writer', $1 || '_writer')
    FROM pg_policies WHERE schemaname = $1 AND policyname = 'all_tenants'
"""
WORKPLACE: Final[LiteralString] = """
    CREATE TABLE rebuild_difference (relation text NOT NULL, key jsonb NOT NULL, what text NOT NULL,
                                     columns text[] NOT NULL);
    CREATE TABLE rebuild_deferred (event_id uuid, raw_id uuid, headers text NOT NULL, event text NOT NULL,
                                   PRIMARY KEY (event_id, raw_id));
    CREATE TABLE rebuild_asset (
        asset_id uuid PRIMARY KEY, tenant_id uuid NOT NULL, source text NOT NULL, device text NOT NULL, hostname text,
        os_family text NOT NULL, os_name text, os_version text, os_build text, tier text NOT NULL,
        first_seen_at timestamptz NOT NULL, removed_at timestamptz, sequence bigint NOT NULL);
    CREATE TABLE rebuild_link (
        device_id uuid PRIMARY KEY, tenant_id uuid NOT NULL, source text NOT NULL, device text NOT NULL,
        asset_id uuid NOT NULL, linked_at timestamptz NOT NULL);
"""
WORK_PATH: Final[LiteralString] = "SELECT set_config('search_path', $1, false)"


async def make(sessions: Sessions) -> None:
    """Make the shadow schema, empty, for the service's own writer alone.

    Raises:
        NeverWorks: the live schema is not at the newest file of this release.
    """
    shadow = shadow_of(sessions.service)
    folder = next(each.folder for each in SCHEMAS if each.name == sessions.service)
    await migrate(sessions.dsn, [Schema(shadow, folder)], say=_silent)
    async with sessions.owner() as owner:
        if not await owner.fetchval(await owner.fetchval(FILES, sessions.service, shadow)):
            raise NeverWorks(f"{sessions.service}: not migrated to this release; run: patchline migrate")
        await owner.execute(WORK_PATH, shadow)
        await owner.execute(WORKPLACE)
        await owner.execute(await owner.fetchval(ADOPT, shadow, sessions.service))


def _silent(_line: str) -> None:
    """Say nothing of the files: they are the shadow's."""


COPY: Final[LiteralString] = """
    SELECT coalesce(string_agg(format('DELETE FROM %1$I.%3$I; '
                                      'INSERT INTO %1$I.%3$I OVERRIDING SYSTEM VALUE SELECT * FROM %2$I.%3$I;',
                                      $2::text, $1::text, name), ' ' ORDER BY place), 'SELECT')
    FROM unnest($3::text[]) WITH ORDINALITY AS kept (name, place)
"""


async def copy(tx: Connection, service: str, tables: Sequence[str]) -> None:
    """Copy what is not derived, but looked at while deciding, in this order: from live into the shadow."""
    await tx.execute(await tx.fetchval(COPY, service, shadow_of(service), tables))


ANALYSE: Final[LiteralString] = """
    SELECT 'ANALYZE ' || string_agg(format('%I.%I', $1::text, name), ', ') FROM unnest($2::text[]) AS made (name)
"""


async def analyse(sessions: Sessions, tables: Sequence[str]) -> None:
    """Let PostgreSQL learn what the rebuilt tables hold before they are compared, long before it would by itself."""
    async with sessions.owner() as owner:
        await owner.execute(await owner.fetchval(ANALYSE, shadow_of(sessions.service), tables))


LOCK: Final[LiteralString] = """
    SELECT format('LOCK TABLE %s IN EXCLUSIVE MODE', string_agg(format('%I.%I', $1::text, name), ', ' ORDER BY place))
    FROM unnest($2::text[]) WITH ORDINALITY AS locked (name, place)
"""
PATIENCE: Final[LiteralString] = "SELECT set_config('lock_timeout', $1, true)"


async def lock_out(owner: Connection, service: str, tables: Sequence[str]) -> None:
    """Let nobody write these tables until the transaction ends; whoever only reads goes on.

    The first is the service's watermark: every batch of it begins there, so it waits before it has done anything.

    Raises:
        MayWorkLater: somebody holds one of them for long.
    """
    await owner.execute(PATIENCE, f"{LOCK_SECONDS}s")
    await _patiently(owner, await owner.fetchval(LOCK, service, tables))


async def _patiently(owner: Connection, statement: str) -> None:
    try:
        await owner.execute(statement)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise MayWorkLater(f"a table is held by somebody else for over {LOCK_SECONDS} s (pg_stat_activity)") from error


WALLS: Final[LiteralString] = """
    SELECT c.relname AS name, jsonb_build_object(
        'security', ARRAY[c.relrowsecurity, c.relforcerowsecurity], 'owner', c.relowner::regrole::text,
        'grants', (SELECT jsonb_agg(DISTINCT ARRAY[g.grantee::regrole::text, g.privilege_type, g.is_grantable::text])
                   FROM aclexplode(c.relacl) AS g),
        'columns', (SELECT jsonb_agg(DISTINCT ARRAY[a.attname, g.grantee::regrole::text, g.privilege_type])
                    FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS g WHERE a.attrelid = c.oid),
        'shape', (SELECT jsonb_agg(ARRAY[a.attname, a.atttypid::regtype::text, a.attnotnull::text] ORDER BY a.attnum)
                  FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        'indexes', (SELECT jsonb_agg(replace(pg_get_indexdef(i.indexrelid), $1::text || '.', '')
                                     ORDER BY i.indexrelid::regclass::text)
                    FROM pg_index AS i WHERE i.indrelid = c.oid),
        'policies', (SELECT jsonb_agg(jsonb_build_array(p.polname, p.polcmd, p.polpermissive,
                                ARRAY(SELECT r::regrole::text FROM unnest(p.polroles) AS r ORDER BY 1),
                                pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                            ORDER BY p.polname)
                     FROM pg_policy AS p WHERE p.polrelid = c.oid)) AS walls
    FROM pg_class AS c WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
"""
LOOKED_AT: Final[LiteralString] = """
    SELECT DISTINCT v.oid::regclass::text AS name
    FROM pg_depend AS d JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class AS v ON v.oid = r.ev_class
    WHERE d.refclassid = 'pg_class'::regclass AND v.oid <> d.refobjid
      AND d.refobjid IN (SELECT oid FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relname = ANY($2))
"""
MOVE: Final[LiteralString] = """
    SELECT string_agg(format('ALTER TABLE %1$I.%2$I SET SCHEMA %3$I; ALTER TABLE %4$I.%2$I SET SCHEMA %1$I;',
                             $1::text, name, $3::text, $2::text), ' ')
    FROM unnest($4::text[]) AS moved (name)
"""


async def swap(owner: Connection, sessions: Sessions, tables: Sequence[str]) -> None:
    """Put the rebuilt tables in the place of the live ones, in the caller's transaction, which holds their locks.

    Raises:
        NeverWorks: row-level security, a grant or a column would not be the same, or a view would look elsewhere.
        MayWorkLater: somebody reads one of them for long.
    """
    service = sessions.service
    shadow, replaced = shadow_of(service), replaced_of(service)
    live_walls = {row["name"]: row["walls"] for row in await owner.fetch(WALLS, service, tables)}
    new_walls = {row["name"]: row["walls"] for row in await owner.fetch(WALLS, shadow, tables)}
    if uneven := sorted(each for each in tables if live_walls.get(each) != new_walls.get(each)):
        raise NeverWorks(f"{service}: grants, policies or columns of {', '.join(uneven)} are not as rebuilt")
    if views := [row["name"] for row in await owner.fetch(LOOKED_AT, service, tables)]:
        raise NeverWorks(f"{service}: {', '.join(views)} would go on looking at the replaced tables")
    async with _admin(sessions) as admin:
        await admin.execute(await admin.fetchval(PLACE, replaced))
    await _patiently(owner, await owner.fetchval(MOVE, service, shadow, replaced, tables))

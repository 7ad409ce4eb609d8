"""One client never sees another: every table and view that a reader can open is opened as another client, and is empty.

Nothing here names a table: what is added tomorrow is opened too. Each table gets a row of two clients, whatever its
columns are; its checks and references are dropped for that in a database of this module's own.
"""

from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from patchline.schemas import SCHEMAS
from tests.builders import ACME, BIRCH
from tests.parts import Database

ROOMS = [schema.name for schema in SCHEMAS]
READERS = ("patchline_reader", "patchline_operator")

OPENABLE = """
    SELECT c.oid, c.oid::regclass::text AS name, c.relkind::text AS kind, coalesce(c.reloptions, '{}') AS options,
           EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND has_any_column_privilege($2, c.oid, 'SELECT')
    ORDER BY 2
"""
TENANT_TABLES = """
    SELECT c.oid, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY 2
"""
COLUMNS = """
    SELECT quote_ident(attname) AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
    WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
    ORDER BY attnum
"""
RULES = """
    SELECT conrelid::regclass::text AS name, quote_ident(conname) AS rule FROM pg_constraint
    WHERE connamespace = ANY($1::text[]::regnamespace[]) AND contype IN ('c', 'f') AND conrelid <> 0
"""
VALUE = {
    "boolean": "true",
    "timestamp with time zone": "now()",
    "date": "current_date",
    "interval": "interval '1 day'",
    "jsonb": "'{}'",
    "text[]": "'{}'",
    "uuid[]": "'{}'",
    "bytea": "'x'",
}
_numbers = count(1)


def value(column: str, type_: str, tenant: UUID) -> str:
    """Return an SQL value for a column of a row of `tenant`; where a number or a text is wanted, one of its own."""
    if column == "tenant_id":
        return f"'{tenant}'"
    match type_:
        case "uuid":
            return f"'{uuid4()}'"
        case "text" | "character varying":
            return f"'{next(_numbers)}-{tenant}'"
        case "smallint" | "integer" | "bigint" | "numeric" | "double precision":
            return str(next(_numbers))
        case _:
            return VALUE[type_]


async def fill(admin: Any) -> list[str]:
    """Give every table with a tenant one row of each of two clients, and return the tables' names."""
    for rule in await admin.fetch(RULES, ROOMS):
        await admin.execute(f"ALTER TABLE {rule['name']} DROP CONSTRAINT IF EXISTS {rule['rule']} CASCADE")
    tables = await admin.fetch(TENANT_TABLES, ROOMS)
    for table in tables:
        columns = await admin.fetch(COLUMNS, table["oid"])
        names = ", ".join(column["name"] for column in columns)
        for tenant in (ACME, BIRCH):
            values = ", ".join(value(column["name"], column["type"], tenant) for column in columns)
            await admin.execute(f"INSERT INTO {table['name']} ({names}) VALUES ({values})")
    return [table["name"] for table in tables]


@pytest.fixture(scope="module")
async def filled(database: Database) -> list[str]:
    admin = await asyncpg.connect(database.admin)
    try:
        return await fill(admin)
    finally:
        await admin.close()


@pytest.fixture
async def admin(database: Database) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.admin)
    yield connection
    await connection.close()


async def rows_of(reader: Any, relation: str, tenants: Sequence[UUID] | None, *, what: str) -> list[Any]:
    """Return what a reader sees in a transaction of its own with these tenants set; `None`: nothing is set."""
    async with reader.transaction():
        if tenants is not None:
            await reader.fetchval(
                "SELECT set_config('patchline.tenants', $1, true)", ",".join(str(each) for each in tenants)
            )
        rows: list[Any] = await reader.fetch(f"SELECT {what} FROM {relation}")
        return rows


@pytest.mark.parametrize("role", READERS)
async def test_every_table_is_empty_for_another_client_and_for_nobody(
    database: Database, admin: Any, filled: list[str], role: str
) -> None:
    openable = {row["name"] for row in await admin.fetch(OPENABLE, ROOMS, role) if row["has_tenant"]}
    reader = await asyncpg.connect(database.of(role))

    assert openable & set(filled), "a reader that can open nothing proves nothing"
    for name in sorted(openable):
        for tenant in (ACME, BIRCH):
            seen = {row["tenant_id"] for row in await rows_of(reader, name, [tenant], what="tenant_id")}
            assert seen == {tenant}, f"{name}: as one client"
        assert await rows_of(reader, name, None, what="tenant_id") == [], f"{name}: as nobody, on a used connection"
        assert await rows_of(reader, name, [], what="tenant_id") == [], f"{name}: as an empty set of clients"
        assert await rows_of(reader, name, [uuid4()], what="tenant_id") == [], f"{name}: as a client that is not there"
        both = {row["tenant_id"] for row in await rows_of(reader, name, [ACME, BIRCH], what="tenant_id")}
        assert both == {ACME, BIRCH}, f"{name}: as who serves both"
    await reader.close()


@pytest.mark.parametrize("role", READERS)
async def test_a_view_shows_no_more_than_its_tables_do(admin: Any, role: str) -> None:
    views = [row for row in await admin.fetch(OPENABLE, ROOMS, role) if row["kind"] in "vmf"]

    assert [row["name"] for row in views if row["kind"] != "v"] == [], "row-level security does not reach these"
    assert [row["name"] for row in views if "security_invoker=true" not in row["options"]] == []


async def test_a_plain_reader_opens_nothing_that_has_no_tenant(admin: Any) -> None:
    shared = [row["name"] for row in await admin.fetch(OPENABLE, ROOMS, "patchline_reader") if not row["has_tenant"]]

    assert shared == []


async def test_what_no_tenant_is_cannot_be_asked_for(database: Database, filled: list[str]) -> None:
    reader = await asyncpg.connect(database.reader)
    for wrong in ("*", f"{ACME},*", "') OR true --", "null"):
        await reader.execute("BEGIN")
        await reader.fetchval("SELECT set_config('patchline.tenants', $1, true)", wrong)
        with pytest.raises(asyncpg.DataError):
            await reader.fetch("SELECT tenant_id FROM inventory.asset")
        await reader.execute("ROLLBACK")
    await reader.close()
    assert "inventory.asset" in filled


async def test_no_role_of_the_product_owns_a_table_or_stands_above_the_walls(admin: Any) -> None:
    roles = await admin.fetch(
        """
        SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS is_mighty,
               rolcanlogin, pg_has_role(oid, 'patchline_owner', 'MEMBER') AND rolname <> 'patchline_owner' AS is_owner,
               EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm')) AS owns
        FROM pg_roles r WHERE rolname LIKE 'patchline\\_%' OR rolname = ANY($1::text[])
        """,
        [f"{room}_writer" for room in ROOMS],
    )
    by_name = {row["rolname"]: row for row in roles}

    assert by_name.keys() >= {*READERS, "patchline_owner", *(f"{room}_writer" for room in ROOMS)}
    assert [name for name, row in by_name.items() if row["is_mighty"] or row["is_owner"]] == []
    assert [name for name, row in by_name.items() if row["owns"]] == ["patchline_owner"]
    assert not by_name["patchline_owner"]["rolcanlogin"]


async def test_only_a_rooms_own_writer_crosses_tenants(admin: Any) -> None:
    policies = await admin.fetch(
        """
        SELECT schemaname, tablename, policyname, roles::text[] AS roles, cmd, qual FROM pg_policies
        WHERE schemaname = ANY($1::text[]) AND (qual = 'true' OR with_check = 'true')
        """,
        ROOMS,
    )
    too_wide = [
        (row["tablename"], row["policyname"], row["roles"])
        for row in policies
        if set(row["roles"])
        - {f"{row['schemaname']}_writer"}
        - ({"patchline_owner"} if row["cmd"] == "SELECT" else set())
    ]

    assert policies
    assert too_wide == []


async def test_a_writer_reaches_its_own_room_only(admin: Any) -> None:
    reached = await admin.fetch(
        """
        SELECT room || '_writer' AS role, c.oid::regclass::text AS name
        FROM unnest($1::text[]) AS room CROSS JOIN pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY($1::text[]) AND n.nspname <> room AND c.relkind IN ('r', 'p', 'v', 'm')
          AND (has_any_column_privilege(room || '_writer', c.oid, 'SELECT, INSERT, UPDATE')
               OR has_table_privilege(room || '_writer', c.oid, 'DELETE, TRUNCATE'))
        """,
        ROOMS,
    )

    assert [(row["role"], row["name"]) for row in reached] == []


async def test_functions_that_run_with_more_rights_than_their_caller_are_counted(admin: Any) -> None:
    mighty = await admin.fetch(
        """
        SELECT p.oid::regprocedure::text AS name,
               has_function_privilege('patchline_reader', p.oid, 'EXECUTE') AS for_readers
        FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = ANY($1::text[]::regnamespace[])
        """,
        [*ROOMS, "patchline"],
    )

    assert [row["name"] for row in mighty if row["for_readers"]] == []
    assert [row["name"] for row in mighty] == ["gateway.all_tenants()"], "each such function is a door in the wall"

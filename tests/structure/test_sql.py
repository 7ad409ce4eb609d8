"""Every SQL statement is prepared against the migrated schema, as the role that runs it; walls stand on every table."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from patchline.schemas import SCHEMAS
from tests.parts import Database

ROOT = Path(__file__).resolve().parents[2]
OPERATOR_MODULES = ("commands", "store_commands", "operator")
SKIPPED = {
    ("chassis.migrate", "ROLES"): "runs as administrator before any role exists; every migration test runs it",
    ("chassis.migrate", "ROOM"): "runs as administrator",
    ("chassis.migrate", "LEDGER"): "runs as owner",
    ("chassis.migrate", "NOTE"): "runs as owner",
    ("chassis.migrate", "APPLIED"): "runs as owner",
    ("chassis.migrate", "PASSWORD"): "runs as administrator",
}


def _statements() -> Iterator[tuple[str, str, str]]:
    """Yield (module, constant, schema) of every `Final[LiteralString]`; chassis statements in every schema."""
    for room in ("chassis", "services"):
        for file in sorted((ROOT / room).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for node in ast.parse(file.read_text()).body:
                if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
                    continue
                if ast.unparse(node.annotation) != "Final[LiteralString]" or (module, node.target.id) in SKIPPED:
                    continue
                schemas = [each.name for each in SCHEMAS] if room == "chassis" else [module.split(".")[1]]
                for schema in schemas:
                    yield module, node.target.id, schema


STATEMENTS = list(_statements())


@pytest.mark.parametrize(("module", "constant", "schema"), STATEMENTS, ids=lambda part: part)
async def test_a_statement_fits_the_schema(module: str, constant: str, schema: str, database: Database) -> None:
    sql = getattr(importlib.import_module(module), constant)
    is_operators = module.rpartition(".")[2].startswith(OPERATOR_MODULES)
    connection = await asyncpg.connect(database.operator if is_operators else database.writer(schema))

    try:
        await connection.prepare(sql)
    finally:
        await connection.close()


async def test_every_table_with_a_tenant_forces_row_level_security(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    open_tables = await connection.fetch(
        """
        SELECT c.oid::regclass::text AS name FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        """,
        [each.name for each in SCHEMAS],
    )
    await connection.close()

    assert [row["name"] for row in open_tables] == []


async def test_readers_may_read_only_tables_with_a_tenant_or_without_any_clients_facts(database: Database) -> None:
    shared = {"compliance.catalog", "compliance.product", "compliance.requirement", "compliance.release"}
    connection = await asyncpg.connect(database.admin)
    readable = await connection.fetch(
        """
        SELECT c.oid::regclass::text AS name FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm')
          AND has_table_privilege('patchline_reader', c.oid, 'SELECT')
          AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
        """,
        [each.name for each in SCHEMAS],
    )
    await connection.close()

    names = {row["name"] for row in readable}
    assert {name for name in names if not name.startswith(tuple(shared))} == set()


def test_no_migration_alters_the_type_of_a_row() -> None:
    altered = re.compile(r"ALTER\s+TYPE\s+\w+_row\b", re.IGNORECASE)
    files = sorted((ROOT / "services").glob("*/migrations/*.sql"))

    assert any("_row AS (" in file.read_text() for file in files)
    assert [str(file) for file in files if altered.search(file.read_text())] == []

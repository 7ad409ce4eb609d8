"""Migrations make the schemas, the roles and their walls; running them again changes nothing."""

import asyncpg
import pytest

from chassis.migrate import MigrationChanged, migrate
from patchline.schemas import SCHEMAS
from tests.parts import Database


async def test_running_them_again_changes_nothing(database: Database) -> None:
    assert await migrate(database.admin, SCHEMAS, say=lambda _line: None) == 0


async def test_a_missing_file_that_was_applied_is_refused(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("INSERT INTO inventory.migration (file) VALUES ('9999_gone.sql')")

    with pytest.raises(MigrationChanged, match=r"9999_gone\.sql"):
        await migrate(database.admin, [each for each in SCHEMAS if each.name == "inventory"], say=lambda _line: None)

    await connection.execute("DELETE FROM inventory.migration WHERE file = '9999_gone.sql'")
    await connection.close()


async def test_no_role_of_the_product_is_superuser_or_passes_row_level_security(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)

    rows = await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE (rolname LIKE '%\\_writer' OR rolname LIKE 'patchline%')"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"
    )

    await connection.close()
    assert rows == []


async def test_a_writer_sees_no_other_services_schema(database: Database) -> None:
    connection = await asyncpg.connect(database.writer("inventory"))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("SELECT 1 FROM ticketing.outbox")

    await connection.close()


async def test_no_login_role_owns_a_table(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)

    owners = await connection.fetch(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = ANY($1::text[])", [each.name for each in SCHEMAS]
    )

    await connection.close()
    assert [row["tableowner"] for row in owners] == ["patchline_owner"]


def test_a_schema_is_its_name_and_folder() -> None:
    assert {each.folder.name for each in SCHEMAS} == {"migrations"}

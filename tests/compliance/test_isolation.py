"""One client never sees another, in any table of compliance, through a reused connection either."""

import asyncpg
import pytest

from contracts.events import rmm
from tests.builders import ACME, BIRCH, of_device
from tests.compliance.house import House, asset_changed, client_in
from tests.compliance.said import reader_failed
from tests.compliance.stories import booted, failed, gone, listed, reported

TABLES = """
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE n.nspname = 'compliance' AND c.relkind = 'r'
"""


WALLS = """
    SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS walled,
           (SELECT array_agg(policyname::text ORDER BY policyname) FROM pg_policies
            WHERE schemaname = 'compliance' AND tablename = c.relname) AS policies
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE n.nspname = 'compliance' AND c.relkind = 'r'
"""
FILLED = frozenset(
    {"asset", "client", "device", "evidence", "figure", "obligation", "obligation_history", "patch_fact", "recheck"}
    | {"uncatalogued_failure", "witness"}
)
"""Those in which events alone make rows. What people decide is walled off in the same way, by the same function."""


async def _fill(house: House) -> None:
    """Let both clients have a row in every table."""
    for tenant, device in ((ACME, "dc01"), (BIRCH, "bx01")):
        moved = [
            of_device(each.data.model_copy(update={"device": device}), at=each.time, tenant=tenant)
            for each in (listed(0), reported(1), booted(2), gone(3), failed(-5), reader_failed(4))
            if isinstance(each.data, rmm.RmmEvent)
        ]
        await house.hear(asset_changed(device, tenant=tenant), *moved)
    await house.figures.publish()
    await house.hear(asset_changed("dc01", sequence=2, build="20348.3091"), asset_changed("dc03"))
    await house.hear(client_in("UTC"), client_in("UTC", tenant=BIRCH, name="Birch Law"))


@pytest.mark.parametrize("role", ["patchline_reader", "patchline_operator"])
async def test_a_reader_sees_its_own_rows_only_in_every_table(house: House, role: str) -> None:
    await _fill(house)
    reader = await asyncpg.connect(house.database.of(role))
    names = [row["name"] for row in await house.rows(TABLES)]

    filled = set()
    for name in names:
        assert await reader.fetch(f"SELECT * FROM compliance.{name}") == [], f"{name} is open without a tenant"
        async with reader.transaction():
            await reader.execute("SELECT set_config('patchline.tenants', $1, true)", str(BIRCH))
            rows = await reader.fetch(f"SELECT tenant_id FROM compliance.{name}")
        assert {row["tenant_id"] for row in rows} <= {BIRCH}, name
        filled |= {name} if rows else set()
        assert await reader.fetch(f"SELECT * FROM compliance.{name}") == [], f"{name} stays open after a transaction"
    await reader.close()

    assert filled >= FILLED


async def test_every_table_with_clients_rows_is_walled_off_by_the_same_rules(house: House) -> None:
    for row in await house.rows(WALLS):
        assert row["walled"], row["name"]
        assert {"all_tenants", "own_tenants"} <= {*row["policies"]}, row["name"]


NUMBERED = """
    SELECT c.relname || '.' || a.attname AS name, has_column_privilege('patchline_operator', c.oid, a.attnum, 'INSERT')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
    WHERE n.nspname = 'compliance'
"""


async def test_nobody_who_adds_a_row_chooses_its_number_and_so_hides_the_following(house: House) -> None:
    rows = [tuple(row.values()) for row in await house.rows(NUMBERED)]

    assert {name for name, _ in rows} >= {"attestation.number", "policy_version.number", "priority_override.number"}
    assert [name for name, may in rows if may] == []


async def test_a_reader_can_read_no_mailbox_and_write_nothing(house: House) -> None:
    reader = await asyncpg.connect(house.database.reader)
    for statement in (
        "SELECT * FROM compliance.outbox",
        "SELECT * FROM compliance.catalog_version",
        "DELETE FROM compliance.obligation",
        "UPDATE compliance.obligation SET state = 'VERIFIED'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute(statement)
    await reader.close()


async def test_the_operator_adds_catalogs_and_changes_nothing_else(house: House) -> None:
    operator = await asyncpg.connect(house.database.operator)
    for statement in (
        "UPDATE compliance.catalog_release SET released_at = now()",
        "DELETE FROM compliance.catalog_version",
        "UPDATE compliance.obligation SET state = 'VERIFIED'",
        "INSERT INTO compliance.witness SELECT * FROM compliance.witness",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await operator.execute(statement)
    await operator.close()

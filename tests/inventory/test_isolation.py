"""One client never sees another: held by the database, for every reader, also through a reused connection."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from chassis.postgres import Pool, open_pool, tenant_transaction
from contracts.events import rmm
from tests.builders import ACME, BIRCH, MINUTE, NOON, client_changed, of_device
from tests.inventory.conftest import Inventory
from tests.inventory.facts import seen
from tests.parts import Database

TABLES = ("asset", "device_fact", "client")


@pytest.fixture(params=["reader", "operator"])
async def readers(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    """A pool of one connection: whoever reads next gets the one that the last reader had."""
    pool = await open_pool(getattr(database, request.param), size=1, application="test")
    yield pool
    await pool.close()


async def of_both_clients(inventory: Inventory) -> None:
    theirs = of_device(rmm.DeviceSeen(device="d2", facts=rmm.DeviceFacts(hostname="birch-1")), tenant=BIRCH)
    await inventory.hears(seen(hostname="acme-1"), theirs)
    await inventory.hears_of_clients(
        client_changed("Acme", sequence=1), client_changed("Birch", sequence=1, tenant=BIRCH)
    )


@pytest.mark.parametrize("table", TABLES)
async def test_a_reader_sees_its_own_client_only_and_then_nothing(
    inventory: Inventory, readers: Pool, table: str
) -> None:
    await of_both_clients(inventory)
    everyones = f"SELECT tenant_id FROM inventory.{table}"

    async with tenant_transaction(readers, [ACME]) as tx:
        seen_by_acme = await tx.fetch(everyones)
    async with tenant_transaction(readers, [BIRCH]) as tx:
        seen_by_birch = await tx.fetch(everyones)
    seen_by_nobody = await readers.fetch(everyones)

    assert {row["tenant_id"] for row in seen_by_acme} == {ACME}
    assert {row["tenant_id"] for row in seen_by_birch} == {BIRCH}
    assert seen_by_nobody == []


async def test_a_device_that_moves_leaves_its_former_client_with_its_past_alone(
    inventory: Inventory, readers: Pool
) -> None:
    await inventory.hears(seen(hostname="pc-1"))

    await inventory.hears(of_device(rmm.DeviceOnline(device="d1"), at=NOON + MINUTE, tenant=BIRCH))

    async with tenant_transaction(readers, [ACME]) as tx:
        assert await tx.fetch("SELECT FROM inventory.asset") == []
        assert len(await tx.fetch("SELECT FROM inventory.device_fact")) == 1
    async with tenant_transaction(readers, [BIRCH]) as tx:
        assert len(await tx.fetch("SELECT FROM inventory.asset")) == 1
        assert len(await tx.fetch("SELECT FROM inventory.device_fact")) == 1


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["DELETE FROM inventory.{}", "UPDATE inventory.{} SET tenant_id = tenant_id"])
async def test_a_reader_writes_nothing(inventory: Inventory, readers: Pool, table: str, statement: str) -> None:
    await of_both_clients(inventory)

    async with tenant_transaction(readers, [ACME]) as tx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute(statement.format(table))

"""A bus on a database of its own, empty before each test."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from chassis.postgres import Connection, Pool, open_pool
from tests.audit.bus import SCHEMAS, Bus
from tests.builders import ACME
from tests.parts import Database

SOURCE = "rmm/patchline/scripts"


@pytest.fixture(scope="module")
async def pools(database: Database) -> AsyncIterator[dict[str, Pool]]:
    pools = {name: await open_pool(database.writer(name), size=2, application="test") for name in SCHEMAS}
    yield pools
    for pool in pools.values():
        await pool.close()


@pytest.fixture(scope="module")
async def auditor(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The standing auditor's own connection: what it may not read it cannot need."""
    connection = await asyncpg.connect(database.of("patchline_auditor"))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def admin(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.admin)
    yield connection
    await connection.close()


@pytest.fixture
async def bus(
    pools: dict[str, Pool],
    auditor: "asyncpg.Connection[asyncpg.Record]",
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> Bus:
    await empty(admin)
    return Bus(pools, auditor)


async def empty(admin: Connection) -> None:
    """Forget everything but who may deliver, and let one client of two be known."""
    rows = await admin.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname = ANY($1::text[]) "
        "AND tablename NOT IN ('migration', 'relay_shard', 'catalog_applied', 'feed_applied')",
        list(SCHEMAS),
    )
    await admin.execute(f"TRUNCATE {', '.join(row['name'] for row in rows)}")
    await admin.execute("INSERT INTO gateway.client VALUES ($1, 'Acme', 'UTC', NULL, NULL, now(), now())", ACME)
    await admin.execute(
        "INSERT INTO gateway.source (source_id, vendor, name, scheme, added_at) "
        "VALUES ($1, 'patchline', 'scripts', 'standard-webhooks', now())",
        SOURCE,
    )
    await own(admin, "Acme")


async def own(admin: Connection, organisation: str) -> None:
    """Map one organisation of the source to the client."""
    await admin.execute("INSERT INTO gateway.client_mapping VALUES ($1, $2, NULL, $3)", SOURCE, organisation, ACME)

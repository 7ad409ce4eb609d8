"""A compliance service on a database of its own."""

from collections.abc import AsyncIterator

import pytest

from chassis.postgres import open_pool
from services.compliance.zones import use_shipped_zones
from tests.compliance.house import House, bundled
from tests.parts import Database


@pytest.fixture(scope="module")
async def _house(database: Database) -> AsyncIterator[House]:
    use_shipped_zones()
    pool = await open_pool(database.writer("compliance"), size=4, application="test-compliance")
    yield House(database, pool)
    await pool.close()


@pytest.fixture
async def house(_house: House) -> House:
    """A service that knows nothing but the bundled catalog, ten hours after the January release was seen."""
    await _house.empty()
    fresh = House(_house.database, _house.pool)
    await fresh.load_catalog(bundled())
    return fresh

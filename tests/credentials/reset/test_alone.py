"""One account with power of a client at a time, over processes; whoever cannot let go in words ends its connection."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from chassis.postgres import Pool, open_pool
from services.credentials.reset import alone
from services.credentials.reset.records import NotYet
from tests.builders import ACME, BIRCH
from tests.parts import Database

TWO_PROCESSES = 2


@pytest.fixture
async def pools(database: Database) -> AsyncIterator[list[Pool]]:
    pools = [await open_pool(database.writer("credentials"), application="tests") for _ in range(TWO_PROCESSES)]
    yield pools
    for pool in pools:
        await pool.close()


async def acts(pool: Pool, tenant: UUID) -> bool:
    try:
        async with alone.alone(pool, tenant):
            return True
    except NotYet:
        return False


async def test_nobody_else_acts_for_this_client_until_it_is_over(pools: list[Pool]) -> None:
    mine, other = pools
    async with alone.alone(mine, ACME):
        meanwhile = await acts(other, ACME), await acts(other, BIRCH), await acts(mine, ACME)

    assert meanwhile == (False, True, False)
    assert await acts(other, ACME)


async def test_who_is_stopped_while_it_lets_go_has_let_go(pools: list[Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = pools
    monkeypatch.setattr(alone, "UNLOCK", "SELECT pg_sleep(1), $1::uuid")
    letting_go = asyncio.create_task(acts(mine, ACME))
    await asyncio.sleep(0.3)
    letting_go.cancel()
    await asyncio.wait([letting_go])
    monkeypatch.undo()

    async with asyncio.timeout(30):
        while not await acts(other, ACME):
            await asyncio.sleep(0.1)

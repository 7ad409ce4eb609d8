"""A breaker for all clients has a ticket like any other, although no client is called so."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.postgres import Pool, open_pool, transaction
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.credential import BreakerMoved, BreakerState
from services.ticketing import store_intents, store_save
from services.ticketing.handlers import TicketingHandler
from tests.builders import HOUR, NOON, batch_of, event
from tests.parts import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("ticketing"), application="test")
    yield pool
    pool.terminate()


def tripped() -> Envelope:
    moved = BreakerMoved(scope="global", state=BreakerState.TRIPPED, why="three clients' breakers tripped")
    return event(moved, subject="breaker/global", tenant=ids.EVERYONE, sequence=1, source="patchline/credentials")


async def due(pool: Pool) -> list[object]:
    return list(await store_intents.load_due(pool, NOON + HOUR, per_tenant=4))


async def test_it_waits_until_ticketing_knows_all_clients_and_then_is_due(pool: Pool) -> None:
    async with transaction(pool) as tx:
        await TicketingHandler(look_every=timedelta(hours=1)).on_batch(tx, batch_of([tripped()], recorded_at=NOON))
    assert await due(pool) == []

    for _ in range(2):
        await store_save.know_everyone(pool)

    assert len(await due(pool)) == 1

"""Inventory's own tables, empty for each test, and a way to hand it a batch as its consumer does."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from chassis.batch import Batch, Handler
from chassis.postgres import Pool, open_pool, transaction
from contracts.envelope import Envelope
from services.inventory.handlers import Clients, DeviceEvents
from tests.builders import batch_of
from tests.inventory.facts import QUIET
from tests.parts import Database
from tests.waiting import waiting_in

EMPTY = """
    DELETE FROM application; DELETE FROM application_listing;
    DELETE FROM asset_merge; DELETE FROM asset_merge_history; DELETE FROM asset_apart; DELETE FROM asset_retirement;
    DELETE FROM asset; DELETE FROM device_fact; DELETE FROM client; DELETE FROM outbox;
    DELETE FROM outbox_pack; DELETE FROM aggregate_sequence
"""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Inventory's handlers on a real database."""

    pool: Pool

    async def hears(self, *events: Envelope) -> Batch[Envelope]:
        """Return the batch of `events` after the devices' handler had it."""
        return await self._handled(DeviceEvents(quiet=QUIET), events)

    async def hears_of_clients(self, *events: Envelope) -> Batch[Envelope]:
        """Return the batch of `events` after the clients' handler had it."""
        return await self._handled(Clients(), events)

    async def _handled(self, handler: Handler[Envelope], events: Sequence[Envelope]) -> Batch[Envelope]:
        batch = batch_of(events)
        async with transaction(self.pool) as tx:
            await handler.on_batch(tx, batch)
        return batch

    async def published(self) -> list[Envelope]:
        """Return what waits in the outbox, in order."""
        return await waiting_in(self.pool, "inventory.assets")

    async def table(self, name: str) -> list[dict[str, object]]:
        """Return all rows of a table, in the order of its key."""
        return [dict(row) for row in await self.pool.fetch(f"SELECT * FROM {name} ORDER BY 1")]


@pytest.fixture
async def inventory(database: Database) -> AsyncIterator[Inventory]:
    pool = await open_pool(database.writer("inventory"), application="test")
    try:
        await pool.execute(EMPTY)
        yield Inventory(pool)
    finally:
        await pool.close()

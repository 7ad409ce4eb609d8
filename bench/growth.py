"""Growth: inventory's rate with many assets in its tables, beside the same process and load where there are few.

Each has a database of its own in the same PostgreSQL, and they take turns. Every event is a check-in that changes one
of all the assets there, so the rows that a batch needs lie as far apart as they do on such a day.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, LiteralString
from urllib.parse import urlsplit, urlunsplit

from bench import state_load
from bench.measured import Place, connected, start_at_the_end
from bench.report import Figure, at_least, summary
from bench.state import WORKER, message
from bench.state_load import DEVICES, START
from chassis.migrate import migrate
from chassis.postgres import Connection
from contracts import topics
from patchline.schemas import SCHEMAS
from services.inventory import store
from services.inventory.app import GROUP

REACH: Final = 0.8
BATCH: Final = 1000
DATABASE: Final = "bench_many_assets"
HISTORY: Final[LiteralString] = """
    INSERT INTO inventory.device_fact (
        event_id, source, device, tenant_id, type, occurred_at, received_at, effective_at, recorded_at, facts
    )
    SELECT md5(asset_id::text)::uuid, source, device, tenant_id, 'device.updated.v1', first_seen_at, first_seen_at,
           first_seen_at, first_seen_at, jsonb_build_object('hostname', hostname, 'os_build', os_build, 'tags', tags)
    FROM inventory.asset
    ON CONFLICT (event_id) DO NOTHING
"""
SEQUENCES: Final[LiteralString] = """
    INSERT INTO inventory.aggregate_sequence (aggregate, sequence)
    SELECT $1 || '/' || asset_id, 1 FROM inventory.asset
    ON CONFLICT (aggregate) DO NOTHING
"""
SETTLED: Final = ("VACUUM ANALYZE inventory.asset", "VACUUM ANALYZE inventory.device_fact", "CHECKPOINT")


async def growth_stage(place: Place, *, assets: int, rounds: int, events: int) -> list[Figure]:
    """Return the rate with so many assets, beside that with `DEVICES` of them."""
    async with (
        _another_database(place) as large,
        connected(place.writer_dsn) as few,
        connected(large.writer_dsn) as many,
    ):
        small, big = _Room(place, few, DEVICES), _Room(large, many, assets)
        await big.fill()
        for room in (big, small):
            await room.rate(DEVICES)
        pairs = [(await big.rate(events), await small.rate(events)) for _ in range(rounds)]
    measured = {"unit": "events/s", **summary(pairs)}
    return [at_least(f"growth: {assets:,} assets beside {DEVICES:,}", measured, REACH)]


@asynccontextmanager
async def _another_database(place: Place) -> AsyncIterator[Place]:
    """Yield a place on the same broker and PostgreSQL with a migrated database of its own, which goes away again."""
    async with connected(place.admin_dsn) as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        await admin.execute(f"CREATE DATABASE {DATABASE}")
        try:
            there = replace(place, admin_dsn=_in_it(place.admin_dsn), writer_dsn=_in_it(place.writer_dsn))
            await migrate(there.admin_dsn, SCHEMAS, say=lambda _line: None)
            yield there
        finally:
            await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def _in_it(dsn: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{DATABASE}"))


@dataclass(slots=True)
class _Room:
    """One database with its assets; each round is later than all before it, and begins at another asset."""

    place: Place
    writer: Connection
    assets: int
    next_at: datetime = START
    rounds: int = 0

    async def fill(self) -> None:
        """Let every asset have been seen once, with its history and its number; its row is as the service makes it."""
        seen = state_load.events(state_load.changing, self.assets, first_at=START, seed=0, devices=self.assets)
        while batch := list(islice(seen, BATCH)):
            rows = [store.row(step) for step in state_load.steps(batch, {})]
            await self.writer.execute(store.SAVE, rows)
        async with connected(self.place.admin_dsn) as admin:
            await admin.execute(HISTORY)
            await admin.execute(SEQUENCES, topics.ASSETS.name)
            for statement in SETTLED:
                await admin.execute(statement)

    async def rate(self, events: int) -> float:
        """Return events per second of the real process on a backlog of check-ins, each of another asset."""
        self.rounds += 1
        self.next_at += timedelta(days=1)
        await start_at_the_end(self.place.kafka, self.writer, GROUP, [topics.RMM_EVENTS])
        told = state_load.events(
            state_load.changing, events, first_at=self.next_at, seed=self.rounds, devices=self.assets
        )
        run = await WORKER.run(self.place, self.writer, topics.RMM_EVENTS, map(message, told))
        return run.events_per_second

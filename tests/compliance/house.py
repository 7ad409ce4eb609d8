"""Compliance at work on a real database: batches in, rows and published events out."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg

from chassis.batch import Batch
from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Pool, prepare_connection, transaction
from chassis.relay import Relay
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged, AssetMember, AssetRemoved
from contracts.events.client import ClientChanged
from contracts.events.event import Event, OsFamily, Tier
from services.compliance import store_commands_catalog
from services.compliance.catalog.bundled import BUNDLED
from services.compliance.catalog.document import document
from services.compliance.catalog.entries import CatalogDocument
from services.compliance.figures import Figures
from services.compliance.handlers import ComplianceEvents
from services.compliance.policy import DEFAULT_1
from services.compliance.rechecks import Rechecks
from services.compliance.store_catalog import CatalogShelf
from services.compliance.timers import Timers
from tests.builders import ACME, batch_of, event
from tests.compliance.stories import ENROLLED, SERVER_2022, A, hour
from tests.parts import Database
from tests.waiting import waiting_in

E = TypeVar("E", bound=Event)

TABLES = ("obligation", "device", "evidence", "asset", "patch_fact", "uncatalogued_failure")


def asset_changed(
    device: str = "dc01",
    *,
    sequence: int = 1,
    source: str = A,
    asset: str | None = None,
    at: datetime = ENROLLED,
    tenant: Any = ACME,
    tier: Tier = Tier.SERVER,
    build: str | None = "20348.2849",
    os_name: str | None = "Windows Server 2022 Standard",
    os_family: OsFamily = OsFamily.WINDOWS,
    os_version: str | None = None,
    members: tuple[AssetMember, ...] | None = None,
) -> Envelope:
    """Return inventory's record of a device; ordinarily a server that the catalog knows."""
    asset = asset or str(ids.asset_id(source, device))
    record = AssetChanged(
        asset=asset,
        source=source,
        device=device,
        hostname=device.upper(),
        os_family=os_family,
        os_name=os_name,
        os_version=os_version,
        os_build=build,
        tier=tier,
        first_seen_at=ENROLLED,
        last_seen_at=at,
        members=members,
    )
    return event(record, subject=asset, at=at, source="patchline/inventory", tenant=tenant, sequence=sequence)


def asset_removed(
    device: str = "dc01", *, sequence: int, at: datetime, source: str = A, merged_into: str | None = None
) -> Envelope:
    asset = str(ids.asset_id(source, device))
    return event(
        AssetRemoved(merged_into=merged_into),
        subject=asset,
        at=at,
        source="patchline/inventory",
        tenant=ACME,
        sequence=sequence,
    )


def client_in(zone: str, *, sequence: int = 1, tenant: Any = ACME, name: str = "Acme Dental") -> Envelope:
    record = ClientChanged(name=name, zone=zone)
    return event(record, subject=str(tenant), at=ENROLLED, source="patchline/gateway", tenant=tenant, sequence=sequence)


def bundled(*, without: Sequence[str] = ()) -> CatalogDocument:
    """Return the catalog that comes along, without some of its products."""
    content = json.loads(BUNDLED.read_text())
    content["products"] = [each for each in content["products"] if each["product"] not in without]
    return document(json.dumps(content))


def with_release(product: str, *, kb: str, released_at: str, alone: bool = False) -> CatalogDocument:
    """Return the catalog that comes along with one more release of a product's first train, or with that one alone."""
    content = json.loads(BUNDLED.read_text())
    [train, *_] = next(each for each in content["products"] if each["product"] == product)["trains"]
    older = train["releases"][-1]
    newer = {"release": f"KB{kb}", "kb": kb, "released_at": released_at, "supersedes": [older["release"]]}
    train["releases"] = [*([] if alone else train["releases"]), older | newer | {"fixed_build": None}]
    return document(json.dumps(content))


@dataclass
class House:
    """One compliance service without Kafka: what the consumer and the loops would call is called by the test."""

    database: Database
    pool: Pool
    now: datetime = field(default_factory=lambda: hour(10))
    shelf: CatalogShelf = field(default_factory=CatalogShelf)

    def __post_init__(self) -> None:
        progress = Progress()
        self.on = on = Platform(
            pool=self.pool,
            kafka="127.0.0.1:1",
            clock=lambda: self.now,
            progress=progress,
            relay=Relay(dsn="", kafka="", progress=progress),
            health=HealthServer(progress, "127.0.0.1", 0),
        )
        self.handler = ComplianceEvents(self.shelf, DEFAULT_1)
        self.timers = Timers(on, self.shelf, DEFAULT_1)
        self.rechecks = Rechecks(on, self.shelf, DEFAULT_1, most=2)
        self.figures = Figures(on, self.shelf, DEFAULT_1)

    async def hear(self, *events: Envelope) -> Batch[Envelope]:
        """Handle one batch in its transaction, as the consumer does."""
        batch = batch_of(events, recorded_at=self.now)
        async with transaction(self.pool) as tx:
            await self.handler.on_batch(tx, batch)
        return batch

    async def load_catalog(self, catalog: CatalogDocument) -> None:
        """Load a catalog as the operator does, and let everything be decided by it."""
        await self.add_catalog(catalog)
        await self.settle()

    async def add_catalog(self, catalog: CatalogDocument) -> None:
        """Load a catalog as the operator does; nobody looked at it yet."""
        connection = await asyncpg.connect(self.database.operator)
        await prepare_connection(connection)
        async with connection.transaction():
            await store_commands_catalog.add(connection, catalog, self.now)
        await connection.close()

    async def settle(self) -> None:
        """Let everything that is waiting be decided, and every moment that came ring."""
        while await self.rechecks.recheck():
            await asyncio.sleep(0)
        while await self.timers.ring():
            await asyncio.sleep(0)

    async def pass_time(self, hours: float) -> None:
        """Let time pass, and what becomes true by it."""
        self.now += timedelta(hours=hours)
        await self.settle()

    async def rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        """Return rows as the service itself sees them."""
        async with self.pool.acquire() as connection:
            return [dict(row) for row in await connection.fetch(sql, *arguments)]

    async def states(self, device: str = "dc01", source: str = A) -> dict[str, str]:
        """Return the state of each product that a device owes."""
        asset_id = ids.asset_id(source, device)
        rows = await self.rows("SELECT product, state FROM obligation WHERE asset_id = $1", asset_id)
        return {row["product"]: row["state"] for row in rows}

    async def state(self, device: str = "dc01") -> str | None:
        """Return the state of the server's cumulative update."""
        return (await self.states(device)).get(SERVER_2022.name)

    async def told(self, kind: type[E]) -> list[E]:
        """Return what was published of one kind, in order."""
        return [each.data for each in await self.published() if isinstance(each.data, kind)]

    async def published(self) -> list[Envelope]:
        """Return everything that was published, in order."""
        return await waiting_in(self.pool)

    async def everything(self) -> dict[str, list[str]]:
        """Return all state, without when it was recorded and when it is looked at next: equal states are equal."""
        found = {}
        for table in TABLES:
            only = "WHERE failing" if table == "uncatalogued_failure" else ""  # what was told of the rest is history
            rows = await self.rows(
                f"SELECT to_jsonb(t) - 'recorded_at' - 'next_change_at' AS row FROM {table} t {only}"
            )
            found[table] = sorted(json.dumps(row["row"], sort_keys=True) for row in rows)
        return found

    async def empty(self) -> None:
        """Forget everything but the catalog."""
        derived = ("obligation_history", "witness", "figure", "figure_touched", "recheck")
        tables = (*TABLES, *derived, "client", "outbox", "outbox_pack")
        async with self.pool.acquire() as connection:
            for table in tables:
                await connection.execute(f"DELETE FROM {table}")

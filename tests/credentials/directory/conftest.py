"""The rooms of directories on a real database, with a clock that tests move."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Pool, open_pool, transaction
from chassis.relay import Relay
from contracts.envelope import Envelope
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Link
from services.credentials.directory import store_identity
from services.credentials.directory.hygiene import HygieneRounds
from services.credentials.directory.sync import Sync
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Identity
from tests.builders import ACME, NOON
from tests.parts import Database
from tests.waiting import waiting_in

EMPTY = """
    TRUNCATE directory, identity, login, hygiene_finding, hygiene_round, offboarding, offboarding_item, outbox,
             outbox_pack, aggregate_sequence, guard_document, client CASCADE
"""


@dataclass
class Room:
    """Directories in memory behind a real database. `there` is what answers by name."""

    pool: Pool
    dsn: str
    now: datetime = NOON
    there: dict[str, Directory] = field(default_factory=dict)

    @property
    def on(self) -> Platform:
        progress = Progress()
        return Platform(
            pool=self.pool,
            kafka="",
            clock=lambda: self.now,
            progress=progress,
            relay=Relay(dsn=self.dsn, kafka="", progress=progress),
            health=HealthServer(progress, "127.0.0.1", 0),
        )

    @property
    def sync(self) -> Sync:
        return Sync(self.on, self.connected)

    def connected(self, link: Link) -> Directory:
        return self.there[link.directory]

    async def add(self, name: str, directory: Directory, *, tenant: UUID = ACME, every_seconds: int = 900) -> None:
        self.there[name] = directory
        await self.pool.execute(
            "INSERT INTO directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at) "
            "VALUES ($1, $2, 'openldap', '{}', 'none', $3, $4, $4)",
            name,
            tenant,
            every_seconds,
            self.now,
        )

    async def read_due(self) -> int:
        """Read every directory that is due, and return how many there were."""
        sync = self.sync
        due = await sync.claimed(100)
        for each in due:
            await sync.read(each)
        return len(due)

    async def read_after(self, **by: float) -> int:
        self.now += timedelta(**by)
        return await self.read_due()

    async def found(self, login: str, tenant: UUID = ACME) -> list[Identity]:
        async with transaction(self.pool) as tx:
            return (await store_identity.find(tx, [(tenant, login)])).get((tenant, login), [])

    async def is_fresh(self, *, minutes: float = 60, tenant: UUID = ACME) -> bool:
        async with transaction(self.pool) as tx:
            return await store_identity.fresh(tx, tenant, self.now, within=timedelta(minutes=minutes))

    async def state(self, name: str) -> asyncpg.Record:
        [row] = await self.pool.fetch("SELECT * FROM directory WHERE name = $1", name)
        return row

    async def allow(self, policy: GuardPolicy, tenant: UUID = ACME) -> None:
        """Let a policy hold from now on."""
        await self.pool.execute(
            "INSERT INTO guard_document (tenant_id, version, document, reason, set_by, set_at) "
            "SELECT $1, count(*) + 1, $2, 'a test', 'a test', $3 FROM guard_document WHERE tenant_id = $1",
            tenant,
            policy.model_dump(mode="json"),
            self.now,
        )

    async def look(self) -> None:
        """Look at the hygiene of every client whose turn it is."""
        rounds = HygieneRounds(self.on)
        while await rounds.look_at_next():
            pass

    async def told(self) -> list[Envelope]:
        """Return what is told on `credentials.events`, in order, and forget it."""
        async with transaction(self.pool) as tx:
            told = await waiting_in(tx, "credentials.events")
            await tx.execute("DELETE FROM outbox WHERE topic = 'credentials.events'")
            await tx.execute("DELETE FROM outbox_pack WHERE topic = 'credentials.events'")
        return told


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Room]:
    """Yield the rooms on a database as it is."""
    pool = await open_pool(dsn, application="test")
    try:
        yield Room(pool, dsn)
    finally:
        pool.terminate()


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    dsn = database.writer("credentials")
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = credentials")
    await admin.execute(EMPTY)
    await admin.close()
    async with opened(dsn) as made:
        yield made

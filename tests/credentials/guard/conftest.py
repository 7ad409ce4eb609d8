"""The guard on a real database, with a clock that a test moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Pool, open_pool, transaction
from chassis.relay import Relay
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.credential import AccountKind, BreakerMoved, CaseOpened, CaseStep, Decision
from services.credentials import telling
from services.credentials.guard import breaker, store_guard
from services.credentials.guard.policy import GuardPolicy
from services.credentials.guard.records import Act, Arrival, Guarding, Held, Permit
from services.credentials.guard.watch import Watch
from services.credentials.records import Cause, Fact
from tests.builders import ACME, BIRCH, MINUTE, NOON
from tests.credentials.guard.typed import APP, Typed
from tests.parts import Database
from tests.waiting import waiting_in

CAUSE = Cause(id=ids.event_id_of_vendor("exposure/spycloud/main", "1"), received_at=NOON)
SPYCLOUD = "exposure/spycloud/main"
HIBP = "exposure/hibp/main"

TABLES = """
    SELECT string_agg(format('DELETE FROM credentials.%I', relname), '; ' ORDER BY relname) FROM pg_class
    WHERE relnamespace = 'credentials'::regnamespace AND relkind = 'r'
      AND relname NOT IN ('audit_entry', 'audit_head', 'migration', 'relay_shard')
"""
"""How everything is forgotten that a test may leave behind, but for the audit: nobody may empty it."""


def case(name: str) -> UUID:
    """Return the id of a case that a test calls `name`."""
    return uuid5(ids.NAMESPACE, name)


@dataclass
class Room:
    """The guard of one service, and what it told."""

    pool: Pool
    dsn: str
    now: datetime = field(default=NOON)

    async def set_policy(self, tenant: UUID = ACME, **said: Any) -> None:
        """Make what differs from the strictest policy a client's newest."""
        policy = GuardPolicy.model_validate(said).model_dump(mode="json")
        await self.pool.execute(
            "INSERT INTO guard_document (tenant_id, version, document, reason, set_by, set_at) "
            "SELECT $1, coalesce(max(version), 0) + 1, $2, '', 'a test', $3 FROM guard_document WHERE tenant_id = $1",
            tenant,
            policy,
            self.now,
        )

    async def ask(
        self, name: str, *, tenant: UUID = ACME, step: CaseStep = CaseStep.INVALIDATED, privileged: bool = False
    ) -> Permit | Held:
        """Ask whether a step may begin."""
        act = Act(tenant=tenant, case=case(name), step=step, privileged=privileged, cause=CAUSE)
        async with transaction(self.pool) as tx:
            return await breaker.may_act(tx, act, self.now)

    async def allowed(self, *names: str, **about: Any) -> list[str]:
        """Ask for one case after the other and return those that may begin."""
        return [name for name in names if isinstance(await self.ask(name, **about), Permit)]

    async def ended(self, name: str, *, succeeded: bool, tenant: UUID = ACME) -> None:
        """Say how a reset ended."""
        act = Act(tenant=tenant, case=case(name), step=CaseStep.INVALIDATED, privileged=False, cause=CAUSE)
        async with transaction(self.pool) as tx:
            await breaker.ended(tx, act, self.now, succeeded=succeeded)

    async def arrive(
        self,
        *accounts: str,
        tenant: UUID = ACME,
        source: str = SPYCLOUD,
        privileged: bool = False,
        named: int = 1,
        received_at: datetime | None = None,
    ) -> None:
        """Have a feed name accounts, in one batch."""
        arrivals = [
            Arrival(
                tenant=tenant,
                source=source,
                account=account,
                privileged=privileged,
                named=named,
                received_at=received_at or self.now,
                cause=CAUSE,
            )
            for account in accounts
        ]
        async with transaction(self.pool) as tx:
            await telling.tell(tx, await breaker.arrived(tx, arrivals, now=self.now))

    async def guarding(self, tenant: UUID = ACME) -> Guarding:
        """Return what holds for a client."""
        async with transaction(self.pool) as tx:
            return (await store_guard.load(tx, [tenant], now=self.now))[tenant]

    async def state(self, tenant: UUID = ACME) -> str:
        """Return how a breaker stands."""
        return await self.pool.fetchval("SELECT state FROM breaker WHERE tenant_id = $1", tenant) or "armed"

    async def tell(self, *facts: Fact) -> None:
        """Tell facts as the rest of the service does."""
        async with transaction(self.pool) as tx:
            await telling.tell(tx, facts)

    async def look(self) -> bool:
        """Have the watching part look once."""
        return await self.watch().look()

    def watch(self) -> Watch:
        progress = Progress()
        on = Platform(
            pool=self.pool,
            kafka="127.0.0.1:9",
            clock=lambda: self.now,
            progress=progress,
            relay=Relay(dsn=self.dsn, kafka="127.0.0.1:9", progress=progress),
            health=HealthServer(progress, "127.0.0.1", 0),
        )
        return Watch(on)

    async def told(self, kind: type = object) -> list[Envelope]:
        """Return what was told of a kind, in order."""
        return [each for each in await waiting_in(self.pool) if isinstance(each.data, kind)]

    async def moves(self) -> list[tuple[str, str, str]]:
        """Return the moves of breakers that were told: scope, state and why."""
        return [
            (each.data.scope, each.data.state.value, each.data.why)
            for each in await self.told(BreakerMoved)
            if isinstance(each.data, BreakerMoved)
        ]

    def later(self, minutes: float) -> None:
        """Let time pass."""
        self.now += minutes * MINUTE


def opened(
    name: str,
    *,
    decision: Decision = Decision.RESET,
    tenant: UUID = ACME,
    at: datetime = NOON,
    dry_run: bool = False,
    foreign: bool = False,
) -> Fact:
    """Return the fact that an exposure, which arrived at `at`, began a case."""
    event = CaseOpened(
        case=str(case(name)),
        login=f"{name}@acme.example",
        feed="spycloud",
        kind=AccountKind.PERSON,
        decision=decision,
        why="it is strong evidence",
        dry_run=dry_run,
        foreign=foreign,
        summary="A password was found.",
        arrived_at=at,
    )
    return Fact(tenant=tenant, key=event.case, event=event, at=at + timedelta(seconds=2), cause=CAUSE)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("credentials"), application="test")
    yield pool
    pool.terminate()


@pytest.fixture
async def room(database: Database, pool: Pool) -> Room:
    """An empty guard, at noon."""
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET session_replication_role = replica")  # in any order
    await admin.execute(await admin.fetchval(TABLES))
    await admin.executemany(
        "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) "
        "VALUES ($1, $2, 'UTC', now(), now()) ON CONFLICT DO NOTHING",
        [(ACME, "Acme Dental"), (BIRCH, "Birch Law")],
    )
    await admin.close()
    return Room(pool=pool, dsn=database.writer("credentials"))


@pytest.fixture
def typed(database: Database, room: Room) -> Typed:
    """Run a command at the moment of the room."""

    def run(*arguments: str) -> Result:
        offset = (room.now - datetime.now(UTC)).total_seconds()
        environment = {"PATCHLINE_OPERATOR_URL": database.operator, "PATCHLINE_CLOCK_OFFSET_SECONDS": str(offset)}
        return CliRunner(env=environment).invoke(APP, list(arguments))

    return run

"""Cases from exposure to end on a real database: directories and mail in memory, a clock that tests move."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import Connection, Pool, open_pool, transaction
from chassis.relay import Relay
from chassis.turns import uptime
from contracts.envelope import Envelope
from contracts.events.credential import CaseEvent
from contracts.events.event import Event, Method
from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from contracts.events.ticket import TicketOpened, TicketResolved
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Link
from services.credentials.cases import answers
from services.credentials.cases.handlers import CredentialsHandler
from services.credentials.directory.sync import Sync
from services.credentials.guard.policy import GuardPolicy
from services.credentials.people.deciding import Deciding
from services.credentials.people.records import Verdict
from services.credentials.records import Fact
from services.credentials.reset.at_directory import AtDirectory
from services.credentials.reset.directories import Directories
from services.credentials.reset.ending import Endings
from services.credentials.reset.leave import Leave
from services.credentials.reset.records import Patience
from services.credentials.reset.steps import Steps
from services.credentials.reset.worker import Limits, Worker
from tests.builders import ACME, MINUTE, NOON, batch_of, event
from tests.credentials.directories import KeptDirectory, account
from tests.credentials.people.conftest import KeptMail
from tests.parts import Database
from tests.waiting import waiting_in

SPYCLOUD = "exposure/spycloud/main"
HIBP = "exposure/hibp/main"
DIRECTORY = "acme-ad"
LIVE: dict[str, Any] = {
    "mode": "live",
    "reset_persons": True,
    "live_feeds": [SPYCLOUD, HIBP],
    "owner": {"name": "Olive Owner", "mail": "olive@acme.example"},
    "caps": {"per_hour": 1000, "share": 1.0, "batches": [1000, 1000]},
}
"""A client that is past its dry run and lets a machine reset persons, with caps that no test meets by accident."""

LIMITS = Limits(slots=4, most_per_tenant=4, deadline_seconds=20, lease_seconds=30)
PATIENCE = Patience(settle=timedelta(seconds=10), verify=timedelta(seconds=30))
EMPTY = """
    TRUNCATE client, exposure_case, case_step, exposure, history, directory, identity, guard_document, breaker,
             breaker_move, guard_act, guard_arrival, promise, approver, request, approval, link, statement, notice,
             outbox, outbox_pack, aggregate_sequence CASCADE
"""
"""The audit stays: nobody may empty it."""

E = TypeVar("E", bound=Event)


def exposed(
    login: str = "ann@acme.example",
    *,
    at: datetime = NOON,
    source: str = SPYCLOUD,
    tenant: UUID | None = ACME,
    document: str | None = None,
    **changes: object,
) -> Envelope:
    """Return what a feed says of a readable password that malware took; `changes` are fields of the event."""
    fields: dict[str, object] = {
        "feed": source.split("/")[1],
        "method": Method.WEBHOOK,
        "login": login,
        "domain": login.rpartition("@")[2] or None,
        "document": document or f"{login}/{at:%H:%M:%S}",
        "origin": ExposureOrigin.STEALER_LOG,
        "form": SecretForm.PLAINTEXT,
        "exposed_at": at - timedelta(days=1),
    }
    found = ExposureFound.model_validate(fields | changes)
    return event(found, subject=f"{tenant}/{login}", at=at, source=source, tenant=tenant)


@dataclass
class Room:
    """The service without Kafka: its handler, its worker and its tables. `there` is what answers by name."""

    pool: Pool
    database: Database
    now: datetime = NOON + MINUTE
    there: dict[str, KeptDirectory] = field(default_factory=dict)
    mail: KeptMail = field(default_factory=KeptMail)

    @property
    def directory(self) -> KeptDirectory:
        return self.there[DIRECTORY]

    @property
    def on(self) -> Platform:
        progress = Progress()
        return Platform(
            pool=self.pool,
            kafka="",
            clock=lambda: self.now,
            progress=progress,
            relay=Relay(dsn=self.database.writer("credentials"), kafka="", progress=progress),
            health=HealthServer(progress, "127.0.0.1", 0),
        )

    def connected(self, link: Link) -> Directory:
        return self.there[link.directory]

    def worker(self, limits: Limits = LIMITS) -> Worker:
        """Return a new worker: as after a restart, it remembers nothing."""
        on = self.on
        endings = Endings(pool=self.pool, clock=on.clock, relay=on.relay)
        at_directory = AtDirectory(
            pool=self.pool,
            directories=Directories(self.pool, self.connected),
            endings=endings,
            leave=Leave(pool=self.pool, clock=on.clock, relay=on.relay),
            clock=on.clock,
            patience=PATIENCE,
        )
        steps = Steps(
            pool=self.pool,
            at_directory=at_directory,
            endings=endings,
            mail=self.mail,
            clock=on.clock,
            patience=PATIENCE,
        )
        return Worker(pool=self.pool, steps=steps, endings=endings, clock=on.clock, progress=on.progress, limits=limits)

    async def add(self, directory: KeptDirectory, name: str = DIRECTORY, tenant: UUID = ACME) -> None:
        """Connect a directory and read it whole."""
        directory.clock = lambda: self.now
        self.there[name] = directory
        await self.pool.execute(
            "INSERT INTO directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at) "
            "VALUES ($1, $2, 'openldap', '{}', 'none', 900, $3, $3)",
            name,
            tenant,
            self.now,
        )
        await self.sync()

    async def sync(self) -> None:
        """Read every directory now."""
        await self.pool.execute("UPDATE directory SET next_at = $1", self.now)
        part = Sync(self.on, self.connected)
        for due in await part.claimed(100):
            await part.read(due)

    async def allow(self, *, tenant: UUID = ACME, **changes: Any) -> None:
        """Let a policy hold from now on: `LIVE` with `changes`."""
        policy = GuardPolicy.model_validate(LIVE | changes).model_dump(mode="json")
        await self.pool.execute(
            "INSERT INTO guard_document (tenant_id, version, document, reason, set_by, set_at) "
            "SELECT $1, count(*) + 1, $2, 'a test', 'a test', $3 FROM guard_document WHERE tenant_id = $1",
            tenant,
            policy,
            self.now,
        )

    async def hear(self, *events: Envelope) -> dict[str, int]:
        """Let events arrive in one batch; return how many had each fate that was named."""
        batch = batch_of(events, recorded_at=self.now)
        async with transaction(self.pool) as tx:
            await CredentialsHandler().on_batch(tx, batch)
        fates = [fate.value for fate in batch.fates.values()] + ["refused"] * len(batch.refused)
        return {fate: fates.count(fate) for fate in fates}

    async def tick(self, worker: Worker | None = None) -> int:
        """Carry out what is due now, and return how many steps that were."""
        carried = worker or self.worker()
        turns = await carried.taken()
        for turn in turns:
            await carried.carry_out(turn, uptime() + 20)
        return len(turns)

    async def settle(self, *, seconds: float = 0, most: int = 60) -> None:
        """Carry out what is due until nothing is, having let time pass."""
        self.now += timedelta(seconds=seconds)
        worker = self.worker()
        while await self.tick(worker) and most:
            most -= 1

    async def finish(self, *, seconds: float = 600) -> None:
        """Let time pass in small steps, and carry out what becomes due."""
        for _ in range(int(seconds / 30)):
            await self.settle(seconds=30)

    async def decide(self) -> None:
        """Count what people signed, and end questions whose time is over."""

        async def decided(tx: Connection, verdicts: Sequence[Verdict]) -> list[Fact]:
            return await answers.settled(tx, verdicts, now=self.now)

        on = self.on
        await Deciding(pool=self.pool, clock=on.clock, progress=on.progress, relay=on.relay, decided=decided).look()

    async def ticket_opens(self, number: str = "4711") -> None:
        """Let the only case's ticket come."""
        case = str((await self.case())["case_id"])
        opened = TicketOpened(
            ticket=f"pl-exposure-{case}-g1",
            kind="exposure",
            subject=case,
            generation=1,
            external=number,
            title="Exposed credential",
            devices=0,
        )
        await self.hear(event(opened, subject=opened.ticket, source="patchline/ticketing", at=self.now))

    async def ticket_is_closed(self) -> None:
        """Let a person close the only case's ticket."""
        case = str((await self.case())["case_id"])
        closed = TicketResolved(
            ticket=f"pl-exposure-{case}-g1", kind="exposure", subject=case, generation=1, by_person=True
        )
        await self.hear(event(closed, subject=closed.ticket, source="patchline/ticketing", at=self.now))

    async def cases(self) -> list[asyncpg.Record]:
        """Return all cases, oldest first."""
        return await self.pool.fetch("SELECT * FROM exposure_case ORDER BY opened_at, number, login")

    async def case(self) -> asyncpg.Record:
        """Return the only case."""
        [case] = await self.cases()
        return case

    async def steps(self) -> dict[str, str]:
        """Return how the steps of the only case stand."""
        case = await self.case()
        rows = await self.pool.fetch("SELECT step, state FROM case_step WHERE case_id = $1", case["case_id"])
        return {row["step"]: row["state"] for row in rows}

    async def told(self, kind: type[E]) -> list[E]:
        """Return what was told of a kind, in order."""
        every = [each.data for each in await waiting_in(self.pool, "credentials.events")]
        return [each for each in every if isinstance(each, kind)]

    async def story(self) -> list[str]:
        """Return the types of all that was told of cases, in order."""
        return [each.TYPE for each in await self.told(CaseEvent)]

    async def execute_as_operator(self, sql: str, *values: object) -> str:
        """Run a statement as the command line does."""
        connection = await asyncpg.connect(self.database.operator)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(ACME))
                return await connection.execute(sql, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def opened_room(database: Database) -> AsyncIterator[Room]:
    """Yield an empty room."""
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = credentials")
    await admin.execute(EMPTY)
    await admin.executemany(
        "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) "
        "VALUES ($1, $2, 'UTC', now(), now()) ON CONFLICT DO NOTHING",
        [(ACME, "Acme Dental")],
    )
    await admin.close()
    pool = await open_pool(database.writer("credentials"), size=12, application="tests")
    try:
        yield Room(pool, database)
    finally:
        pool.terminate()


def person(name: str, **changes: object) -> Any:
    """Return a person's account with a second factor."""
    return account(name, f"{name}@acme.example", **({"mfa": True, "recovery": True} | changes))

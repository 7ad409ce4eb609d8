"""The tracker through a person's eyes, and ticketing without Kafka: what the tests of effects stand on."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import asyncpg
import httpx
from pydantic import SecretStr

from chassis.batch import Batch
from chassis.health import Progress
from chassis.http import Policy
from chassis.postgres import Pool, open_pool, transaction
from chassis.relay import Relay
from contracts.envelope import Envelope
from patchline.local.roundup import Roundup as LocalRoundup
from services.ticketing.adapters import roundup as adapter
from services.ticketing.adapters.roundup import Roundup, Words
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.effects import Effects
from services.ticketing.handlers import TicketingHandler
from services.ticketing.merging import Merging, Patient
from services.ticketing.reconciler import Reconciler, Rounds
from services.ticketing.records import Note, TicketRef
from services.ticketing.worker import Limits, Worker
from tests.builders import batch_of
from tests.parts import Database
from tests.waiting import waiting_in

POLICY = Policy(calls_per_second=500, burst=500, timeout_seconds=3, attempts=2, breaker_seconds=0.3)
SETTLE = timedelta(seconds=1)
SOON = timedelta(seconds=10)
"""What is put off for less is waited for; a mere look is not."""

LIMITS = Limits(slots=8, most_per_tenant=4, deadline_seconds=4, lease_seconds=6)


PATIENT = Patient(deadline_seconds=20, margin_seconds=0.5, settle_seconds=0.5)

STRANGERS: dict[str, set[str]] = {}
"""Tickets of earlier tests in the one tracker that they share: nobody asks for their keys again in each test."""

EMPTY = (
    "TRUNCATE client, matter, standing, ticket, ticket_device, intent, history, outbox, outbox_pack, "
    "aggregate_sequence, merge, merged, hint"
)


@dataclass(frozen=True)
class Issue:
    """An issue as its page shows it."""

    number: str
    title: str
    client: str
    status: str
    notes: list[str]


class Desk:
    """A technician, logged in as administrator."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def of(cls, roundup: LocalRoundup) -> "Iterator[Self]":
        login = roundup.admin_login
        with httpx.Client(
            base_url=f"{roundup.url}rest/data/",
            auth=(login.name, login.password),
            headers={"X-Requested-With": "rest", "Origin": roundup.url.rstrip("/")},
            trust_env=False,
            timeout=20,
        ) as client:
            yield cls(client)

    def numbers(self, key: str) -> list[str]:
        """Return the issues that carry `key`."""
        return [each["id"] for each in self._get("issue", {"correlation_key:": key})["collection"]]

    def issue(self, key: str) -> Issue:
        """Return the only issue that carries `key`."""
        [number] = self.numbers(key)
        return self.issue_of(number)

    def issue_of(self, number: str) -> Issue:
        fields = self._get(f"issue/{number}", {"@verbose": "2"})["attributes"]
        notes = [self._get(f"msg/{each['id']}", {"@verbose": "3"})["attributes"] for each in fields["messages"]]
        return Issue(
            number=number,
            title=fields["title"],
            client=fields["client"],
            status=fields["status"]["name"],
            notes=[note["content"] for note in notes],
        )

    def edit(self, number: str, **fields: object) -> None:
        """Change an issue."""
        etag = self._client.get(f"issue/{number}").headers["etag"]
        answer = self._client.patch(f"issue/{number}", headers={"If-Match": etag}, json={"@op": "replace", **fields})
        assert answer.status_code == 200, answer.text

    def say(self, number: str, text: str, **fields: object) -> None:
        """Write a note on an issue, as a person does."""
        made = self._client.post("msg", json={"author": "admin", "content": text, "date": "."}).json()["data"]["id"]
        shown = self._get(f"issue/{number}", {"@verbose": "2", "@fields": "messages,status"})["attributes"]
        messages = [*(each["id"] for each in shown["messages"]), made]
        self.edit(number, **({"messages": messages, "status": shown["status"]["id"]} | fields))

    def superseders(self, number: str) -> list[str]:
        """Return the issues that an issue is closed in favour of."""
        shown = self._get(f"issue/{number}", {"@verbose": "2", "@fields": "superseder"})["attributes"]["superseder"]
        return [each["id"] for each in shown]

    def delete(self, number: str) -> None:
        etag = self._client.get(f"issue/{number}").headers["etag"]
        assert self._client.delete(f"issue/{number}", headers={"If-Match": etag}).status_code == 200

    def create(self, key: str) -> str:
        answer = self._client.post("issue", json={"title": "planted", "correlation_key": key, "client": "x"})
        return str(answer.json()["data"]["id"])

    def _get(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(path, params=params).json()["data"]
        return found


@dataclass
class MovedClock:
    """The present moment, moved by the test."""

    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def move(self, **by: float) -> None:
        self.offset += timedelta(**by)


@dataclass
class AnyRoom(ABC):
    """Ticketing without Kafka, beside some tracker."""

    pool: Pool
    dsn: str
    clock: MovedClock = field(default_factory=MovedClock)
    handler: TicketingHandler = field(default_factory=lambda: TicketingHandler(look_every=timedelta(seconds=30)))
    msp_company: str | None = None

    @abstractmethod
    def tracker(self, *, url: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> Tracker:
        """Return the tracker, through something else at `url` where that is said."""

    def merging(self, tracker: Tracker, *, patient: Patient = PATIENT) -> Merging:
        relay = Relay(dsn=self.dsn, kafka="127.0.0.1:9", progress=Progress())
        return Merging(pool=self.pool, tracker=tracker, clock=self.clock, relay=relay, patient=patient)

    def reconciler(self, tracker: Tracker) -> Reconciler:
        made = Reconciler(
            pool=self.pool,
            tracker=tracker,
            merging=self.merging(tracker),
            clock=self.clock,
            progress=Progress(),
            rounds=Rounds(every=timedelta(minutes=10), rest_seconds=0),
        )
        made._strangers = STRANGERS.setdefault(type(self).__name__, set())
        return made

    async def merged(self, tracker: Tracker | None = None) -> None:
        """Go one round, and carry out all that was asked for."""
        on = tracker or self.tracker()
        await self.reconciler(on).go_round(asyncio.Event())
        while await self.merging(on).carry_out_next():
            continue
        if tracker is None:
            await on.close()

    def worker(self, tracker: Tracker, *, limits: Limits = LIMITS) -> Worker:
        relay = Relay(dsn=self.dsn, kafka="127.0.0.1:9", progress=Progress())
        effects = Effects(
            pool=self.pool,
            tracker=tracker,
            clock=self.clock,
            relay=relay,
            settle=SETTLE,
            msp_company=self.msp_company,
        )
        return Worker(
            pool=self.pool, effects=effects, clock=self.clock, progress=Progress(), relay=relay, limits=limits
        )

    @asynccontextmanager
    async def working(self, tracker: Tracker | None = None, *, limits: Limits = LIMITS) -> AsyncIterator[Worker]:
        """Yield a running worker, and let it finish what is under way at the end."""
        on = tracker or self.tracker()
        worker, stopping = self.worker(on, limits=limits), asyncio.Event()
        task = asyncio.create_task(worker.run(stopping))
        try:
            yield worker
        finally:
            stopping.set()
            await task
            if tracker is None:
                await on.close()

    async def handle(self, *events: Envelope) -> Batch[Envelope]:
        """Take events in, as one batch."""
        batch = batch_of(events, recorded_at=self.clock())
        async with transaction(self.pool) as tx:
            await self.handler.on_batch(tx, batch)
        return batch

    async def done(self, *events: Envelope, tracker: Tracker | None = None) -> None:
        """Take events in and have everything done that is due."""
        await self.handle(*events)
        async with self.working(tracker):
            await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is due, nor soon will be."""
        await until(self._nothing_is_due)

    async def _nothing_is_due(self) -> bool:
        return not await self.pool.fetchval(
            "SELECT count(*) FROM intent JOIN client USING (tenant_id) "
            "WHERE state IN ('leased', 'uncertain') OR (state = 'pending' AND due_at <= $1)",
            self.clock() + SOON,
        )

    async def intents(self, state: str | None = None) -> list[str]:
        """Return what is, or was, to be done, in order: acts in that state, or each act with its state."""
        rows = await self.pool.fetch("SELECT kind, state FROM intent ORDER BY created_at, ticket_key, number")
        return [
            row["kind"] if state else f"{row['kind']} {row['state']}" for row in rows if state in {None, row["state"]}
        ]

    async def keys(self) -> list[str]:
        rows = await self.pool.fetch("SELECT ticket_key FROM ticket ORDER BY tenant_id, kind, subject, generation")
        return [row["ticket_key"] for row in rows]

    async def published(self) -> list[Envelope]:
        """Return the events in the outbox, in order."""
        return await waiting_in(self.pool)


@dataclass
class Room(AnyRoom):
    """Ticketing beside Roundup."""

    roundup: LocalRoundup = field(kw_only=True)

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database, roundup: LocalRoundup) -> "AsyncIterator[Self]":
        async with pooled(database) as (pool, dsn):
            yield cls(pool=pool, dsn=dsn, roundup=roundup)

    def tracker(
        self,
        *,
        words: Words | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        url: str | None = None,
        password: str | None = None,
        policy: Policy = POLICY,
    ) -> Roundup:
        login = self.roundup.api_login
        return adapter.connect(
            url or self.roundup.url,
            login=adapter.Login(login.name, SecretStr(password or login.password)),
            policy=policy,
            words=words or Words(),
            origin=self.roundup.url.rstrip("/"),
            transport=transport,
        )


@asynccontextmanager
async def pooled(database: Database) -> AsyncIterator[tuple[Pool, str]]:
    """Yield connections as ticketing has them, and where they lead."""
    dsn = database.writer("ticketing")
    pool = await open_pool(dsn, application="test")
    try:
        yield pool, dsn
    finally:
        pool.terminate()


async def emptied(database: Database) -> None:
    """Forget every ticket, and whose round it is."""
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = ticketing")
    await connection.execute(EMPTY)
    await connection.execute("UPDATE round SET due_at = '1970-01-01 00:00:00+00', holder = NULL, completed_at = NULL")
    await connection.close()


class OnlyOpens:
    """The acts of a tracker in memory of which a test wants tickets opened and nothing else."""

    async def say_first(self, note: Note) -> str | None:
        del note
        return None

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        raise NotImplementedError

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        raise NotImplementedError

    async def words(self, ref: TicketRef, key: str) -> str:
        raise NotImplementedError

    async def append(self, ref: TicketRef, note: Note) -> None:
        raise NotImplementedError

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        raise NotImplementedError

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        raise NotImplementedError

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        raise NotImplementedError

    async def key_of(self, number: str) -> str | None:
        raise NotImplementedError

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        raise NotImplementedError

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        raise NotImplementedError


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Wait until `condition` is true.

    Raises:
        TimeoutError: it did not become true.
    """
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)

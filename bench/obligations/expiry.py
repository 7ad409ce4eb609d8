"""How soon an exception's end is known: it is over at a moment that no event tells of, and the real service runs.

Everybody does what they do in life: an operator asks, the ticket has a number, the client's owner signs, the service
judges. Only ticketing and credentials are not there: what they would have told is written as the service keeps it.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer
from nacl.signing import SigningKey

from bench.measured import Place, Worker, connected, start_at_the_end
from bench.obligations import load
from bench.obligations.report import Figure
from bench.sending import sent
from chassis.postgres import Connection
from contracts import ids, topics
from contracts.envelope import encode
from contracts.events.event import Tier
from contracts.events.exception import ExceptionExpired
from services.compliance import store_commands_catalog
from services.compliance.app import GROUP
from services.compliance.exceptions import statement, store_commands, store_requests, store_signoffs
from services.compliance.exceptions.news import OwnerNews, TicketNews
from services.compliance.exceptions.records import Control, ControlKind, Lane, Request, Signoff
from services.compliance.exceptions.rules_told import about

EXCEPTIONS: Final = 300
FIRST: Final = 90_000_000
"""The number of the first machine: no other stage has it."""

AHEAD: Final = timedelta(seconds=20)
"""So long people and the service have until the first one ends."""

SPREAD: Final = timedelta(seconds=40)
MOST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.2
REQUIREMENT: Final = ids.requirement_id("Bench Workstation", "train 0")
OWNER: Final = UUID("1d5f7a0e-58a4-5c1e-9d0c-7f3a4c1b2e90")
KEY: Final = SigningKey(bytes(range(32)))
CONTROL: Final = Control(ControlKind.SEGMENTATION, "alone in its own network")
WORKER: Final = Worker(module="services.compliance", group=GROUP)

STANDING: Final[LiteralString] = """
    SELECT count(*) FROM compliance.obligation WHERE requirement_id = $1 AND asset_id = ANY($2) AND state = $3
"""
OPENED: Final[LiteralString] = "SELECT count(*) FROM compliance.exception_chapter WHERE chapter = 'requested'"
ENDED: Final[LiteralString] = """
    SELECT q.exception_id, extract(epoch FROM h.recorded_at - q.until)::float8 AS late
    FROM compliance.exception AS q JOIN compliance.obligation_history AS h
      ON h.asset_id = q.asset_ids[1] AND h.requirement_id = q.requirement_id
    WHERE h.before = 'EXCEPTED' AND h.state = 'MISSING_OVERDUE'
"""
MOVED: Final[LiteralString] = """
    SELECT count(*) FROM compliance.obligation AS o
    WHERE o.requirement_id = $1 AND o.asset_id = ANY($2) AND (o.due_at IS DISTINCT FROM $3 OR EXISTS (
        SELECT FROM compliance.obligation_history AS h
        WHERE (h.asset_id, h.requirement_id) = (o.asset_id, o.requirement_id) AND h.due_at IS DISTINCT FROM $3))
"""
DUE_AT: Final[LiteralString] = "SELECT min(due_at) FROM compliance.obligation WHERE requirement_id = $1"


async def expiry(place: Place, *, exceptions: int = EXCEPTIONS) -> list[Figure]:
    """Return how late an obligation is overdue again and how late the fact is there, and how many deadlines moved.

    Raises:
        RuntimeError: something that had to come did not come in time.
    """
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        await _made_overdue(place, admin, writer, exceptions)
        stage = _Stage(admin, writer, exceptions)
        async with _facts(place) as arrived:
            with WORKER.running(place):
                await _until(stage.stand("MISSING_OVERDUE"), "all are overdue")
                due_at = await admin.fetchval(DUE_AT, REQUIREMENT)
                began_at = time.monotonic()
                requests = await stage.ask()
                await stage.sign(requests)
                await _until(stage.stand("EXCEPTED"), "all are excepted")
                took = time.monotonic() - began_at
                if datetime.now(UTC) >= requests[0].until:
                    raise RuntimeError("the first exception ended before the last one held")
                await asyncio.sleep((requests[-1].until - datetime.now(UTC)).total_seconds())
                await _until(stage.stand("MISSING_OVERDUE"), "all are overdue again")
                await _until(lambda: _is(len(arrived) == exceptions), "all facts are there")
        recorded = [row["late"] for row in await admin.fetch(ENDED)]
        moved = await admin.fetchval(MOVED, REQUIREMENT, stage.assets, due_at)
    told = [(arrived[about(each.id)] - each.until).total_seconds() for each in requests]
    return [
        Figure(figure=f"{exceptions} exceptions asked for, signed and in force", value=round(took, 1), unit="s"),
        *_late("overdue again in the history", recorded),
        *_late("read from the broker as a fact", told),
        Figure(figure=f"deadlines that {exceptions} exceptions moved", value=moved, unit="", reach="= 0", ok=not moved),
    ]


def _late(what: str, seconds: Sequence[float]) -> list[Figure]:
    """Return the median and the worst; too early is as wrong as too late."""
    worst = max(seconds)
    is_good = worst < MOST_SECONDS and min(seconds) >= 0
    end = f"end of an exception until it is {what}"
    return [
        Figure(figure=f"{end}, median of {len(seconds)}", value=round(statistics.median(seconds), 3), unit="s"),
        Figure(figure=f"{end}, worst", value=round(worst, 3), unit="s", reach=f"< {MOST_SECONDS:g} s", ok=is_good),
    ]


async def _made_overdue(place: Place, admin: Connection, writer: Connection, machines: int) -> None:
    """Let servers be known whose scan lists what was due a day ago; the process is to read the latter."""
    now = load.hour_of(datetime.now(UTC))
    await store_commands_catalog.add(admin, load.catalog(now), datetime.now(UTC))
    await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS])
    servers = load.records(FIRST, now, tier=Tier.SERVER, devices=machines)
    await WORKER.run(place, writer, topics.ASSETS, map(encode, servers))
    listed = load.listing(FIRST, now, devices=machines)
    await sent(place.kafka, topics.RMM_EVENTS, (encode(each, f"{each.source}/{each.subject}") for each in listed))


@dataclass(slots=True)
class _Stage:
    """What the people do while the service runs: one machine of one client for each exception."""

    admin: Connection
    writer: Connection
    count: int

    @property
    def assets(self) -> list[UUID]:
        return [ids.asset_id(load.SOURCE, f"{FIRST + number:08d}") for number in range(self.count)]

    def stand(self, state: str) -> Callable[[], Awaitable[bool]]:
        """Return whether all of the obligations are in this state, to be asked."""

        async def do_they() -> bool:
            return bool(await self.admin.fetchval(STANDING, REQUIREMENT, self.assets, state) == self.count)

        return do_they

    async def ask(self) -> list[Request]:
        """Ask for all, each until a moment of its own, and wait until the service has looked at them."""
        now = datetime.now(UTC)
        asked = [_request(number, now, AHEAD + SPREAD * number / self.count) for number in range(self.count)]
        keys = [
            OwnerNews(
                tenant_id=each, approver_id=OWNER, name="Owner", public_key=bytes(KEY.verify_key), enrolled_at=now
            )
            for each in load.TENANTS
        ]
        async with self.writer.transaction():
            await store_signoffs.keep_owners(self.writer, keys)
        async with self.admin.transaction():
            for each in asked:
                await store_commands.ask(self.admin, each)
        tickets = [
            TicketNews(exception_id=each.id, tenant_id=each.tenant_id, number=_ticket(each), opened_at=now)
            for each in asked
        ]
        async with self.writer.transaction():
            await store_requests.keep_tickets(self.writer, tickets)
        await _until(self._are_opened, "all requests were looked at")
        return asked

    async def _are_opened(self) -> bool:
        return bool(await self.admin.fetchval(OPENED) == self.count)

    async def sign(self, requests: Sequence[Request]) -> None:
        """Bring the owners' signatures."""
        async with self.admin.transaction():
            for each in requests:
                await store_commands.bring(self.admin, _signed(each), by="bench")


def _request(number: int, now: datetime, lasts: timedelta) -> Request:
    device = FIRST + number
    asset = ids.asset_id(load.SOURCE, f"{device:08d}")
    return Request(
        id=uuid5(asset, "exception"), tenant_id=load.tenant_of(device), lane=Lane.DEFERRAL, requirement_id=REQUIREMENT,
        title="Bench Workstation, train 0", asset_ids=(asset,), machines=(f"PC-{device}",), reason="for the proof",
        controls=(CONTROL,), valid_from=now, until=now + lasts, renews=None, renewal=0, requested_at=now,
        requested_by="bench",
    )  # fmt: skip


def _ticket(request: Request) -> str:
    return f"T-{request.machines[0]}"


def _signed(request: Request) -> Signoff:
    now = datetime.now(UTC)
    text = statement.handed(request, client=str(request.tenant_id), ticket=_ticket(request))
    said = statement.decided(text, approver=OWNER, approve=True, decided_at=now)
    return Signoff(
        id=uuid5(request.id, "signoff"), exception_id=request.id, tenant_id=request.tenant_id,
        statement=said.decode(), signature=KEY.sign(said).signature, brought_at=now,
    )  # fmt: skip


@asynccontextmanager
async def _facts(place: Place) -> AsyncIterator[dict[str, datetime]]:
    """Yield, by its subject, when each end of an exception came out of the broker; it fills meanwhile."""
    arrived: dict[str, datetime] = {}
    consumer = AIOKafkaConsumer(topics.COMPLIANCE_EVENTS.name, bootstrap_servers=place.kafka, fetch_max_wait_ms=20)
    await consumer.start()
    await consumer.seek_to_end()

    async def read() -> None:
        async for record in consumer:
            headers = dict(record.headers)
            if headers["ce_type"] == ExceptionExpired.TYPE.encode():
                arrived.setdefault(headers["ce_subject"].decode(), datetime.now(UTC))

    reading = asyncio.create_task(read())
    try:
        yield arrived
    finally:
        reading.cancel()
        await consumer.stop()


async def _is(answer: bool) -> bool:  # noqa: FBT001 - an answer
    return answer


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {LONGEST_SECONDS:g} s: {what}")
        await asyncio.sleep(LOOK_SECONDS)

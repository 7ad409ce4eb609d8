"""The real process: events on Kafka become tickets in Roundup and events on `tickets`; SIGTERM loses nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import ValidationError

from chassis.errors import WrongSetting
from chassis.settings import read
from contracts import topics
from contracts.envelope import Envelope, decode, encode
from contracts.events.obligation import State
from contracts.events.ticket import TicketMerged, TicketOpened, TicketResolved
from contracts.ids import tenant_id
from patchline.local.request_tracker import QUEUE, RequestTracker
from patchline.local.roundup import Roundup
from services.ticketing.adapters.choice import connected
from services.ticketing.app import limits_of, slots_within
from services.ticketing.settings import TicketingSettings
from tests.builders import client_changed
from tests.parts import Database
from tests.ticketing.desk import Desk, until
from tests.ticketing.findings import state_changed
from tests.ticketing.rt_desk import RtDesk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(database: Database, kafka: str, roundup: Roundup, tmp_path: Path) -> dict[str, str]:
    password = tmp_path / "tracker"
    password.write_text(roundup.api_login.password)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PATCHLINE_")},
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": database.writer("ticketing"),
        "PATCHLINE_TRACKER_URL": roundup.url,
        "PATCHLINE_TRACKER_USER": roundup.api_login.name,
        "PATCHLINE_TRACKER_PASSWORD_FILE": str(password),
        "PYTHONPATH": str(ROOT),
    }


@asynccontextmanager
async def process(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ticketing", env=environment, cwd=ROOT
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


@asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: topics.Topic, *events: Envelope) -> None:
    for each in events:
        message = encode(each)
        await producer.send_and_wait(topic.name, key=message.key, value=message.value, headers=message.headers)


@asynccontextmanager
async def reading(kafka: str, tickets: list[Envelope]) -> AsyncIterator[None]:
    """Collect what arrives on `tickets`."""
    consumer = AIOKafkaConsumer(topics.TICKETS.name, bootstrap_servers=kafka, auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()

    async def collect() -> None:
        async for record in consumer:
            tickets.append(decode(record.headers, record.value))  # noqa: PERF401 - an endless stream

    task = asyncio.create_task(collect())
    try:
        yield
    finally:
        task.cancel()
        await consumer.stop()


async def test_from_kafka_to_the_tracker_and_back(
    kafka: str, roundup: Roundup, environment: dict[str, str], requirement: str
) -> None:
    tenant = tenant_id(f"client {uuid4()}")
    told: list[Envelope] = []

    def of_ours() -> list[Envelope]:
        return [each for each in told if each.tenant == tenant]

    async def has(count: int) -> bool:
        return len(of_ours()) >= count

    async with reading(kafka, told), producing(kafka) as producer, process(environment) as running:
        await send(producer, topics.CLIENTS, client_changed("Acme Dental", sequence=1, tenant=tenant))
        failed = state_changed("a", State.FAILED, 1, requirement=requirement, tenant=tenant)
        await send(producer, topics.COMPLIANCE_EVENTS, failed, failed)
        await until(lambda: has(1), seconds=60)
        await send(
            producer,
            topics.COMPLIANCE_EVENTS,
            state_changed("a", State.VERIFIED, 2, requirement=requirement, tenant=tenant),
        )
        await until(lambda: has(2), seconds=30)

        running.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(running.wait(), 30)

    opened, resolved = of_ours()
    assert isinstance(opened.data, TicketOpened)
    assert isinstance(resolved.data, TicketResolved)
    with Desk.of(roundup) as desk:
        issue = desk.issue(opened.data.ticket)
    assert (issue.number, issue.status) == (opened.data.external, "resolved")
    assert code == 0


async def test_from_kafka_to_request_tracker(
    kafka: str, request_tracker: RequestTracker, environment: dict[str, str], *, requirement: str, tmp_path: Path
) -> None:
    tenant = tenant_id(f"client {uuid4()}")
    told: list[Envelope] = []

    async def has_opened() -> bool:
        return any(each.tenant == tenant for each in told)

    token = tmp_path / "token"
    token.write_text(request_tracker.token)
    own = environment | {
        "PATCHLINE_TRACKER_KIND": "rt",
        "PATCHLINE_TRACKER_URL": request_tracker.url,
        "PATCHLINE_TRACKER_PASSWORD_FILE": str(token),
        "PATCHLINE_RT_QUEUE": QUEUE,
    }
    async with reading(kafka, told), producing(kafka) as producer, process(own):
        await send(producer, topics.CLIENTS, client_changed("Acme Dental", sequence=1, tenant=tenant))
        failed = state_changed("a", State.FAILED, 1, requirement=requirement, tenant=tenant)
        await send(producer, topics.COMPLIANCE_EVENTS, failed, failed)
        await until(has_opened, seconds=60)

    [opened] = [each.data for each in told if each.tenant == tenant]
    assert isinstance(opened, TicketOpened)
    with RtDesk.of(request_tracker) as desk:
        issue = desk.issue(opened.ticket)
    assert (issue.number, issue.client, len(issue.notes)) == (opened.external, "Acme Dental", 1)


def test_the_settings_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PATCHLINE_")]:
        monkeypatch.delenv(name)

    with pytest.raises(WrongSetting, match="PATCHLINE_TRACKER_URL") as caught:
        read(TicketingSettings)

    assert "PATCHLINE_TRACKER_PASSWORD_FILE" in str(caught.value)
    assert not isinstance(caught.value, ValidationError)


@pytest.mark.parametrize(
    ("calls_per_second", "slots"),
    [(50, 8), (5, 6), (2, 2), (1, 1)],
)
def test_a_slow_tracker_gets_fewer_acts_at_once(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, calls_per_second: int, slots: int
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATCHLINE_TRACKER_CALLS_PER_SECOND", str(calls_per_second))

    assert slots_within(read(TicketingSettings), deadline_seconds=15) == slots


@pytest.mark.parametrize("timeout_seconds", [0.1, 5, 60])
def test_nothing_is_sent_so_late_that_its_lease_may_be_anothers(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, timeout_seconds: float
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATCHLINE_TRACKER_TIMEOUT_SECONDS", str(timeout_seconds))

    limits = limits_of(read(TicketingSettings))

    assert limits.deadline_seconds >= timeout_seconds
    assert limits.lease_seconds >= limits.deadline_seconds + 5


def test_a_password_file_that_cannot_be_read_is_a_wrong_setting(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATCHLINE_TRACKER_PASSWORD_FILE", "/no/such/file")

    with pytest.raises(WrongSetting, match="/no/such/file"):
        connected(read(TicketingSettings))


@pytest.fixture
async def _nobody_goes_a_round(database: Database) -> None:
    """Take the round back from a process that was killed in the middle of one: it would hold it for a minute."""
    connection = await asyncpg.connect(database.writer("ticketing"))
    await connection.execute("UPDATE round SET holder = NULL, due_at = '1970-01-01 00:00:00+00'")
    await connection.close()


@pytest.mark.usefixtures("_nobody_goes_a_round")
async def test_a_planted_ticket_is_merged_by_the_process_itself(
    kafka: str, roundup: Roundup, environment: dict[str, str], requirement: str
) -> None:
    tenant = tenant_id(f"client {uuid4()}")
    told: list[Envelope] = []

    async def has(count: int) -> bool:
        return len([each for each in told if each.tenant == tenant]) >= count

    often = environment | {"PATCHLINE_TRACKER_ROUND_SECONDS": "1", "PATCHLINE_TRACKER_REST_SECONDS": "0"}
    async with reading(kafka, told), producing(kafka) as producer, process(often):
        await send(producer, topics.CLIENTS, client_changed("Acme Dental", sequence=1, tenant=tenant))
        failed = state_changed("a", State.FAILED, 1, requirement=requirement, tenant=tenant)
        await send(producer, topics.COMPLIANCE_EVENTS, failed)
        await until(lambda: has(1), seconds=60)
        [opened] = [each for each in told if each.tenant == tenant]
        assert isinstance(opened.data, TicketOpened)
        with Desk.of(roundup) as desk:
            planted = desk.create(opened.data.ticket)
        await until(lambda: has(2), seconds=60)

    merged = [each.data for each in told if each.tenant == tenant][-1]
    assert isinstance(merged, TicketMerged)
    assert (merged.external, merged.merged) == (opened.data.external, (planted,))

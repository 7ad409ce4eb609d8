"""The real processes against simulated feeds: what is polled, and what a notification named; redacted throughout."""

import asyncio
import base64
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.health import serve
from contracts.envelope import decode
from contracts.events.event import Method
from contracts.events.exposure import ExposureFound
from contracts.topics import EXPOSURES, EXPOSURES_RAW
from patchline.local import ports
from services.gateway.exposures.offline_key import new_pair
from services.gateway.keys.sealing import Purpose, new_sealing_key, read_sealing_key, sealed
from simulators import graph_risks, hibp
from simulators.graph_risks import GraphRisks, alert, detection
from simulators.hibp import Hibp, breach
from tests.builders import ACME
from tests.gateway.exposures.bodies import CANARY, notification
from tests.parts import Database

TENANT = str(uuid4())
STATE = "a client state of the tests"
STANDS = "INSERT INTO watermark (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4)"
ADD = (
    "INSERT INTO source (source_id, vendor, name, scheme, api_url, client_id, sealed_client_secret, poll_seconds, "
    "added_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())"
)


@dataclass(frozen=True, slots=True)
class Feeds:
    """Both simulated feeds, served, and the product that polls them."""

    pwned: Hibp
    graph: GraphRisks
    name: str
    door: int
    environment: Mapping[str, str]

    def source(self, vendor: str) -> str:
        return f"exposure/{vendor}/{self.name}"


@asynccontextmanager
async def served(app: Hibp | GraphRisks, port: int) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=port, stopping=stopping))
    yield
    stopping.set()
    await serving


def keys_in(folder: Path) -> dict[str, str]:
    """Return the settings that name the keys of a gateway with feeds."""
    private, public = new_pair()
    assert private
    files = {
        "PATCHLINE_SEALING_KEY_FILE": new_sealing_key(),
        "PATCHLINE_FINGERPRINT_KEY_FILE": base64.b64encode(b"f" * 32).decode(),
        "PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE": public,
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    return {name: str(folder / name) for name in files}


@pytest.fixture
async def feeds(database: Database, kafka: str, tmp_path: Path) -> AsyncIterator[Feeds]:
    now, name, keys = datetime.now(UTC), f"e2e-{uuid4().hex[:8]}", keys_in(tmp_path)
    port, graph_port, door = (ports.claimed(0, setting="none") for _ in range(3))
    pwned, graph = Hibp(), GraphRisks(TENANT, url=f"http://127.0.0.1:{graph_port}")
    pwned.rpm, pwned.breaches = 6000, [breach("Adobe", added="2026-11-01T00:00:00Z", Note=CANARY)]
    pwned.accounts = {"acme.example": {"bob": ["Adobe"]}}
    graph.detections[TENANT] = [detection("jane@acme.example", at=now, password=CANARY, additionalInfo=CANARY)]
    graph.alerts[TENANT] = [alert("joe@acme.example", title="Leaked credentials", at=now)]
    sealing_key = read_sealing_key(Path(keys["PATCHLINE_SEALING_KEY_FILE"]))
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    await connection.execute("TRUNCATE client, source, watermark, outbox, data_key, poll_state, poll_snapshot CASCADE")
    await connection.execute("INSERT INTO client VALUES ($1, 'Acme', 'UTC', NULL, NULL, now(), now())", ACME)
    for vendor, scheme, at, client_id, secret, every, organisation in (
        ("hibp", "polled", port, "hibp", hibp.API_KEY, 1, "acme.example"),
        ("graph", "client-state", graph_port, graph_risks.CLIENT_ID, graph_risks.CLIENT_SECRET, 600, TENANT),
    ):
        source = f"exposure/{vendor}/{name}"
        box = sealed(sealing_key, secret.encode(), source_id=source, purpose=Purpose.API)
        await connection.execute(ADD, source, vendor, name, scheme, f"http://127.0.0.1:{at}", client_id, box, every)
        await connection.execute(
            "INSERT INTO client_mapping VALUES ($1, $2, NULL, $3, NULL, NULL)", source, organisation, ACME
        )
    await connection.execute(
        "INSERT INTO source_secret VALUES ($1, 0, now(), NULL, $2)",
        f"exposure/graph/{name}",
        hashlib.sha256(STATE.encode()).digest(),
    )
    await connection.close()
    environment = {
        **os.environ,
        **keys,
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": database.writer("gateway"),
        "PATCHLINE_ACCEPT_PORT": str(door),
    }
    async with served(pwned, port), served(graph, graph_port):
        yield Feeds(pwned, graph, name, door, environment)


async def started(feeds: Feeds, process: str, **settings: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "services.gateway", process)
    environment = {**feeds.environment, **settings}
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)


@asynccontextmanager
async def running(feeds: Feeds, *names: str) -> AsyncIterator[None]:
    """Run processes of the gateway, and see them end well."""
    processes = [await started(feeds, each) for each in names]
    try:
        yield
    finally:
        for each in processes:
            each.send_signal(signal.SIGTERM)
        codes = [await asyncio.wait_for(each.wait(), 30) for each in processes]
    assert set(codes) == {0}


async def begin_at_the_end(kafka: str, dsn: str) -> None:
    """Let translation begin behind what other tests wrote: this database does not know the keys of their bodies."""
    consumer = AIOKafkaConsumer(EXPOSURES_RAW.name, bootstrap_servers=kafka)
    await consumer.start()
    connection = await asyncpg.connect(dsn)
    partitions = [
        TopicPartition(EXPOSURES_RAW.name, each) for each in consumer.partitions_for_topic(EXPOSURES_RAW.name)
    ]
    for each, end in (await consumer.end_offsets(partitions)).items():
        await connection.execute(STANDS, "gateway-exposures", EXPOSURES_RAW.name, each.partition, end)
    await connection.close()
    await consumer.stop()


async def sources_told(consumer: AIOKafkaConsumer) -> AsyncIterator[str]:
    """Yield the source of every raw delivery, to the present end."""
    partitions = [
        TopicPartition(EXPOSURES_RAW.name, each) for each in consumer.partitions_for_topic(EXPOSURES_RAW.name)
    ]
    for each, end in (await consumer.end_offsets(partitions)).items():
        while await consumer.position(each) < end:
            for record in (await consumer.getmany(each, timeout_ms=500)).get(each, []):
                assert CANARY.encode() not in record.value
                yield dict(record.headers)["source"].decode()


async def heard(consumer: AIOKafkaConsumer, source: str) -> ExposureFound:
    """Return the next exposure of a source."""
    async with asyncio.timeout(60):
        while True:
            record = await consumer.getone()
            assert CANARY.encode() not in record.value
            event = decode(record.headers, record.value)
            if event.source == source:
                assert event.tenant == ACME
                assert isinstance(event.data, ExposureFound)
                return event.data


async def notified(feeds: Feeds) -> int:
    """Let Graph say that the alert changed, and return the answer's status."""
    resource = f"security/alerts_v2/{feeds.graph.alerts[TENANT][0]['id']}"
    one = notification(id=str(uuid4()), clientState=STATE, tenantId=TENANT, resource=resource)
    url = f"http://127.0.0.1:{feeds.door}/webhooks/{feeds.source('graph')}"
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(100):
            try:
                return (await client.post(url, json={"value": [one]})).status_code
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise AssertionError("the door does not open")


async def test_what_feeds_know_is_heard_and_a_notification_leads_to_what_it_named(feeds: Feeds, kafka: str) -> None:
    await begin_at_the_end(kafka, feeds.environment["PATCHLINE_DATABASE_URL"])
    polled, asked = (
        AIOKafkaConsumer(EXPOSURES.name, bootstrap_servers=kafka, auto_offset_reset="earliest") for _ in range(2)
    )
    await polled.start()
    await asked.start()
    try:
        async with running(feeds, "poll", "translate", "accept"):
            known = [await heard(polled, feeds.source("hibp")), await heard(asked, feeds.source("graph"))]
            status = await notified(feeds)
            named = await heard(asked, feeds.source("graph"))
    finally:
        await polled.stop()
        await asked.stop()

    assert [each.login for each in known] == ["bob@acme.example", "jane@acme.example"]
    assert status == 202
    assert (named.login, named.method) == ("joe@acme.example", Method.POLL)
    assert sum("/riskDetections" in call.path for call in feeds.graph.calls) == 1  # the hint listed nothing again


@pytest.mark.parametrize("point", ["poll after reading", "poll after the commit"])
async def test_a_poller_that_is_killed_leaves_each_feed_told_once(
    feeds: Feeds, kafka: str, database: Database, point: str
) -> None:
    consumer = AIOKafkaConsumer(EXPOSURES_RAW.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    connection = await asyncpg.connect(database.admin)

    died = await started(feeds, "poll", PATCHLINE_DIE_AT=point, PATCHLINE_POLL_LEASE_SECONDS="3")
    assert await asyncio.wait_for(died.wait(), 60) == -signal.SIGKILL
    async with running(feeds, "poll"), asyncio.timeout(60):
        while await connection.fetchval(BOTH_POLLED, feeds.source("hibp"), feeds.source("graph")) < 2:
            await asyncio.sleep(0.2)
    await connection.close()
    sources = [source async for source in sources_told(consumer)]
    await consumer.stop()

    assert [sources.count(feeds.source(vendor)) for vendor in ("hibp", "graph")] == [1, 1]


BOTH_POLLED = """
    SELECT count(*) FROM gateway.poll_state WHERE source IN ($1, $2) AND last_succeeded_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM gateway.outbox_waiting)
"""

"""The real processes `poll` and `translate` against a simulated NinjaOne, a real broker and a real database."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.health import serve
from contracts.envelope import Envelope, decode
from contracts.events import rmm
from contracts.events.event import Confidence, Method
from patchline.local import ports
from services.gateway.keys.sealing import Purpose, new_sealing_key, read_sealing_key, sealed
from simulators.day import day
from simulators.fleet import CLIENTS, NINJAONE_MAIN
from simulators.ninjaone_api import CLIENT_ID, CLIENT_SECRET, Api, Setting
from simulators.ninjaone_rows import View
from simulators.script import EVENING, MORNING, NOW
from tests.builders import ACME
from tests.parts import Database

DAY = day(seed=3, devices=40)


def missing_at(moment: datetime) -> set[tuple[str, str]]:
    """Return what the simulator lists as missing on devices that answer: device and patch."""
    view = View(DAY, NINJAONE_MAIN, moment)
    online = {str(row["id"]) for row in view.devices() if not row["offline"]}
    rows = [*view.missing(software=False), *view.missing(software=True)]
    return {(str(row["deviceId"]), row.get("kbNumber") or row["id"]) for row in rows if str(row["deviceId"]) in online}


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, int]]:
    api, port, stopping = Api(DAY), ports.claimed(0, setting="none"), asyncio.Event()
    serving = asyncio.create_task(serve(api, host="127.0.0.1", port=port, stopping=stopping))
    yield api, port
    stopping.set()
    await serving


@pytest.fixture
async def environment(database: Database, kafka: str, tmp_path: Path, api: tuple[Api, int]) -> Mapping[str, str]:
    """A database with one polled source whose organisations all belong to one client, and what processes are told."""
    key_file = tmp_path / "key"
    key_file.write_text(new_sealing_key())
    name = f"e2e-{uuid4().hex[:8]}"
    source = f"rmm/ninjaone/{name}"
    box = sealed(read_sealing_key(key_file), CLIENT_SECRET.encode(), source_id=source, purpose=Purpose.API)
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    await connection.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, api_url, client_id, sealed_client_secret, "
        "poll_seconds, added_at) VALUES ($1, 'ninjaone', $2, 'static-header', 'x', $3, $4, $5, 1, now())",
        source,
        name,
        f"http://127.0.0.1:{api[1]}/main",
        CLIENT_ID,
        box,
    )
    await connection.execute("INSERT INTO client VALUES ($1, 'Acme', 'UTC', NULL, NULL, now(), now())", ACME)
    for client in CLIENTS:
        await connection.execute(
            "INSERT INTO client_mapping VALUES ($1, $2, NULL, $3, NULL, NULL)", source, str(client.organisation), ACME
        )
    await connection.close()
    return {
        **os.environ,
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": database.writer("gateway"),
        "PATCHLINE_SEALING_KEY_FILE": str(key_file),
        "PATCHLINE_CLOCK_OFFSET_SECONDS": str((NOW - datetime.now(UTC)).total_seconds()),
        "SOURCE": source,
    }


async def begin_at_the_end(kafka: str, dsn: str) -> None:
    """Let translation begin behind what other tests wrote: this database does not know the keys of their bodies."""
    consumer = AIOKafkaConsumer("rmm.raw", "rmm.raw.bulk", bootstrap_servers=kafka)
    await consumer.start()
    connection = await asyncpg.connect(dsn)
    for group, topic in (("gateway", "rmm.raw"), ("gateway-bulk", "rmm.raw.bulk")):
        partitions = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic) or ()]
        for each, end in (await consumer.end_offsets(partitions)).items():
            await connection.execute(STANDS, group, topic, each.partition, end)
    await connection.close()
    await consumer.stop()


STANDS = "INSERT INTO watermark (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4)"


class Heard:
    """What a consumer of both lanes knows of one source: a first import travels in bulk."""

    def __init__(self, source: str, consumer: AIOKafkaConsumer) -> None:
        self.source = source
        self.consumer = consumer
        self.events: list[Envelope] = []
        self.missing: set[tuple[str, str]] = set()

    async def until_missing_is(self, expected: set[tuple[str, str]]) -> None:
        async with asyncio.timeout(60):
            while self.missing != expected:
                for records in (await self.consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self._hear(decode(record.headers, record.value))

    def _hear(self, event: Envelope) -> None:
        if event.source != self.source:
            return
        self.events.append(event)
        if isinstance(event.data, rmm.PatchDetected):
            self.missing.add((event.subject, event.data.patch.patch))
        if isinstance(event.data, rmm.PatchNoLongerListed):
            self.missing.discard((event.subject, event.data.patch.patch))


async def started(process: str, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.gateway", process, env=environment, stdout=asyncio.subprocess.DEVNULL
    )


async def test_what_the_api_shows_is_what_is_heard(
    api: tuple[Api, int], kafka: str, environment: Mapping[str, str]
) -> None:
    instance = api[0].instances["main"]
    instance.set(Setting(source="main", moment=MORNING))
    await begin_at_the_end(kafka, environment["PATCHLINE_DATABASE_URL"])
    processes = [await started(process, environment) for process in ("poll", "translate")]
    consumer = AIOKafkaConsumer("rmm.events", "rmm.events.bulk", bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        heard = Heard(environment["SOURCE"], consumer)
        await heard.until_missing_is(missing_at(MORNING))
        assert heard.missing
        instance.set(Setting(source="main", moment=EVENING))
        gone_before = {one for one in heard.missing if one not in missing_at(EVENING)}
        await heard.until_missing_is(
            missing_at(EVENING) | {one for one in gone_before if one[0] in offline_at(EVENING)}
        )
    finally:
        await consumer.stop()
        for each in processes:
            each.send_signal(signal.SIGTERM)
        codes = [await asyncio.wait_for(each.wait(), 30) for each in processes]
    assert codes == [0, 0]
    assert {(each.tenant, each.data.method, each.data.confidence) for each in heard.events} == {  # type: ignore[attr-defined]  # RMM events all
        (ACME, Method.POLL, Confidence.DERIVED)
    }
    assert len({each.id for each in heard.events}) == len(heard.events)


def offline_at(moment: datetime) -> set[str]:
    """Return the devices that do not answer."""
    return {str(row["id"]) for row in View(DAY, NINJAONE_MAIN, moment).devices() if row["offline"]}

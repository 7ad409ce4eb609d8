"""The real door on a real port, and what it wrote into the real topic, for the tests of the gateway."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.clock import Clock, moved_clock
from chassis.health import Progress, serve
from contracts.topics import EXPOSURES_RAW, PSA_RAW, RMM_RAW, RMM_RAW_BULK, Topic
from patchline.local import ports
from services.gateway.door.accept import Door
from services.gateway.door.durable import Durable
from services.gateway.door.exposures import NO_KEYS, ExposureKeys
from services.gateway.door.http_head import BoundedHead
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.raw_writer import Limits, RawWriter
from services.gateway.door.rules_breaker import Breaker
from services.gateway.door.spool import SpoolLimits
from services.gateway.door.uploads import Uploads
from services.gateway.door.verification import StandardWebhooks, StaticHeader, unguessable
from services.gateway.door.ways import Ways
from services.gateway.keys.bodies import BlobStore
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FILE
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.keys.sealing import SealingKey
from services.gateway.registry.sources import SourceByPath, source
from services.gateway.rules_lanes import Rate
from tests.gateway.held import HeldBlobs, body_key, opened
from tests.gateway.spooled import NO_DATABASE, running_spool

KEY = b"the signing key of the tests' own"
SECRET = "the shared secret of the tests"
SIGNING = "/webhooks/rmm/patchline/tests"
STATIC = "/webhooks/rmm/ninjaone/tests"
BODY_KEYS = {path: body_key(path.removeprefix("/webhooks/")) for path in (SIGNING, STATIC)}
SOURCES: SourceByPath = {
    SIGNING: source("patchline", "rmm/patchline/tests", StandardWebhooks((KEY, unguessable())), BODY_KEYS[SIGNING]),
    STATIC: source(
        "ninjaone",
        "rmm/ninjaone/tests",
        StaticHeader(b"x-shared", (unguessable(), hashlib.sha256(SECRET.encode()).digest())),
        BODY_KEYS[STATIC],
    ),
}


def signed(body: bytes, *, delivery: str = "msg_1", at: datetime | None = None, key: bytes = KEY) -> dict[str, str]:
    """Return the headers of a delivery signed by the tests' own source."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    signature = hmac.new(key, f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": delivery,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


PATIENT = Limits(budget_seconds=15)
"""Tests share the machine: the budget is for those that are about it."""


@asynccontextmanager
async def running_writer(
    kafka: str, *, topic: Topic = RMM_RAW, limits: Limits | None = None
) -> AsyncIterator[RawWriter]:
    """Yield a writer that runs; it is drained at the end."""
    writer = RawWriter(kafka=kafka, topic=topic, progress=Progress(), limits=limits or PATIENT)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.run(stopping))
        try:
            yield writer
        finally:
            stopping.set()


class Impatient(BoundedHead):
    """Waits as long for a head as a test can."""

    head_seconds = 1.0


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """A door and a client that knocks."""

    client: httpx.AsyncClient
    port: int
    sources: KnownSources


@asynccontextmanager
async def open_door(
    kafka: str,
    *,
    sources: SourceByPath | None = SOURCES,
    limits: Limits | None = None,
    uploads: Uploads | None = None,
    clock: Clock | None = None,
    spool_dsn: str = NO_DATABASE,
    spool_limits: SpoolLimits | None = None,
    breaker: Breaker | None = None,
    blobs: BlobStore | None = None,
    from_bytes: int = 2 * 1024 * 1024,
    rate: Rate | None = None,
    exposure_keys: ExposureKeys = NO_KEYS,
) -> AsyncIterator[OpenDoor]:
    """Yield a door that believes `sources` and writes to the brokers at `kafka`, else to the spool at `spool_dsn`."""
    keys = CurrentKeys({}, FILE)
    known = KnownSources(dsn="", sealing_key=SealingKey(b"k" * 32), keys=keys, refresh_seconds=1, progress=Progress())
    known.by_path = sources
    port = ports.claimed(0, setting="")
    stopping = asyncio.Event()
    async with (
        running_spool(spool_dsn, limits=spool_limits) as spool,
        running_writer(kafka, limits=limits) as writer,
        running_writer(kafka, topic=RMM_RAW_BULK, limits=limits) as bulk_writer,
        running_writer(kafka, topic=PSA_RAW, limits=limits) as psa_writer,
        running_writer(kafka, topic=EXPOSURES_RAW, limits=limits) as exposure_writer,
    ):
        breaker = breaker or Breaker()
        live, bulk, psa, exposures = (
            Durable(writer=each, spool=spool, breaker=breaker)
            for each in (writer, bulk_writer, psa_writer, exposure_writer)
        )
        door = Door(
            sources=known,
            ways=Ways(live=live, bulk=bulk, psa=psa, exposures=exposures, rate=rate or Rate(10_000, 100_000)),
            large=LargeBodies(blobs or HeldBlobs(), from_bytes=from_bytes),
            clock=clock or moved_clock(0),
            trace_ratio=0.5,
            uploads=uploads or Uploads(),
            exposure_keys=exposure_keys,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(door, host=ports.LOOPBACK, port=port, stopping=stopping, protocol=Impatient))
            await _listening(port)
            async with httpx.AsyncClient(base_url=f"http://{ports.LOOPBACK}:{port}", timeout=15) as client:
                try:
                    yield OpenDoor(client, port, known)
                finally:
                    stopping.set()


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(ports.LOOPBACK, port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


class RawTopic:
    """What was written to a topic since a mark."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self._consumer = consumer
        self._partitions = [TopicPartition(topic, each) for each in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(self._partitions)

    async def mark(self) -> None:
        """Forget what is there."""
        await self._consumer.seek_to_end(*self._partitions)
        for each in self._partitions:
            await self._consumer.position(each)

    async def standing(self) -> list[Any]:
        """Return every record that is there now since the mark: nothing is waited for."""
        ends = await self._consumer.end_offsets(self._partitions)
        records: list[Any] = []
        while any([await self._consumer.position(each) < ends[each] for each in self._partitions]):
            batches = await self._consumer.getmany(timeout_ms=200)
            records += [record for batch in batches.values() for record in batch]
        return records


@asynccontextmanager
async def raw_topic(kafka: str, topic: str = RMM_RAW.name) -> AsyncIterator[RawTopic]:
    """Yield what is written to `topic` from now on."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, enable_auto_commit=False, fetch_max_wait_ms=20)
    await consumer.start()
    try:
        consumer.unsubscribe()
        raw = RawTopic(consumer, topic)
        await raw.mark()
        yield raw
    finally:
        await consumer.stop()


def header(record: Any, name: str) -> str:
    """Return one header of a record."""
    [value] = [value for each, value in record.headers if each == name]
    return str(value.decode())


def opened_bodies(records: list[Any]) -> list[bytes]:
    """Return the bodies of records in clear."""
    return [opened(record, *BODY_KEYS.values()).body for record in records]


def raw_ids(records: list[Any]) -> list[UUID]:
    """Return the raw ids of records."""
    return [UUID(header(record, "raw_id")) for record in records]


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """Return `headers` without some of them."""
    return {name: value for name, value in headers.items() if name not in names}

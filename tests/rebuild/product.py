"""Translate, inventory and compliance in the test's own process, on real parts; the day comes in as raw records."""

import asyncio
import json
import os
import secrets
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.platform import Platform, platform
from chassis.postgres import prepare_connection
from chassis.running import Part
from contracts import ids
from contracts.envelope import encode
from contracts.raw import RawDelivery, headers_of, own_headers
from contracts.topics import ASSETS, BY_NAME, CLIENTS, RMM_EVENTS, RMM_EVENTS_BULK, RMM_RAW, RMM_RAW_BULK
from patchline.demo.registration import organisation_of
from patchline.rebuild.commands import RebuildSettings, rebuilt
from patchline.rebuild.rules import Report
from patchline.rebuild.run import Show, Wanted
from services.compliance import app as compliance_app
from services.compliance import store_commands_catalog
from services.compliance.catalog.bundled import BUNDLED
from services.compliance.catalog.document import document
from services.compliance.figures import Figures
from services.compliance.loops import Loop
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policy import DEFAULT_1
from services.compliance.rechecks import Rechecks
from services.compliance.store_catalog import CatalogShelf
from services.compliance.timers import Timers
from services.gateway.keys.bodies import BodyKey, BodySeal, SealedRecord
from services.gateway.keys.key_sealing import FileSealer
from services.gateway.keys.safe import opened_safe
from services.gateway.keys.sealing import new_sealing_key, read_sealing_key
from services.gateway.translation import translate_app
from services.gateway.translation.parked import ReleaseParked
from services.inventory import app as inventory_app
from simulators.day import day
from simulators.deliveries import Delivery, Nature
from simulators.fleet import CLIENTS as FLEET_CLIENTS
from simulators.fleet import PATCHLINE_SCRIPTS, SOURCES, Source
from simulators.plan import plan
from simulators.script import EVENING
from tests.builders import client_changed
from tests.parts import Database

GATEWAY_TOPICS = (RMM_RAW.name, RMM_RAW_BULK.name)
SERVICE_TOPICS = (RMM_EVENTS.name, RMM_EVENTS_BULK.name, ASSETS.name, CLIENTS.name)


DEVICES = 20
HELD_BACK = 60
"""So many deliveries of the day come later, when a test wants the services to go on."""


HALF_LONG_AGO = """
    UPDATE gateway.translated SET recorded_at = recorded_at - interval '1 hour'
    WHERE get_byte(uuid_send(event_id), 0) % 2 = 0
"""
"""So that a rebuild finds events that were claimed long ago, and others that were claimed just now."""


def quiet(_title: str, _done: int, _total: int) -> None:
    """Show nothing."""


def days_deliveries(devices: int, seed: int = 7) -> list[RawDelivery]:
    """Return what a day's vendors deliver and the door lets through, in the order in which it is sent."""
    start = EVENING - timedelta(hours=21)
    sent = [each for each in plan(day(seed=seed, devices=devices)).deliveries if each.nature is not Nature.FORGED]
    return _listings(start) + [_raw(each, start + timedelta(seconds=number)) for number, each in enumerate(sent)]


def _listings(at: datetime) -> list[RawDelivery]:
    """Return what two scripts list of applications: one of them again later, and then a part of it."""
    told = [
        _listing(at, "listed-1", "l-1", ["7-Zip", "openssl"], complete=True),
        _listing(at, "listed-2", "l-2", ["curl"], complete=True),
        _listing(at + timedelta(hours=1), "listed-1", "l-3", ["openssl", "vim"], complete=True),
        _listing(at + timedelta(hours=2), "listed-1", "l-4", ["git"], complete=False),
    ]
    return [
        RawDelivery(
            raw_id=ids.new_raw_id(),
            vendor=PATCHLINE_SCRIPTS.vendor,
            source=PATCHLINE_SCRIPTS.full_name,
            received=at + timedelta(hours=3),
            channel="webhook",
            body=json.dumps(each).encode(),
            delivery=f"listing-{number}",
        )
        for number, each in enumerate(told)
    ]


def _listing(at: datetime, device: str, listing: str, names: Sequence[str], *, complete: bool) -> dict[str, object]:
    told = {"device": device, "organisation": FLEET_CLIENTS[0].name, "listing": listing, "complete": complete}
    applications = [{"name": name, "version": "1"} for name in names]
    return {
        "type": "device.applications_listed",
        "timestamp": at.isoformat(),
        "data": {**told, "applications": applications},
    }


def _raw(sent: Delivery, at: datetime) -> RawDelivery:
    told = sent.happening
    received = max(at, told.at + timedelta(seconds=2)) if told else at
    return RawDelivery(
        raw_id=ids.new_raw_id(),
        vendor=sent.source.vendor,
        source=sent.source.full_name,
        received=received,
        channel="webhook",
        body=sent.body,
        delivery=sent.delivery_id,
    )


@dataclass
class Product:
    """The three processes, started and stopped by the test."""

    database: Database
    kafka: str
    key_file: Path
    offset: float = 0
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    looker: AIOKafkaConsumer | None = None
    seals: dict[str, BodySeal] = field(default_factory=dict)
    held_back: list[RawDelivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offset = (EVENING - datetime.now(UTC)).total_seconds()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    async def start(self, *names: str) -> None:
        """Start these processes, or all."""
        self.stopping = asyncio.Event()
        self.stack = AsyncExitStack()
        for name in names or ("gateway", "inventory", "compliance"):
            parts = await getattr(self, f"_{name}")()
            self.tasks += [asyncio.create_task(part.run(self.stopping)) for part in parts]

    async def stop(self) -> None:
        self.stopping.set()
        await asyncio.gather(*self.tasks)
        self.tasks = []
        await self.stack.aclose()

    def _settings(self, kind: Any, role: str) -> Any:
        return kind(
            database_url=self.database.writer(role),
            kafka=self.kafka,
            clock_offset_seconds=self.offset,
            **({"sealing_key_file": self.key_file} if role == "gateway" else {}),
        )

    async def _gateway(self) -> Sequence[Part]:
        settings = self._settings(translate_app.TranslateSettings, "gateway")
        on = await self.stack.enter_async_context(platform(settings, "test-gateway"))
        safe = await self.stack.enter_async_context(opened_safe(settings, on.pool.acquire))
        return [*translate_app.consumers(settings, on, safe), ReleaseParked(on), on.relay]

    async def _inventory(self) -> Sequence[Part]:
        settings = self._settings(inventory_app.InventorySettings, "inventory")
        on = await self.stack.enter_async_context(platform(settings, "test-inventory"))
        return [*inventory_app.consumers(settings, on), on.relay]

    async def _compliance(self) -> Sequence[Part]:
        settings = self._settings(compliance_app.ComplianceSettings, "compliance")
        on = await self.stack.enter_async_context(platform(settings, "test-compliance"))
        shelf = CatalogShelf()
        return [*compliance_app.consumers(settings, on, shelf), *_loops(on, shelf), on.relay]

    async def take(self, deliveries: Iterable[RawDelivery], topic: str = RMM_RAW.name) -> None:
        """Put deliveries into a raw topic, as accept does, over several partitions."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all")
        await producer.start()
        for number, each in enumerate(deliveries):
            record = self._sealed(each)
            await producer.send(topic, record.value, headers=record.headers, partition=number % 4)
        await producer.stop()

    def _sealed(self, each: RawDelivery) -> SealedRecord:
        seal = self.seals.get(each.source)
        if seal is None:
            return SealedRecord(headers_of(each), each.body)
        own = own_headers(str(each.raw_id), each.received, delivery=each.delivery, traceparent=None)
        return seal.record(own, each.body)

    async def seal_bodies_of(self, source: Source) -> None:
        """Let the bodies of one source be sealed with a data key of its own from now on."""
        key, key_id = secrets.token_bytes(32), str(uuid4())
        wrapped = await FileSealer(read_sealing_key(self.key_file)).wrap(key, source_id=source.full_name, key_id=key_id)
        await self.execute(
            "INSERT INTO gateway.data_key (key_id, source_id, sealer, wrapped) VALUES ($1, $2, 'file', $3)",
            UUID(key_id),
            source.full_name,
            wrapped,
        )
        body_key = BodyKey(key_id, source.full_name, AESGCM(key))
        self.seals[source.full_name] = BodySeal(body_key, vendor=source.vendor, channel="webhook")

    async def prepare(self) -> None:
        """Add the fleet's clients and sources, whose devices they are, and the catalog."""
        admin = await asyncpg.connect(self.database.admin)
        for client in FLEET_CLIENTS:
            tenant = ids.tenant_id(client.name)
            await admin.execute(
                "INSERT INTO gateway.client VALUES ($1, $2, $3, NULL, NULL, now(), now())",
                tenant,
                client.name,
                client.zone,
            )
        for source in SOURCES:
            await admin.execute(
                "INSERT INTO gateway.source (source_id, vendor, name, scheme, header_name, added_at) "
                "VALUES ($1, $2, $3, 'static-header', 'x', now())",
                source.full_name,
                source.vendor,
                source.name,
            )
            for client in FLEET_CLIENTS:
                called = organisation_of(source, client)
                await admin.execute(
                    "INSERT INTO gateway.client_mapping VALUES ($1, $2, NULL, $3, NULL, NULL)",
                    source.full_name,
                    called,
                    ids.tenant_id(client.name),
                )
        await admin.close()
        operator = await asyncpg.connect(self.database.operator)
        await prepare_connection(operator)
        async with operator.transaction():
            catalog = document(BUNDLED.read_text())
            await store_commands_catalog.add(operator, catalog, EVENING - timedelta(days=3))
        await operator.close()
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all")
        await producer.start()
        for client in FLEET_CLIENTS:
            message = encode(client_changed(client.name, sequence=1, tenant=ids.tenant_id(client.name)))
            await producer.send(CLIENTS.name, message.value, message.key, headers=message.headers)
        await producer.stop()

    async def rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        admin = await asyncpg.connect(self.database.admin)
        try:
            return [dict(row) for row in await admin.fetch(sql, *arguments)]
        finally:
            await admin.close()

    async def execute(self, sql: str, *arguments: object) -> str:
        admin = await asyncpg.connect(self.database.admin)
        try:
            return await admin.execute(sql, *arguments)
        finally:
            await admin.close()

    async def settle(self, seconds: float = 300, only: str = "") -> None:
        """Wait until nothing is on its way any more and nothing is to be decided, by all or by `only` one of them."""
        async with asyncio.timeout(seconds):
            calm = 0
            while calm < 3:
                for task in self.tasks:
                    if task.done():
                        task.result()
                calm = calm + 1 if await self._is_calm(only) else 0
                await asyncio.sleep(0.2)

    async def _is_calm(self, only: str) -> bool:
        for schema, (idle, names) in _CALM.items():
            if only in {"", schema}:
                [row] = await self.rows(idle, self.now)
                if not row["idle"] or not await self._has_read(schema, names):
                    return False
        return True

    async def _has_read(self, schema: str, names: Sequence[str]) -> bool:
        ends = await self.ends(names)
        rows = await self.rows(f"SELECT topic, partition, next_offset FROM {schema}.watermark")
        places = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        return all(places.get(each, 0) == end for each, end in ends.items())

    async def ends(self, names: Sequence[str]) -> dict[TopicPartition, int]:
        """Return where each partition of these topics ends."""
        if self.looker is None:
            self.looker = AIOKafkaConsumer(bootstrap_servers=self.kafka)
            await self.looker.start()
        partitions = [TopicPartition(name, n) for name in names for n in range(BY_NAME[name].partitions)]
        found: dict[TopicPartition, int] = await self.looker.end_offsets(partitions)
        return found

    async def rebuild(self, service: str, *, show: Show = quiet, **wanted: bool) -> Report:
        """Run the command's own work."""
        settings = RebuildSettings(
            kafka=self.kafka,
            admin_url=self.database.admin,
            sealing_key_file=self.key_file,
            clock_offset_seconds=self.offset,
        )
        return await rebuilt(settings, service, Wanted(**wanted), show)

    async def type(self, *words: str) -> tuple[int, str]:
        """Type a command as an operator does, and return its exit code and what it printed."""
        settings = {
            "PATCHLINE_KAFKA": self.kafka,
            "PATCHLINE_ADMIN_URL": self.database.admin,
            "PATCHLINE_SEALING_KEY_FILE": str(self.key_file),
            "PATCHLINE_CLOCK_OFFSET_SECONDS": str(self.offset),
            "PATCHLINE_HOME": str(self.key_file.parent),
        }
        command = (sys.executable, "-m", "patchline", *words)
        running = await asyncio.create_subprocess_exec(*command, env=os.environ | settings, stdout=PIPE)
        printed, _ = await running.communicate()
        return running.returncode or 0, printed.decode()


_CALM = {
    "gateway": (
        "SELECT count(*) = 0 AS idle FROM gateway.outbox_waiting WHERE $1::timestamptz IS NOT NULL",
        GATEWAY_TOPICS,
    ),
    "inventory": (
        "SELECT count(*) = 0 AS idle FROM inventory.outbox_waiting WHERE $1::timestamptz IS NOT NULL",
        (RMM_EVENTS.name, RMM_EVENTS_BULK.name, CLIENTS.name),
    ),
    "compliance": (
        """SELECT (SELECT count(*) FROM compliance.outbox_waiting) + (SELECT count(*) FROM compliance.recheck)
                  + (SELECT count(*) FROM compliance.figure_touched)
                  + (SELECT count(*) FROM compliance.obligation WHERE next_change_at <= $1) = 0 AND version > 0 AS idle
           FROM compliance.catalog_applied""",
        SERVICE_TOPICS,
    ),
}
"""By schema: whether nothing waits in it, and which topics it reads."""


def _loops(on: Platform, shelf: CatalogShelf) -> list[Loop]:
    timers = Loop("timers", Timers(on, shelf, DEFAULT_1).ring, on.progress, seconds=0.2)
    rechecks = Loop("rechecks", Rechecks(on, shelf, DEFAULT_1).recheck, on.progress, seconds=0.2)
    figures = Loop("figures", Figures(on, shelf, DEFAULT_1).publish, on.progress, seconds=0.2)
    policies = Loop("policies", PolicyNotices(on).notice, on.progress, seconds=0.2)
    return [timers, rechecks, figures, policies]


@asynccontextmanager
async def running(database: Database, kafka: str, folder: Path) -> AsyncIterator[Product]:
    """Yield the product after a day of a small fleet: all of it heard, nothing on its way."""
    key_file = folder / "sealing.key"
    key_file.write_text(new_sealing_key())
    product = Product(database, kafka, key_file)
    await product.prepare()
    await product.seal_bodies_of(PATCHLINE_SCRIPTS)
    deliveries = days_deliveries(devices=DEVICES)
    product.held_back = deliveries[-HELD_BACK:]
    await product.take(deliveries[:-HELD_BACK])
    await product.start()
    try:
        await product.settle()
        await product.execute(HALF_LONG_AGO)
        yield product
    finally:
        await product.stop()
        if product.looker is not None:
            await product.looker.stop()

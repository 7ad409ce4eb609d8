"""Lanes: does a resync delay a failure? The same live load, in turns beside nothing and beside a resync in bulk.

Live: signed webhooks of which some are the first failure of another patch, each opening a ticket in a real Roundup.
Bulk: a vendor's resync, sent to the bulk route as fast as the door takes it: everything about every device of a fleet.
"""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.report import Figure
from bench.sender import BULK_PATH, Sender, register, run_patchline
from bench.thread import opened_by_patch
from patchline.stack.stack import Stack

FULL_EVENTS: Final = 100_000
REDUCED_EVENTS: Final = 5_000
EVENTS_IN_A_BODY: Final = 20
EVENTS_OF_A_DEVICE: Final = 20
SENDERS: Final = 2
QUIET_SECONDS: Final = 30.0
REDUCED_QUIET_SECONDS: Final = 12.0
WARM_UP_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 2.0
LIVE_PER_SECOND: Final = 20
FAILURE_EVERY: Final = 4
LONGEST_SECONDS: Final = 1200
LATEST_TICKET_SECONDS: Final = 60
REACH: Final = 1.5
MACHINES: Final = tuple(f"live-{number:02}" for number in range(50))
"""Whose failures these are, each in its turn."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many bulk events one resync has, and how long live work is measured alone before and after it."""

    events: int
    quiet_seconds: float


FULL: Final = Size(FULL_EVENTS, QUIET_SECONDS)
REDUCED: Final = Size(REDUCED_EVENTS, REDUCED_QUIET_SECONDS)


@dataclass(slots=True)
class Measured:
    """When each first failure was accepted and its ticket told, by phase, and how long the resync took."""

    opened: Mapping[str, float]
    phase: str = "warm-up"
    accepted: dict[str, tuple[str, float]] = field(default_factory=dict)
    resync_seconds: float = 0.0

    def waits(self, phase: str) -> list[float]:
        """Return the milliseconds from acceptance to ticket of the failures of one phase."""
        return [
            (self.opened[patch] - at) * 1000
            for patch, (its, at) in self.accepted.items()
            if its == phase and patch in self.opened
        ]

    def is_complete(self) -> bool:
        """Return whether every failure has its ticket."""
        return self.accepted.keys() <= self.opened.keys()


async def lanes_stage(stack: Stack, size: Size) -> list[Figure]:
    """Return p99 quiet, p99 beside a resync, their ratio, and how long the resync took."""
    secret = await asyncio.to_thread(register, stack.home)
    await asyncio.to_thread(run_patchline, stack.home, "catalog", "load")
    limits = httpx.Limits(max_connections=200)
    async with (
        opened_by_patch(stack) as opened,
        httpx.AsyncClient(base_url=stack.around.gateway_url, trust_env=False, timeout=60, limits=limits) as client,
        _progress(stack) as progress,
    ):
        measured = Measured(opened)
        sender = Sender(client, secret)
        await sender.until_believed()
        for each in MACHINES:
            (await sender.introduce(each)).raise_for_status()
        living = asyncio.create_task(_live(sender, measured))
        await asyncio.sleep(WARM_UP_SECONDS)
        await _quiet(measured, size)
        await _resync(sender, measured, progress, resync_bodies(size.events, 0))
        await _quiet(measured, size)
        measured.phase = "over"
        if living.done():
            living.result()
        living.cancel()
        async with asyncio.timeout(LATEST_TICKET_SECONDS):
            while not measured.is_complete():
                await asyncio.sleep(0.1)
    return _figures(measured, size)


async def _quiet(measured: Measured, size: Size) -> None:
    measured.phase = "quiet"
    await asyncio.sleep(size.quiet_seconds)


async def _resync(sender: Sender, measured: Measured, progress: "_Progress", bodies: Iterator[bytes]) -> None:
    """Send one resync and wait until all of it is folded."""
    measured.phase = "resync"
    started = time.monotonic()
    await asyncio.gather(*(_send(sender, bodies) for _ in range(SENDERS)))
    async with asyncio.timeout(LONGEST_SECONDS):
        while await progress.behind():
            await asyncio.sleep(0.5)
    measured.resync_seconds = time.monotonic() - started
    measured.phase = "settling"
    await asyncio.sleep(SETTLE_SECONDS)


async def _send(sender: Sender, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        response = await sender.post(BULK_PATH, body)
        response.raise_for_status()


async def _live(sender: Sender, measured: Measured) -> None:
    """Send the live load for as long as we are let."""
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        number = 0
        while True:
            await asyncio.sleep(max(0.0, started + number / LIVE_PER_SECOND - time.monotonic()))
            tasks.create_task(_one(sender, measured, number))
            number += 1


async def _one(sender: Sender, measured: Measured, number: int) -> None:
    if number % FAILURE_EVERY:
        response = await sender.send("device.updated", facts={"location": f"rack {number}"})
        response.raise_for_status()
        return
    patch, phase = f"live0-{number:06}", measured.phase
    device = MACHINES[number // FAILURE_EVERY % len(MACHINES)]
    response = await sender.send("patch.install_failed", device=device, patch={"patch": patch, "product": "Bench"})
    response.raise_for_status()
    measured.accepted[patch] = phase, time.monotonic()


def resync_bodies(events: int, number: int) -> Iterator[bytes]:
    """Yield the bodies of one resync: device by device what it is, what it lacked, installed and failed to install."""
    told = [
        event
        for device in range(events // EVENTS_OF_A_DEVICE)
        for event in _history(f"fleet-{device:05}", datetime.now(UTC) - timedelta(days=30), number)
    ]
    for start in range(0, len(told), EVENTS_IN_A_BODY):
        yield json.dumps({"events": told[start : start + EVENTS_IN_A_BODY]}).encode()


def _history(device: str, begin: datetime, number: int) -> list[dict[str, object]]:
    facts = {
        "hostname": device.upper(),
        "os_family": "windows",
        "os_name": "Windows Server 2022",
        "os_build": f"10.0.20348.{2900 + number}",
        "tier": "server",
    }
    cumulative = {"patch": "KB5049983", "kb": "5049983", "severity": "critical"}
    events: list[tuple[str, dict[str, object]]] = [("device.seen", {"facts": facts}), ("device.booted", {})]
    events += [("patch.detected", {"patch": cumulative})]
    for patch in range(8):
        events += [(f"patch.{verb}", {"patch": _other(patch)}) for verb in ("detected", "install_reported")]
    events.append(("patch.install_failed", {"patch": _other(int(device[-1]) + 10)}))
    return [
        _event(type_, device, content, begin + timedelta(minutes=place, seconds=number))
        for place, (type_, content) in enumerate(events)
    ]


def _other(number: int) -> dict[str, object]:
    return {"patch": f"bulk-{number:02}", "product": "Bench"}


def _event(type_: str, device: str, content: dict[str, object], at: datetime) -> dict[str, object]:
    moment = at.isoformat()
    also = {"device.booted": {"booted_at": moment}, "patch.detected": {"scanned_at": moment}}.get(type_, {})
    return {
        "type": type_,
        "timestamp": moment,
        "data": {"device": device, "organisation": "Bench", **content, **also},
    }


BEHIND: Final[LiteralString] = """
    SELECT topic, partition, next_offset FROM gateway.watermark WHERE consumer_group = 'gateway-bulk'
    UNION ALL
    SELECT topic, partition, next_offset FROM inventory.watermark WHERE consumer_group = 'inventory-bulk'
    UNION ALL
    SELECT topic, partition, next_offset FROM compliance.watermark WHERE consumer_group = 'compliance-bulk'
"""
UNSENT: Final[LiteralString] = (
    "SELECT coalesce(sum(records), 0)::bigint FROM gateway.outbox_waiting WHERE topic = 'rmm.events.bulk'"
)


class _Progress:
    """Tells how much of the bulk is not folded yet."""

    def __init__(self, consumer: AIOKafkaConsumer, database: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._consumer = consumer
        self._database = database

    async def behind(self) -> int:
        """Return how many records the bulk lanes have not handled, on their way to the next topic included."""
        rows = await self._database.fetch(BEHIND)
        ends = await self._consumer.end_offsets([TopicPartition(row["topic"], row["partition"]) for row in rows])
        lag = sum(ends[TopicPartition(row["topic"], row["partition"])] - row["next_offset"] for row in rows)
        return int(lag + await self._database.fetchval(UNSENT))


@asynccontextmanager
async def _progress(stack: Stack) -> AsyncIterator[_Progress]:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.around.kafka)
    await consumer.start()
    database = await asyncpg.connect(stack.around.database)
    try:
        yield _Progress(consumer, database)
    finally:
        await database.close()
        await consumer.stop()


def _figures(measured: Measured, size: Size) -> list[Figure]:
    waits = (measured.waits(phase) for phase in ("quiet", "resync"))
    quiet, beside = (statistics.quantiles(each, n=100, method="inclusive") for each in waits)
    ratio = round(beside[98] / quiet[98], 2)
    return [
        Figure(
            stage="lanes: live failure to ticket beside a resync, p99",
            value=round(beside[98], 1),
            unit="ms",
            floor=round(quiet[98], 1),
            ratio=ratio,
            reach=f"ratio <= {REACH:g}",
            ok=ratio <= REACH,
        ),
        Figure(stage="lanes: the same, p50", value=round(beside[49], 1), unit="ms", floor=round(quiet[49], 1)),
        Figure(
            stage=f"lanes: resync of {size.events:,} events until folded",
            value=round(measured.resync_seconds, 1),
            unit="s",
        ),
    ]

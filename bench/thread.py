"""The whole thread: from a webhook's 202 to its ticket, read back from the tracker and told on `tickets`.

Load: 500 signed webhooks a second over HTTP, one event each, of ten clients, each with a source of its own. Five a
second are the first failure of another patch, one each 0.2 s, so that five tickets a second are opened in a real
Roundup; the rest is an ordinary day. See `bench.paced`, the process that sends them.
"""

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from aiokafka import AIOKafkaConsumer

from bench.clients import Client, registered
from bench.paced import Sent, sent
from bench.report import Figure, at_most
from bench.streams import Stream
from contracts import topics
from contracts.envelope import decode
from contracts.events.ticket import TicketOpened
from patchline.stack.stack import Stack

PER_SECOND: Final = 500
TICKETS_PER_SECOND: Final = 5
SECONDS: Final = 60
WARM_UP_SECONDS: Final = 5
LATEST_SECONDS: Final = 60
P50_MS: Final = 200
P99_MS: Final = 1_000
PATCH: Final = re.compile(r"\b[a-z]+\d+-\d{6}\b")
"""What `bench.paced` calls the patches that fail, as it stands in a ticket's title."""


async def thread_stage(stack: Stack, *, seconds: int = SECONDS) -> list[Figure]:
    """Return the latency figures in milliseconds, and how well the load kept its pace.

    Raises:
        RuntimeError: a delivery was not accepted, and not asked for again; the message says what was answered.
        TimeoutError: a ticket was not told.
    """
    clients = await registered(stack)
    async with opened_by_patch(stack) as opened:
        port = port_of(stack)
        await accepted(port, [warming(each, clients) for each in clients])
        found = await accepted(port, [_stream(each, clients, "thread", seconds) for each in clients])
        await all_opened(found.accepted, opened)
    return _figures(found, waits_ms(found.accepted, opened))


def warming(client: Client, clients: list[Client]) -> Stream:
    """Return what makes a client's machines known, and a few of its failures."""
    return replace(_stream(client, clients, "warm", WARM_UP_SECONDS), introduces=True)


def _stream(client: Client, clients: list[Client], patches: str, seconds: float) -> Stream:
    number = clients.index(client)
    return Stream(
        path=client.path,
        secret=client.secret,
        organisation=client.name,
        patches=f"{patches}{number}-",
        per_second=PER_SECOND / len(clients),
        failing=TICKETS_PER_SECOND / len(clients),
        seconds=seconds,
        begins=number / PER_SECOND,
        phase=number / len(clients),
    )


async def accepted(port: int, streams: list[Stream]) -> Sent:
    """Send the streams.

    Raises:
        RuntimeError: a delivery was not accepted, and not asked for again; the message says what was answered.
    """
    found = await sent(port, streams)
    if found.refused:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found.refused.items()))
        raise RuntimeError(f"of {found.deliveries} deliveries not accepted: {reasons}")
    return found


def port_of(stack: Stack) -> int:
    """Return where the door listens."""
    return int(stack.around.gateway_url.rpartition(":")[2])


@asynccontextmanager
async def opened_by_patch(stack: Stack) -> AsyncIterator[dict[str, float]]:
    """Yield what fills with the moment at which each ticket was told, by the patch in its title."""
    consumer = AIOKafkaConsumer(
        topics.TICKETS.name, bootstrap_servers=stack.around.kafka, auto_offset_reset="latest", fetch_max_wait_ms=50
    )
    await consumer.start()
    opened: dict[str, float] = {}
    listening = asyncio.create_task(_listen(consumer, opened))
    try:
        yield opened
    finally:
        listening.cancel()
        await consumer.stop()


async def _listen(consumer: AIOKafkaConsumer, opened: dict[str, float]) -> None:
    async for record in consumer:
        event = decode(record.headers, record.value)
        if isinstance(event.data, TicketOpened) and (patch := PATCH.search(event.data.title)):
            opened[patch[0]] = time.monotonic()


async def all_opened(patches: Collection[str], opened: Mapping[str, float]) -> None:
    """Wait until each of these patches has its ticket.

    Raises:
        TimeoutError: one has none.
    """
    async with asyncio.timeout(LATEST_SECONDS):
        while any(each not in opened for each in patches):
            await asyncio.sleep(0.1)


def waits_ms(accepted_at: Mapping[str, float], opened: Mapping[str, float]) -> list[float]:
    """Return the milliseconds from each acceptance to its ticket."""
    return [(opened[patch] - at) * 1000 for patch, at in accepted_at.items()]


def _figures(found: Sent, waits: list[float]) -> list[Figure]:
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    load = f"{PER_SECOND} events/s, {TICKETS_PER_SECOND} tickets/s"
    return [
        at_most(f"thread: webhook accepted to ticket at {load}, p50", cuts[49], "ms", P50_MS),
        at_most("thread: the same, p99", cuts[98], "ms", P99_MS),
        Figure(stage="thread: how late its load left, p99", value=found.late_ms, unit="ms"),
        Figure(stage="thread: deliveries that the door asked to have again", value=found.again, unit="deliveries"),
    ]

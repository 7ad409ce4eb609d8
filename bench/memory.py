"""Memory: what each process of the product weighs while many events go the whole way, from the door to the figures.

They come as fast as the door takes them, and the stage ends when every consumer is behind all of them. How far a
process had come when it was weighed is told by its own CPU time: one that starts late or is slow is judged alike.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import memory_load, sizes
from bench.measured import connected, cpu_seconds, resident_mib
from bench.report import Figure
from bench.sender import CLIENT, PATH, Sender, register, run_patchline
from chassis.postgres import Connection
from patchline.stack.stack import Stack

SENDERS: Final = 4
SIZED_EVERY_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 1800
FEED: Final = "exposure/patchline/weighed"
STANDS: Final[LiteralString] = """
    SELECT topic, partition, next_offset FROM gateway.watermark
    UNION ALL SELECT topic, partition, next_offset FROM inventory.watermark
    UNION ALL SELECT topic, partition, next_offset FROM compliance.watermark
    UNION ALL SELECT topic, partition, next_offset FROM ticketing.watermark
    UNION ALL SELECT topic, partition, next_offset FROM credentials.watermark
"""


async def memory_stage(stack: Stack, *, events: int) -> list[Figure]:
    """Return, for each process, its largest resident memory and how much each 100,000 events add, over `events`."""
    looks = _Looks(stack)
    begin = datetime.now(UTC) - timedelta(milliseconds=events)
    limits = httpx.Limits(max_connections=SENDERS)
    async with (
        httpx.AsyncClient(base_url=stack.around.gateway_url, trust_env=False, timeout=60, limits=limits) as client,
        asyncio.timeout(LONGEST_SECONDS),
    ):
        sender, feed = await _senders(stack, client)
        bodies, found = memory_load.bodies(events, begin), memory_load.exposures(events, begin)
        async with looks.going_on():
            await asyncio.gather(*(_sent(sender, PATH, bodies) for _ in range(SENDERS)))
            await _sent(feed, f"/webhooks/{FEED}", found)
            await _all_handled(stack)
    return looks.figures(events)


async def _senders(stack: Stack, client: httpx.AsyncClient) -> tuple[Sender, Sender]:
    """Return who sends events and who sends exposures, both believed by the door."""
    sender = Sender(client, await asyncio.to_thread(register, stack.home))
    feed = Sender(client, await asyncio.to_thread(_registered_feed, stack))
    await asyncio.to_thread(run_patchline, stack.home, "catalog", "load")
    await sender.until_believed()
    async with asyncio.timeout(20):
        while (await feed.post(f"/webhooks/{FEED}", b'{"events": []}')).status_code != 202:
            await asyncio.sleep(0.2)
    return sender, feed


def _registered_feed(stack: Stack) -> str:
    secret = stack.home / "bench-feed.secret"
    if not secret.exists():
        vendor, _, name = FEED.rpartition("/")
        run_patchline(stack.home, "source", "add", vendor, name, "--secret-file", str(secret))
        run_patchline(stack.home, "client", "map", CLIENT, FEED, CLIENT)
    return secret.read_text().strip()


async def _sent(sender: Sender, path: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        (await sender.post(path, body)).raise_for_status()


async def _all_handled(stack: Stack) -> None:
    """Return when every consumer stood at the end of its topics twice in a row: nothing was on its way in between."""
    reader = AIOKafkaConsumer(bootstrap_servers=stack.around.kafka)
    await reader.start()
    try:
        async with connected(stack.around.database) as admin:
            at_end = 0
            while at_end < 2:
                await asyncio.sleep(LOOK_SECONDS)
                at_end = 0 if await _behind(reader, admin) else at_end + 1
    finally:
        await reader.stop()


async def _behind(reader: AIOKafkaConsumer, admin: Connection) -> int:
    rows = await admin.fetch(STANDS)
    ends = await reader.end_offsets({TopicPartition(row["topic"], row["partition"]) for row in rows})
    return sum(ends[TopicPartition(row["topic"], row["partition"])] - row["next_offset"] for row in rows)


@dataclass(slots=True)
class _Looks:
    """What each process weighed, and how long it had run by then."""

    stack: Stack
    mib: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Look at every process for so long."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()

    def figures(self, events: int) -> list[Figure]:
        """Return the rows of every process."""
        stage = f"memory, {events:,} events"
        return [
            figure
            for name, looks in self.mib.items()
            for figure in sizes.figures(stage, _by_events(looks, events), of=name)
        ]

    async def _look(self) -> None:
        while True:
            for name, child in self.stack.children.items():
                if child.pid is not None and name != "simulated-rmm":
                    self.mib[name].append((cpu_seconds(child.pid), resident_mib(child.pid)))
            await asyncio.sleep(SIZED_EVERY_SECONDS)


def _by_events(looks: list[tuple[float, float]], events: int) -> list[tuple[int, float]]:
    """Return the sizes by how many of the events a process had behind it: its share of all the time that it ran."""
    first, last = looks[0][0], looks[-1][0]
    took = max(last - first, 0.01)
    return [(round((ran - first) / took * events), mib) for ran, mib in looks]

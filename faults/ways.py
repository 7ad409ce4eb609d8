"""A proxy of ours on each way between the services and a part, for as long as a fault needs it.

The services alone go through: the judge looks at the parts themselves. Kafka's clients go where the broker says that it
is, so it listens on a second port, and tells whoever comes there the proxy's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from faults import ours
from faults.between import tracker_at
from faults.world import World
from patchline.local import ports
from patchline.local.kafka import SecondWay
from patchline.stack.programs import PROGRAMS, Program
from simulators.lossy_network import LossyNetwork, lossy_proxy
from simulators.slow_proxy import LOOPBACK, SlowProxy, slow_proxy

LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Ways:
    """What stands on the ways to Kafka, to the database and to the tracker."""

    kafka: SlowProxy
    database: SlowProxy
    tracker: SlowProxy

    @property
    def all(self) -> tuple[SlowProxy, ...]:
        """Return all of them."""
        return self.kafka, self.database, self.tracker

    def mend(self) -> None:
        """Let everything through again."""
        for each in self.all:
            each.mend()


@asynccontextmanager
async def proxied(world: World, network: LossyNetwork | None = None) -> AsyncIterator[Ways]:
    """Lead every service through proxies, whose connections cross `network` if there is one; in the end straight."""
    around = world.stack.around
    broker = ours.kafka(world)
    second, upstream = ports.claimed(0, setting=""), urlsplit(around.tracker_url).port or 80

    def proxy(port: int) -> AbstractAsyncContextManager[SlowProxy]:
        return slow_proxy(port) if network is None else lossy_proxy(network, port)

    async with (
        proxy(second) as kafka,
        proxy(urlsplit(around.database).port or 5432) as database,
        proxy(upstream) as tracker,
    ):
        tracker.put = addressed(tracker.port, upstream)
        broker.second_way = SecondWay(second, kafka.port)
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start, world.say)
        found = Ways(kafka, database, tracker)
        world.stack.lead(
            kafka=f"{LOOPBACK}:{kafka.port}",
            database=through(around.database, database.port),
            extra=tracker_at(f"http://{LOOPBACK}:{tracker.port}/", around.tracker_url),
        )
        try:
            await all_restarted(world)
            yield found
        finally:
            found.mend()
            world.stack.lead()
            await all_restarted(world)
            broker.second_way = None


def through(url: str, port: int) -> str:
    """Return a database's URL with another port of this machine."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{LOOPBACK}:{port}"))


def addressed(port: int, upstream: int) -> Callable[[bytes], bytes]:
    """Return what addresses a request to the tracker itself: it answers to its own name alone."""
    here, there = (b"%s:%d\r\n" % (LOOPBACK.encode(), each) for each in (port, upstream))

    def put(piece: bytes) -> bytes:
        return piece.replace(here, there, 1)

    return put


async def all_restarted(world: World, programs: tuple[Program, ...] = PROGRAMS) -> None:
    """Let services stop in order, and wait until each is there again with the settings of now."""
    children = {program.name: world.stack.children[program.name] for program in programs}
    for child in children.values():
        child.signal_stop()
    while any(world.stack.children[name] is child for name, child in children.items()):
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.gather(*(asyncio.to_thread(world.stack.wait_ready, program) for program in programs))
    world.recovery.taken()

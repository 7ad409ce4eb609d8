"""A broker that a test may kill, behind a proxy that may be slow: one for all tests that do such things."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from patchline.local import place, ports
from patchline.local.kafka import Kafka
from patchline.topics import apply_declared
from simulators.slow_proxy import SlowProxy, slow_proxy


@dataclass(frozen=True, slots=True)
class OwnKafka:
    """A broker with the declared topics. Whoever kills it starts it again, whoever slows it down mends it."""

    broker: Kafka
    proxy: SlowProxy

    @property
    def url(self) -> str:
        return f"{ports.LOOPBACK}:{self.proxy.port}"

    async def kill(self) -> None:
        """End it as a crash would."""
        await asyncio.to_thread(self.broker.kill)

    async def start(self) -> None:
        """Start it and return when it answers."""
        await asyncio.to_thread(self.broker.start, print)


@asynccontextmanager
async def running_own_kafka() -> AsyncIterator[OwnKafka]:
    port = ports.claimed(0, setting="")
    with place.throwaway_home() as home:
        async with slow_proxy(port) as proxy:
            broker = Kafka(home / "kafka", cache=place.cache(os.environ), port=port, advertised_port=proxy.port)
            own = OwnKafka(broker, proxy)
            await own.start()
            try:
                await apply_declared(own.url)
                yield own
            finally:
                proxy.mend()
                await asyncio.to_thread(broker.stop)

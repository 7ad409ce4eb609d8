"""A TCP proxy on this machine that is slow, hangs or breaks when told to: between us and Kafka or PostgreSQL, in tests.

Kafka's clients go where the broker says that it is, so its `advertised_port` must be the proxy's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536


@dataclass(slots=True)
class SlowProxy:
    """A proxy that runs. `delay_seconds` is how much later each piece of an answer comes; `flowing` not set: never."""

    port: int
    upstream: int
    delay_seconds: float = 0.0
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Let everything through at once."""
        self.flowing.set()

    def hang(self) -> None:
        """Take what is sent, and let nothing pass in either direction until `mend`."""
        self.flowing.clear()

    def mend(self) -> None:
        """Be quick, and let pass what was held back."""
        self.delay_seconds = 0.0
        self.flowing.set()

    def cut(self) -> None:
        """Break every connection that is open."""
        for writer in list(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        try:
            there_reader, there = await asyncio.open_connection(LOOPBACK, self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        try:
            await asyncio.gather(
                self._carry(reader, there, is_answer=False), self._carry(there_reader, writer, is_answer=True)
            )
        finally:
            self._open -= {writer, there}
            for each in (writer, there):
                each.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(_CHUNK_BYTES):
                if is_answer and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self.flowing.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def slow_proxy(upstream: int, *, port: int = 0) -> AsyncIterator[SlowProxy]:
    """Yield a proxy to `upstream`, a port of this machine, that listens on `port`; 0 takes a free one."""
    proxy = SlowProxy(port, upstream)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, port)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.mend()
        proxy.cut()

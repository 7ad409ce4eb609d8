"""A TCP proxy on this machine that is slow, hangs or breaks when told to: between us and Kafka or PostgreSQL, in tests.

Kafka's clients go where the broker says that it is, so its `advertised_port` must be the proxy's.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[int], Awaitable[Streams]]
"""Connects to a port of this machine."""


async def straight(port: int) -> Streams:
    """Connect to a port of this machine by the way that everybody takes."""
    return await asyncio.open_connection(LOOPBACK, port)


@dataclass(slots=True)
class SlowProxy:
    """A proxy that runs. `delay_seconds` is how much later each piece of an answer comes; `flowing` not set: never.

    `asking` not set: no question passes. While `is_refusing` every new connection is broken at once. `dial` is how it
    gets to `upstream`, and `put` what becomes of each piece of a question on its way there.
    """

    port: int
    upstream: int
    delay_seconds: float = 0.0
    is_refusing: bool = False
    dial: Dial = straight
    put: Callable[[bytes], bytes] = bytes
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    asking: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Let everything through at once."""
        self.mend()

    @property
    def connections(self) -> int:
        """Return how many connections it carries at the moment."""
        return len(self._open) // 2

    def hang(self) -> None:
        """Take what is sent, and let nothing pass in either direction until `mend`."""
        self.flowing.clear()
        self.asking.clear()

    def lose_answers(self) -> None:
        """Let what is asked be done, and nobody hear of it until `mend`."""
        self.flowing.clear()

    def mend(self) -> None:
        """Be quick, and let pass what was held back."""
        self.delay_seconds = 0.0
        self.is_refusing = False
        self.flowing.set()
        self.asking.set()

    def cut(self) -> int:
        """Break every connection that is open, and return how many there were."""
        broken = list(self._open)
        for writer in broken:
            writer.transport.abort()
        return len(broken) // 2

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        if self.is_refusing:
            writer.transport.abort()
            return
        try:
            there_reader, there = await self.dial(self.upstream)
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
                await (self.flowing if is_answer else self.asking).wait()
                writer.write(piece if is_answer else self.put(piece))
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def slow_proxy(
    upstream: int,
    *,
    port: int = 0,
    dial: Dial = straight,
    listening: socket.socket | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[SlowProxy]:
    """Yield a proxy to `upstream`, a port of this machine, that listens on `port`; 0 takes a free one.

    It listens on the socket `listening` instead, if there is one: that may be in another network. With `tls` it speaks
    that to whoever comes, and plainly to `upstream`.
    """
    proxy = SlowProxy(port, upstream, dial=dial)
    if listening is None:
        server = await asyncio.start_server(proxy.serve, LOOPBACK, port, ssl=tls)
    else:
        server = await asyncio.start_server(proxy.serve, sock=listening, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.mend()
        proxy.cut()

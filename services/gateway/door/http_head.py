"""HTTP whose request heads are bounded in size and in time: the server itself bounds neither, and anyone may knock."""

import asyncio
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 524_288
"""More than one read from the socket brings, which may hold a part of the body too."""


class BoundedHead(HttpToolsProtocol):
    """One connection. It is closed, without an answer, when a head is too long or takes too long to come."""

    head_seconds: ClassVar[float] = 10.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect the first head from now on."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it as we do not
        self._head_bytes = 0
        self._head_since: float | None = self.loop.time()
        self._watch = self.loop.call_later(self.head_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they make a head too long."""
        if self._head_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._head_bytes = 0
        self._head_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._head_since = None
        super().on_headers_complete()

    def _look(self) -> None:
        """Close the connection if its head has been coming for too long; look again later otherwise."""
        if self._head_since is not None and self.loop.time() - self._head_since >= self.head_seconds:
            self.transport.close()
            return
        self._watch = self.loop.call_later(self.head_seconds, self._look)

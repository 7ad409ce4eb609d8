"""An HTTP proxy on this machine that misbehaves when told to: between us and an outside system, for tests and faults.

Each connection is carried to one port, request by request. What a fault does to a request is decided before it is
forwarded; `Faults.seen` remembers every request with what was done to it.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from typing import Final

from simulators.wrong_answers import half, of_other_types, page, said

LOOPBACK: Final = "127.0.0.1"
TRICKLE_SECONDS: Final = 0.2
_END_OF_HEAD: Final = b"\r\n\r\n"
_LINGER: Final = struct.pack("ii", 1, 0)
"""Close without the goodbye: the other side gets a reset."""


class Fault(StrEnum):
    """What happens to one request. `AFTER`: it was carried out, and only its answer suffers."""

    NONE = "none"
    LOSE_REQUEST = "connection closed, request not forwarded"
    HANG_BEFORE = "no answer, request not forwarded"
    RESET_BEFORE = "connection reset, request not forwarded"
    ERROR_BEFORE = "500, request not forwarded"
    LIMIT_SECONDS = "429 with Retry-After in seconds"
    LIMIT_DATE = "429 with Retry-After as a date"
    LIMIT_BARE = "429 without Retry-After"
    PAGE_BEFORE = "200 with a page, request not forwarded"
    ERROR_TEXT_BEFORE = "200 that says error, request not forwarded"
    LOSE_AFTER = "connection closed before the answer"
    HANG_AFTER = "no answer to what was done"
    RESET_AFTER = "connection reset instead of an answer"
    HALF_CLOSE_AFTER = "half-closed before the answer"
    TRUNCATE_AFTER = "answer cut off"
    ERROR_AFTER = "500 to what was done"
    TRICKLE_AFTER = "answer byte by byte"
    PAGE_AFTER = "200 with a page instead of the answer"
    HALF_JSON_AFTER = "200 with half of the JSON"
    OTHER_TYPES_AFTER = "200 with JSON of other types"
    ERROR_TEXT_AFTER = "200 that says error, to what was done"
    HOLD_AFTER = "answer held back until let go"


_LIMITS: Final = frozenset({Fault.LIMIT_SECONDS, Fault.LIMIT_DATE, Fault.LIMIT_BARE})
_IN_ITS_PLACE: Final = {
    Fault.ERROR_BEFORE: said("500 Internal Server Error"),
    Fault.PAGE_BEFORE: page(),
    Fault.ERROR_TEXT_BEFORE: said("200 OK"),
}
BEFORE: Final = _LIMITS | _IN_ITS_PLACE.keys() | {Fault.LOSE_REQUEST, Fault.HANG_BEFORE, Fault.RESET_BEFORE}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came by. `path` has no query."""

    method: str
    path: str
    fault: Fault
    body: bytes = field(repr=False, default=b"")

    @property
    def is_write(self) -> bool:
        """Return whether it is more than a question."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}


Where = Callable[[Seen], bool]


@dataclass(slots=True)
class _Order:
    fault: Fault
    where: Where
    left: int


class Faults:
    """What a proxy does to whom. `retry_after_seconds` is what a 429 asks for."""

    def __init__(self) -> None:
        """Do nothing to anyone."""
        self.retry_after_seconds = 1.0
        self.seen: list[Seen] = []
        self.let_go = asyncio.Event()
        self._orders: list[_Order] = []

    def inject(self, fault: Fault, *, where: Where = lambda _seen: True, times: int = 1) -> None:
        """Do `fault` to the next `times` requests that `where` accepts; orders are looked through in turn."""
        self._orders.append(_Order(fault, where, times))

    def stop(self) -> None:
        """Behave from now on, and let go of what is held back."""
        self._orders.clear()
        self.let_go.set()

    @property
    def injected(self) -> list[Seen]:
        """Return the requests to which something was done."""
        return [each for each in self.seen if each.fault is not Fault.NONE]

    def meet(self, method: str, path: str, body: bytes) -> Seen:
        """Return a request with the fault that is its fate, and remember it."""
        seen = Seen(method, path, Fault.NONE, body)
        for order in self._orders:
            if order.left > 0 and order.where(seen):
                order.left -= 1
                seen = Seen(method, path, order.fault, body)
                break
        self.seen.append(seen)
        return seen


@dataclass(slots=True)
class FaultyProxy:
    """A proxy that runs. `url` ends with a slash; its `faults` are told what to do."""

    port: int
    upstream: int
    faults: Faults = field(default_factory=Faults)

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://{LOOPBACK}:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it, or a fault does."""
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := await _head(reader):
                body = await reader.readexactly(_length(head))
                seen = self.faults.meet(*_named(head), body)
                if seen.fault in BEFORE:
                    is_over = await self._keep(seen.fault, reader, writer)
                else:
                    upstream = upstream or await asyncio.open_connection(LOOPBACK, self.upstream)
                    upstream[1].write(self._addressed(head) + body)
                    answer = self._addressed_back(await _whole(upstream[0]))
                    is_over = await self._spoilt(seen.fault, answer, reader, writer)
                if is_over:
                    break
        writer.close()
        if upstream is not None:
            upstream[1].close()

    def _addressed(self, head: bytes) -> bytes:
        return head.replace(b":%d\r\n" % self.port, b":%d\r\n" % self.upstream, 1)

    def _addressed_back(self, answer: bytes) -> bytes:
        """Let links in an answer lead here again, where both ports have as many digits: its length stays."""
        ours, theirs = b"%s:%d/" % (LOOPBACK.encode(), self.port), b"%s:%d/" % (LOOPBACK.encode(), self.upstream)
        return answer.replace(theirs, ours) if len(ours) == len(theirs) else answer

    async def _keep(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer in the upstream's place, or not at all; return whether the connection is over."""
        if fault in _LIMITS or fault in _IN_ITS_PLACE:
            limit = said("429 Too Many Requests", retry_after=self._retry_after(fault))
            writer.write(_IN_ITS_PLACE.get(fault, limit))
            return False
        match fault:
            case Fault.HANG_BEFORE:
                await reader.read()  # until the other side gives up
            case Fault.RESET_BEFORE:
                _reset(writer)
            case _:
                writer.close()
        return True

    async def _spoilt(
        self, fault: Fault, answer: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Pass on what is left of `answer`, and return whether the connection is over."""
        if fault is Fault.HOLD_AFTER:
            await self.faults.let_go.wait()
        if (instead := _instead(fault, answer)) is not None:
            writer.write(instead)
            return False
        match fault:
            case Fault.HANG_AFTER:
                await reader.read()
            case Fault.RESET_AFTER:
                _reset(writer)
            case Fault.HALF_CLOSE_AFTER:
                writer.write_eof()
                await reader.read()
            case Fault.TRUNCATE_AFTER:
                writer.write(answer[: -max(len(answer.partition(_END_OF_HEAD)[2]) // 2, 1)])
                await writer.drain()
            case Fault.TRICKLE_AFTER:
                await _trickle(answer, writer)
            case _:
                writer.close()
        return True

    def _retry_after(self, fault: Fault) -> str | None:
        match fault:
            case Fault.LIMIT_SECONDS:
                return f"{self.faults.retry_after_seconds:g}"
            case Fault.LIMIT_DATE:
                moment = datetime.now(UTC) + timedelta(seconds=self.faults.retry_after_seconds)
                return format_datetime(moment, usegmt=True)
            case _:
                return None


@asynccontextmanager
async def faulty_proxy(upstream: int) -> AsyncIterator[FaultyProxy]:
    """Yield a proxy to a port of this machine; its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()
    made = FaultyProxy(port=0, upstream=upstream)

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(made.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accepted, LOOPBACK, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(_END_OF_HEAD)
    except asyncio.IncompleteReadError:
        return b""


async def _whole(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(_END_OF_HEAD)
    return head + await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _named(head: bytes) -> tuple[str, str]:
    method, target, *_ = head.decode("latin-1").split(" ", 2)
    return method, target.partition("?")[0]


def _instead(fault: Fault, answer: bytes) -> bytes | None:
    """Return a whole answer that comes in the place of `answer`; `None`: what comes is not a whole one."""
    match fault:
        case Fault.NONE | Fault.HOLD_AFTER:
            return answer
        case Fault.ERROR_AFTER:
            return said("500 Internal Server Error")
        case Fault.PAGE_AFTER:
            return page()
        case Fault.ERROR_TEXT_AFTER:
            return said("200 OK")
        case Fault.HALF_JSON_AFTER:
            return half(answer.partition(_END_OF_HEAD)[2])
        case Fault.OTHER_TYPES_AFTER:
            return of_other_types(answer.partition(_END_OF_HEAD)[2])
        case _:
            return None


def _reset(writer: asyncio.StreamWriter) -> None:
    connected: socket.socket = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    writer.transport.abort()


async def _trickle(answer: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in answer:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(TRICKLE_SECONDS)

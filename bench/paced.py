"""An open load over HTTP, in a process of its own: each request leaves at its planned moment, whatever came before.

All requests are signed and written out before the first one leaves, so that what is measured waits for nothing here.
What the door asks to have again leaves again, as any source would send it, and is told.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.streams import Request, Stream, requests

CONNECTIONS: Final = 64
AHEAD_SECONDS: Final = 0.5
WRITTEN_PER_SECOND: Final = 5_000
"""So many requests can be signed and written out, on a busy machine too."""

LAST_ANSWER_SECONDS: Final = 20.0
TICK_SECONDS: Final = 0.004
AGAIN_SECONDS: Final = 1.0
ASKED_AGAIN: Final = frozenset({429, 503})
"""After these a source sends a delivery again."""


@dataclass(slots=True)
class Sent:
    """When each failure was accepted (of the steady clock, by patch), and how the load itself did.

    `late_ms` is how long after its planned moment a request left, the slowest in a hundred; `again` counts deliveries
    that the door asked to have again, and `refused` those that it would not have, or never answered, by the reason.
    """

    accepted: dict[str, float] = field(default_factory=dict)
    deliveries: int = 0
    again: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    late_ms: float = 0.0


async def sent(port: int, streams: Sequence[Stream]) -> Sent:
    """Send all streams from a process of its own and return what came of it, when the last answer is there."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([asdict(each) for each in streams], file)
        file.flush()
        command = [sys.executable, "-m", "bench.paced", str(port), file.name]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            output, _ = await child.communicate()
        except asyncio.CancelledError:
            child.kill()
            raise
    if child.returncode != 0:
        raise RuntimeError(f"the load ended with code {child.returncode}")
    return Sent(**json.loads(output))


CONNECTED_SECONDS: Final = 0.5


class _Connection(asyncio.Protocol):
    """One connection: it says that it is free when the answer to its last request is whole."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._answer = b""
        self._request: Request | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by name
        self._load.free.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self in self._load.free:
            self._load.free.remove(self)
        if self._request is not None:
            self._load.refused("connection lost")

    def send(self, request: Request) -> None:
        self._request = request
        if self._transport is not None:
            self._transport.write(request.content)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length or 0) or self._request is None:
            return
        request, self._request, self._answer = self._request, None, b""
        self._load.answered(request, int(head[9:12]))
        self._load.free.append(self)

    def close(self) -> None:
        self._request = None
        if self._transport is not None:
            self._transport.abort()


class _Load:
    """Sends the requests when they are due, on whatever connection is free."""

    def __init__(self, planned: Sequence[Request]) -> None:
        self.free: deque[_Connection] = deque()
        self.sent = Sent(deliveries=len(planned))
        self._left = deque(planned)
        self._again: deque[Request] = deque()
        self._unanswered = len(planned)
        self._late: list[float] = []

    def answered(self, request: Request, status: int) -> None:
        if status in ASKED_AGAIN:
            self.sent.again += 1
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._again.append, request)
        elif status // 100 == 2:
            self._unanswered -= 1
            if request.patch is not None:
                self.sent.accepted[request.patch] = time.monotonic()
        else:
            self.refused(f"answered {status}")

    def refused(self, reason: str) -> None:
        self._unanswered -= 1
        self.sent.refused[reason] += 1

    async def run(self, port: int, begin: datetime) -> Sent:
        """Send all from `begin` on. Connections are made right before: the door closes those that say nothing."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(begin.timestamp() - time.time() - CONNECTED_SECONDS)
        made = [await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port) for _ in range(CONNECTIONS)]
        started = time.monotonic() + begin.timestamp() - time.time()
        deadline = started + self._left[-1].at + LAST_ANSWER_SECONDS
        while self._unanswered and time.monotonic() < deadline:
            self._send_due(time.monotonic() - started)
            await asyncio.sleep(TICK_SECONDS)
        for _, connection in made:
            connection.close()
        if self._unanswered:
            self.sent.refused["no answer"] += self._unanswered
        self.sent.late_ms = round(statistics.quantiles(self._late, n=100)[98] * 1000, 1)
        return self.sent

    def _send_due(self, now: float) -> None:
        while self._again and self.free:
            self.free.popleft().send(self._again.popleft())
        while self._left and self.free and self._left[0].at <= now:
            request = self._left.popleft()
            self._late.append(now - request.at)
            self.free.popleft().send(request)


async def _main(port: int, streams: Sequence[Stream]) -> Sent:
    writing_seconds = sum(each.count for each in streams) / WRITTEN_PER_SECOND
    begin = datetime.fromtimestamp(time.time() + AHEAD_SECONDS + writing_seconds, UTC)
    planned = sorted((each for stream in streams for each in requests(stream, begin)), key=lambda each: each.at)
    return await _Load(planned).run(port, begin)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Send streams of deliveries at their pace and print what came of it.")
    for name, kind in (("port", int), ("file", Path)):
        parser.add_argument(name, type=kind)
    given = parser.parse_args()
    wanted = [Stream(**each) for each in json.loads(given.file.read_text())]
    print(json.dumps(asdict(uvloop.run(_main(given.port, wanted)))))

"""Load over HTTP on this machine: `wrk` where it is installed, else a generator of our own in a process of its own."""

import argparse
import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.pinned import CORES, running_on

_SCRIPT: Final = Path(__file__).with_name("corpus.lua")
_WRK: Final = {
    "requests_per_second": re.compile(r"Requests/sec:\s+([\d.]+)"),
    "p50_ms": re.compile(r"\b50%\s+([\d.]+)(us|ms|s)"),
    "p99_ms": re.compile(r"\b99%\s+([\d.]+)(us|ms|s)"),
    "refused": re.compile(r"Non-2xx or 3xx responses: (\d+)"),
    "broken": re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)"),
}
_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_LENGTH: Final = re.compile(rb"content-length: (\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one round. `failed` counts answers that are not 2xx and connections that broke."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def generator() -> str:
    """Return what will make the load on this machine."""
    return "wrk" if shutil.which("wrk") else "own (wrk is not installed)"


def written_corpus(path: Path, requests: list[bytes]) -> Path:
    """Write whole HTTP requests for either generator: each after its length in a line of its own."""
    path.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))
    return path


async def loaded(port: int, corpus: Path, *, connections: int, seconds: int) -> Load:
    """Send the requests in `corpus` over and over for so long, each connection one at a time."""
    if wrk := shutil.which("wrk"):
        options = ["-t2", f"-c{connections}", f"-d{seconds}s", "--timeout=10s", "--latency", f"-s{_SCRIPT}"]
        return _of_wrk(await _output(wrk, *options, f"http://127.0.0.1:{port}/", "--", str(corpus)))
    options = [str(port), str(corpus), str(connections), str(seconds)]
    return Load(**json.loads(await _output(sys.executable, "-m", "bench.load", *options)))


async def _output(*arguments: str) -> str:
    with running_on(CORES.around):
        child = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    output, _ = await child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"{arguments[0]} ended with code {child.returncode}")
    return output.decode()


def _of_wrk(text: str) -> Load:
    rate, p50, p99 = (_WRK[name].search(text) for name in ("requests_per_second", "p50_ms", "p99_ms"))
    if rate is None or p50 is None or p99 is None:
        raise RuntimeError(f"wrk says something else:\n{text}")
    refused, broken = _WRK["refused"].search(text), _WRK["broken"].search(text)
    return Load(
        requests_per_second=float(rate[1]),
        p50_ms=float(p50[1]) * _MS[p50[2]],
        p99_ms=float(p99[1]) * _MS[p99[2]],
        failed=(int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0),
    )


class _Sender(asyncio.Protocol):
    """One connection: the next request goes out when the answer before it is whole."""

    def __init__(self, requests: list[bytes], first: int, seconds: list[float]) -> None:
        self._requests = requests
        self._next = first
        self._seconds = seconds
        self._answer = b""
        self._sent_at = 0.0
        self.failed = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by name
        self._send(self.transport)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]) or self.transport is None:
            return
        self.failed += self._answer[9:10] != b"2"
        self._seconds.append(time.perf_counter() - self._sent_at)
        self._answer = b""
        self._send(self.transport)

    def _send(self, transport: asyncio.Transport) -> None:
        self._sent_at = time.perf_counter()
        transport.write(self._requests[self._next])
        self._next = (self._next + 1) % len(self._requests)


def _read_corpus(path: Path) -> list[bytes]:
    requests: list[bytes] = []
    with path.open("rb") as file:
        while line := file.readline():
            requests.append(file.read(int(line)))
    return requests


async def _generate(port: int, requests: list[bytes], *, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    step = max(1, len(requests) // connections)
    senders = [_Sender(requests, number * step % len(requests), took) for number in range(connections)]
    started = time.perf_counter()
    for sender in senders:
        await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", port)  # type: ignore[misc]  # bound now
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    for sender in senders:
        if sender.transport is not None:
            sender.transport.abort()
    cuts = statistics.quantiles(took, n=100)
    return Load(len(took) / elapsed, cuts[49] * 1000, cuts[98] * 1000, sum(sender.failed for sender in senders))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Send a corpus of requests over and over and print what came of it.")
    for name, kind in (("port", int), ("corpus", Path), ("connections", int), ("seconds", float)):
        parser.add_argument(name, type=kind)
    given = parser.parse_args()
    load = _generate(given.port, _read_corpus(given.corpus), connections=given.connections, seconds=given.seconds)
    print(json.dumps(asdict(uvloop.run(load))))

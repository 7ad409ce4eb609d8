"""How many signed webhooks a second one `accept` process makes durable, beside a bare ASGI app on the same server.

`python -m bench --only accept` runs it alone.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from bench.load import Load, generator, loaded, written_corpus
from patchline.local import place, ports
from services.gateway.keys.sealing import SealingKey, new_sealing_key, read_sealing_key
from services.gateway.registry import schemes, sources, store_sources
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import NewSource

_CORPUS: Final = 20_000
_SOURCE: Final = NewSource(vendor="patchline", name="bench", scheme=Scheme.STANDARD_WEBHOOKS, header_name=None)


@dataclass(frozen=True, slots=True)
class Round:
    """How long each server is loaded, and by how many connections, each with one request at a time."""

    seconds: int
    connections: int


async def accept_stage(
    *, kafka: str, writer_dsn: str, rounds: int = 5, seconds: int = 4, connections: int = 256
) -> dict[str, object]:
    """Measure one `accept` process against the bare app, round by round, taking turns in going first.

    Both stay up all the time, and there are as many connections as keep both busy: an acknowledgement takes
    milliseconds, an answer without one does not. `writer_dsn` is the gateway's role in a fresh database.

    Raises:
        RuntimeError: a delivery was not answered 2xx: then there is nothing to compare.
    """
    each = Round(seconds, connections)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key_file = folder / "sealing.key"
        place.write_private(key_file, new_sealing_key())
        secret = await _added_source(writer_dsn, read_sealing_key(key_file))
        corpus = written_corpus(folder / "corpus", _requests(secret))
        accept = _environment(kafka, writer_dsn, key_file)
        async with (
            _serving(["bench.bare"], os.environ) as (floor_port, _),
            _serving(["services.gateway", "accept"], accept) as (port, pid),
        ):
            await _believed(port, corpus)
            for warm in (floor_port, port):
                await _load(warm, corpus, Round(1, connections))
            pairs = [await _pair(number, (floor_port, port), corpus, each) for number in range(rounds)]
            return _report(pairs, each, resident_mib=_resident_mib(pid))


async def _pair(number: int, both: tuple[int, int], corpus: Path, each: Round) -> tuple[Load, Load]:
    """Load both servers for one round; which goes first changes each time."""
    first, second = both if number % 2 == 0 else reversed(both)
    load_by_port = {port: await _load(port, corpus, each) for port in (first, second)}
    return load_by_port[both[0]], load_by_port[both[1]]


async def _load(port: int, corpus: Path, each: Round) -> Load:
    load = await loaded(port, corpus, connections=each.connections, seconds=each.seconds)
    if load.failed:
        raise RuntimeError(f"{load.failed} deliveries were not answered 2xx")
    return load


def _report(pairs: list[tuple[Load, Load]], each: Round, *, resident_mib: float) -> dict[str, object]:
    ratios = [ours.requests_per_second / bare.requests_per_second for bare, ours in pairs]
    return {
        "unit": "requests/s",
        "value": round(statistics.median(ours.requests_per_second for _, ours in pairs)),
        "floor": round(statistics.median(bare.requests_per_second for bare, _ in pairs)),
        "ratio": round(statistics.median(ratios), 3),
        "spread": (round(min(ratios), 3), round(max(ratios), 3)),
        "rounds": len(pairs),
        "p50_ms": round(statistics.median(ours.p50_ms for _, ours in pairs), 2),
        "p99_ms": round(statistics.median(ours.p99_ms for _, ours in pairs), 2),
        "resident_mib": resident_mib,
        "generator": generator(),
        "connections": each.connections,
        "seconds": each.seconds,
        "each": [{"floor": asdict(bare), "accept": asdict(ours)} for bare, ours in pairs],
    }


def _requests(secret: str) -> list[bytes]:
    """Return whole HTTP requests with unique bodies, each with a true signature of this minute."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    timestamp = str(int(time.time())).encode()
    return [_request(key, timestamp, number) for number in range(_CORPUS)]


def _request(key: bytes, timestamp: bytes, number: int) -> bytes:
    device = {"id": f"{number:06d}", "hostname": f"WS-{number:06d}", "organisation": "Acme", "os": "windows"}
    patch = {"id": f"KB50{number % 100_000:05d}", "severity": "critical", "result": "0x80070643"}
    event = {"type": "patch.install_failed", "occurred_at": "2026-11-10T12:00:00Z", "device": device, "patch": patch}
    body = json.dumps(event).encode()
    delivery = b"msg_%012d" % number
    digest = hmac.digest(key, b"%b.%b.%b" % (delivery, timestamp, body), hashlib.sha256)
    lines = [
        f"POST {sources.path(_SOURCE.source_id)} HTTP/1.1".encode(),
        b"host: 127.0.0.1",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"webhook-id: " + delivery,
        b"webhook-timestamp: " + timestamp,
        b"webhook-signature: v1," + base64.b64encode(digest),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@asynccontextmanager
async def _serving(module: list[str], environment: Mapping[str, str]) -> AsyncIterator[tuple[int, int]]:
    """Yield the port and the process id of a server that listens where PATCHLINE_ACCEPT_PORT says."""
    port = ports.claimed(0, setting="")
    where = {"PATCHLINE_ACCEPT_PORT": str(port), "PATCHLINE_LOG_LEVEL": "WARNING"}
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", *module, env={**environment, **where})
    try:
        async with asyncio.timeout(30):
            while not ports.is_open(port):
                await asyncio.sleep(0.05)
        yield port, child.pid
    finally:
        child.terminate()
        await child.wait()


async def _believed(port: int, corpus: Path) -> None:
    """Wait until the server has loaded its sources and reached Kafka."""
    with corpus.open("rb") as file:
        request = file.read(int(file.readline()))
    head, _, body = request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    url = f"http://127.0.0.1:{port}{sources.path(_SOURCE.source_id)}"
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while (await client.post(url, content=body, headers=headers)).status_code != 202:
            await asyncio.sleep(0.1)


def _resident_mib(pid: int) -> float:
    """Return the resident memory of a process. Source: proc(5), VmRSS in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return round(int(kib) / 1024, 1)


def _environment(kafka: str, writer_dsn: str, sealing_key_file: Path) -> dict[str, str]:
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return own | {
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": writer_dsn,
        "PATCHLINE_SEALING_KEY_FILE": str(sealing_key_file),
        "PATCHLINE_ACCEPT_BUDGET_SECONDS": "10",  # on a busy machine the figure is low, not absent
    }


async def _added_source(writer_dsn: str, sealing_key: SealingKey) -> str:
    """Add the source that delivers and return its secret."""
    secret = schemes.new_secret(_SOURCE.scheme)
    kept = schemes.material(_SOURCE.scheme, secret, source_id=_SOURCE.source_id, sealing_key=sealing_key)
    connection = await asyncpg.connect(writer_dsn)
    try:
        now = await connection.fetchval("SELECT now()")
        await store_sources.add(connection, _SOURCE, now)
        await store_sources.add_secret(connection, _SOURCE.source_id, 0, material=kept, created_at=now)
    finally:
        await connection.close()
    return secret

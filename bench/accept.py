"""How many signed webhooks a second one `accept` process makes durable, beside a bare ASGI app on the same server.

The same process then takes bodies of a hundred events (`door`). `python -m bench --only accept` runs both alone.
"""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from bench.door import Door, door_rows
from bench.load import Load, loaded, written_corpus
from bench.measured import resident_mib
from bench.pinned import CORES, running_on
from bench.report import Figure, at_least, at_most, summary
from bench.webhooks import PATH, added_source, signed_requests, single_events
from patchline.local import place, ports
from services.gateway.keys.sealing import new_sealing_key, read_sealing_key

REACH: Final = 0.35


@dataclass(frozen=True, slots=True)
class Round:
    """How long each server is loaded, and by how many connections, each with one request at a time."""

    seconds: int
    connections: int


async def accept_stage(
    *, kafka: str, writer_dsn: str, rounds: int = 5, seconds: int = 4, connections: int = 256
) -> list[Figure]:
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
        secret = await added_source(writer_dsn, read_sealing_key(key_file))
        corpus = written_corpus(folder / "corpus", signed_requests(secret, single_events()))
        accept = _environment(kafka, writer_dsn, key_file)
        async with (
            _serving(["bench.bare"], os.environ) as (floor_port, _),
            _serving(["services.gateway", "accept"], accept) as (port, pid),
        ):
            await _believed(port, corpus)
            for warm in (floor_port, port):
                await _load(warm, corpus, Round(1, connections))
            pairs = [await _pair(number, (floor_port, port), corpus, each) for number in range(rounds)]
            hundreds = await door_rows(Door(port, kafka, seconds), secret, folder, rounds=rounds)
            return [*_rows(pairs), *hundreds, at_most("accept: resident memory", resident_mib(pid), "MiB", 200)]


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


def _rows(pairs: Sequence[tuple[Load, Load]]) -> list[Figure]:
    rates = [(ours.requests_per_second, bare.requests_per_second) for bare, ours in pairs]
    name = "accept: signed webhook to 202, acks=all, one process"
    return [
        at_least(name, {"unit": "requests/s", **summary(rates)}, REACH),
        Figure(stage=f"{name}, p99", value=round(statistics.median(ours.p99_ms for _, ours in pairs), 1), unit="ms"),
    ]


@asynccontextmanager
async def _serving(module: list[str], environment: Mapping[str, str]) -> AsyncIterator[tuple[int, int]]:
    """Yield the port and the process id of a server that listens where PATCHLINE_ACCEPT_PORT says."""
    port = ports.claimed(0, setting="")
    where = {"PATCHLINE_ACCEPT_PORT": str(port), "PATCHLINE_LOG_LEVEL": "WARNING"}
    with running_on(CORES.stage):
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
    url = f"http://127.0.0.1:{port}{PATH}"
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while (await client.post(url, content=body, headers=headers)).status_code != 202:
            await asyncio.sleep(0.1)


def _environment(kafka: str, writer_dsn: str, sealing_key_file: Path) -> dict[str, str]:
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return own | {
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": writer_dsn,
        "PATCHLINE_SEALING_KEY_FILE": str(sealing_key_file),
        "PATCHLINE_ACCEPT_BUDGET_SECONDS": "10",  # on a busy machine the figure is low, not absent
    }

"""The whole thread: from a webhook's 202 to its ticket, read back from the tracker and told on `tickets`.

Load: 50 signed webhooks a second over HTTP, of which every tenth is the first failure of another patch, so that five
tickets a second are opened in a real Roundup; and what each service's process weighs at the end.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer
from standardwebhooks.webhooks import Webhook

from bench.report import Figure, at_most
from contracts import topics
from contracts.envelope import decode
from contracts.events.ticket import TicketOpened
from patchline.stack.stack import Stack

PER_SECOND: Final = 50
EVERY: Final = 10
SECONDS: Final = 30
WARM_UP_SECONDS: Final = 5
LATEST_SECONDS: Final = 30
DEVICE: Final = "bench-01"
CLIENT: Final = "Bench"
PATH: Final = "/webhooks/rmm/patchline/bench"
BULK_PATH: Final = f"{PATH}/bulk"


async def thread_stage(stack: Stack, *, seconds: int = SECONDS) -> list[Figure]:
    """Return the latency figures in milliseconds and the resident memory of each service."""
    secret = await asyncio.to_thread(register, stack.home)
    consumer = AIOKafkaConsumer(
        topics.TICKETS.name, bootstrap_servers=stack.around.kafka, auto_offset_reset="latest", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        async with httpx.AsyncClient(
            base_url=stack.around.gateway_url, trust_env=False, timeout=30, limits=httpx.Limits(max_connections=200)
        ) as client:
            sender = Sender(client, secret)
            await sender.until_believed()
            opened: dict[str, float] = {}
            listening = asyncio.create_task(listen(consumer, opened))
            accepted = await sender.load(WARM_UP_SECONDS + seconds)
            await _all_opened(accepted, opened)
            listening.cancel()
    finally:
        await consumer.stop()
    return [*_latencies(accepted, opened), *_memory(stack)]


class Sender:
    """Sends signed events in Patchline's own format."""

    def __init__(self, client: httpx.AsyncClient, secret: str) -> None:
        self._client = client
        self._signer = Webhook(secret)

    async def send(self, type_: str, **told: object) -> httpx.Response:
        """Send one event of the one device."""
        content = {"device": DEVICE, "organisation": CLIENT, **told}
        body = {"type": type_, "timestamp": datetime.now(UTC).isoformat(), "data": content}
        return await self.post(PATH, json.dumps(body).encode())

    async def post(self, path: str, body: bytes) -> httpx.Response:
        """Send a body, signed."""
        now = datetime.now(UTC)
        message = f"msg_{uuid4().hex}"
        headers = {
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message, now, body.decode()),
        }
        return await self._client.post(path, content=body, headers=headers)

    async def until_believed(self) -> None:
        """Send the device's first event until the gateway knows the source."""
        facts = {"hostname": "BENCH-01", "os_family": "linux", "os_name": "Bench OS", "tier": "server"}
        async with asyncio.timeout(20):
            while (await self.send("device.seen", facts=facts)).status_code != 202:
                await asyncio.sleep(0.2)

    async def load(self, seconds: int) -> dict[str, float]:
        """Send `PER_SECOND` events a second and return when each first failure was accepted, by its patch."""
        accepted: dict[str, float] = {}
        start = time.monotonic()

        async def one(number: int) -> None:
            await asyncio.sleep(max(0.0, start + number / PER_SECOND - time.monotonic()))
            if number % EVERY:
                response = await self.send("device.updated", facts={"location": f"rack {number}"})
            else:
                patch = f"bench-{number:06}"
                response = await self.send("patch.install_failed", patch={"patch": patch, "product": "Bench"})
                if number >= WARM_UP_SECONDS * PER_SECOND:
                    accepted[patch] = time.monotonic()
            response.raise_for_status()

        await asyncio.gather(*(one(number) for number in range(seconds * PER_SECOND)))
        return accepted


async def listen(consumer: AIOKafkaConsumer, opened: dict[str, float]) -> None:
    """Note in `opened`, by its title, when each ticket was told."""
    async for record in consumer:
        event = decode(record.headers, record.value)
        if isinstance(event.data, TicketOpened):
            opened[event.data.title] = time.monotonic()


async def _all_opened(accepted: dict[str, float], opened: dict[str, float]) -> None:
    async with asyncio.timeout(LATEST_SECONDS):
        while len(_waits(accepted, opened)) < len(accepted):
            await asyncio.sleep(0.1)


def _waits(accepted: dict[str, float], opened: dict[str, float]) -> list[float]:
    """Return the milliseconds from each acceptance to its ticket."""
    return [(at - accepted[patch]) * 1000 for patch in accepted for title, at in list(opened.items()) if patch in title]


def _latencies(accepted: dict[str, float], opened: dict[str, float]) -> list[Figure]:
    waits = _waits(accepted, opened)
    cuts = statistics.quantiles(waits, n=100)
    return [
        at_most("webhook accepted to ticket, p50", cuts[49], "ms", 300),
        at_most("webhook accepted to ticket, p99", cuts[98], "ms", 1500),
    ]


def _memory(stack: Stack) -> list[Figure]:
    return [
        at_most(f"resident memory, {name}", _resident_mib(child.pid), "MiB", 200)
        for name, child in stack.children.items()
        if child.pid is not None and name != "simulated-rmm"
    ]


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no resident memory")


def register(home: Path) -> str:
    """Add the client, the source and the mapping that the stages send as, once, and return the source's secret."""
    secret = home / "bench.secret"
    if secret.exists():
        return secret.read_text().strip()
    for command in (
        ("client", "add", CLIENT, "--zone", "UTC", "--psa-company", "BENCH"),
        ("source", "add", "patchline", "bench", "--secret-file", str(secret)),
        ("client", "map", CLIENT, "patchline/bench", CLIENT),
    ):
        run_patchline(home, *command)
    return secret.read_text().strip()


def run_patchline(home: Path, *arguments: str) -> str:
    """Run one command of the product's own command line and return what it printed."""
    env: dict[str, Any] = {**os.environ, "PATCHLINE_HOME": str(home)}
    command = [sys.executable, "-m", "patchline", *arguments]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

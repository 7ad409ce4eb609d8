"""One source over HTTP: signed events in Patchline's own format, one at a time; and how it is registered."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from standardwebhooks.webhooks import Webhook

DEVICE: Final = "bench-01"
CLIENT: Final = "Bench"
PATH: Final = "/webhooks/rmm/patchline/bench"
BULK_PATH: Final = f"{PATH}/bulk"


class Sender:
    """Sends signed events in Patchline's own format."""

    def __init__(self, door: httpx.AsyncClient, secret: str, *, path: str = PATH, client: str = CLIENT) -> None:
        """Send to `path` of `door` as the source of `client`."""
        self._door = door
        self._path = path
        self._client = client
        self._signer = Webhook(secret)

    async def send(self, type_: str, *, device: str = DEVICE, **told: object) -> httpx.Response:
        """Send one event of a device."""
        content = {"device": device, "organisation": self._client, **told}
        body = {"type": type_, "timestamp": datetime.now(UTC).isoformat(), "data": content}
        return await self.post(self._path, json.dumps(body).encode())

    async def post(self, path: str, body: bytes) -> httpx.Response:
        """Send a body, signed."""
        now = datetime.now(UTC)
        message = f"msg_{uuid4().hex}"
        headers = {
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message, now, body.decode()),
        }
        return await self._door.post(path, content=body, headers=headers)

    async def until_believed(self) -> None:
        """Send the device's first event until the door believes the source.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(20):
            while (await self.introduce(DEVICE)).status_code != 202:
                await asyncio.sleep(0.2)

    async def introduce(self, device: str) -> httpx.Response:
        """Send the first check-in of a device."""
        facts = {"hostname": device.upper(), "os_family": "linux", "os_name": "Bench OS", "tier": "server"}
        return await self.send("device.seen", device=device, facts=facts)


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

"""The running product, and what a test does to it from outside: webhooks, the tracker's own API, the command line."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from standardwebhooks.webhooks import Webhook

from chassis.clock import moved_clock
from patchline.stack.stack import Stack

SOURCE = "rmm/patchline/scripts"
SERVER = "Windows Server 2022"
KB = "5049983"
OLD_BUILD = "10.0.20348.2966"
FIXED_BUILD = "10.0.20348.3091"


LAST_LINES = 12
LAST_CHARACTERS = 400
"""Of each service's log, and of each line."""


def last_words(logs: Path) -> list[tuple[str, str]]:
    """Return what each service said last, by its name: the logs themselves go away with their world."""
    said = [
        (log.stem, log.read_text(errors="replace").splitlines()[-LAST_LINES:]) for log in sorted(logs.glob("*.log"))
    ]
    return [(f"{name} said last", "\n".join(line[:LAST_CHARACTERS] for line in lines)) for name, lines in said]


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery that can be sent again, byte for byte."""

    id: str
    body: bytes


@dataclass
class World:
    """The stack of one test session with two clients, one source that signs, and a loaded catalog."""

    stack: Stack
    secret: str
    offset: timedelta
    sent: list[Sent] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the stack's moved present."""
        return moved_clock(self.offset.total_seconds())()

    def cli(self, *arguments: str) -> Any:
        """Run one `patchline` command with `--json` and return what it printed."""
        done = run_cli(self.stack.home, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def add_client(self, name: str) -> None:
        """Let a client of a test's own be known, whose failures share no ticket with other tests'."""
        self.cli("client", "add", name, "--zone", "Europe/Rome", "--psa-company", name.upper())
        self.cli("client", "map", name, SOURCE.removeprefix("rmm/"), name)

    def send(self, type_: str, device: str, *, at: datetime | None = None, client: str = "Acme", **data: Any) -> Sent:
        """Send one event in Patchline's own format, signed; it must be accepted."""
        told = {"device": device, "organisation": client, **data}
        body = {"type": type_, "timestamp": (at or self.now()).isoformat(), "data": told}
        webhook = Sent(f"msg_{uuid4().hex}", json.dumps(body).encode())
        self.sent.append(webhook)
        response = self.deliver(webhook)
        assert response.status_code == 202, response.text
        return webhook

    def deliver(self, webhook: Sent) -> httpx.Response:
        """Send exactly these bytes under exactly this id, signed anew as a retry is."""
        now = self.now()
        signature = Webhook(self.secret).sign(webhook.id, now, webhook.body.decode())
        headers = {
            "webhook-id": webhook.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        url = f"{self.stack.around.gateway_url}/webhooks/{SOURCE}"
        return httpx.post(url, content=webhook.body, headers=headers, timeout=10, trust_env=False)

    def patch(self, kb: str = KB) -> Mapping[str, str]:
        """Return how the scripts name a Windows update."""
        return {"patch": f"KB{kb}", "kb": kb, "severity": "critical"}

    def enrol(self, device: str, client: str = "Acme", build: str = OLD_BUILD) -> None:
        """Let a server be known, and a scan list the update as missing."""
        facts = {
            "hostname": device.upper(),
            "os_family": "windows",
            "os_name": SERVER,
            "os_build": build,
            "tier": "server",
        }
        self.send("device.seen", device, client=client, facts=facts)
        self.send("patch.detected", device, client=client, patch=self.patch(), scanned_at=self.now().isoformat())

    def issues(self) -> list[dict[str, Any]]:
        """Return every issue of the tracker, over its own API."""
        tracker = self.stack.parts.roundup
        assert tracker is not None
        login = tracker.api_login
        response = httpx.get(
            f"{tracker.url}rest/data/issue",
            params={"@fields": "title,status,correlation_key,client,messages", "@verbose": "2"},
            auth=(login.name, login.password),
            headers={"x-requested-with": "rest"},
            timeout=10,
            trust_env=False,
        )
        assert response.status_code == 200, response.text
        collection: list[dict[str, Any]] = response.json()["data"]["collection"]
        return collection

    def issues_of(self, text: str) -> list[dict[str, Any]]:
        """Return the issues whose title has `text`."""
        return [issue for issue in self.issues() if text in issue["title"]]

    async def rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        """Return rows as the database's administrator sees them."""
        connection = await asyncpg.connect(self.stack.around.database)
        try:
            return [dict(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await connection.close()

    def state_of(self, device: str) -> str | None:
        """Return the state of the server update on a device. Not inside a running event loop."""
        rows = asyncio.run(self.rows(STATE, device, SERVER))
        return str(rows[0]["state"]) if rows else None


STATE = """
    SELECT owed.state FROM compliance.obligation AS owed JOIN compliance.asset USING (asset_id)
    WHERE asset.device = $1 AND owed.product = $2
"""


def run_cli(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the real command line against the stack in `home`."""
    env = {**os.environ, "PATCHLINE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "patchline", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def until(what: str, check: Callable[[], Any], *, seconds: float = 60) -> Any:
    """Return the first truthy answer of `check`; say `what` was waited for if none comes."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return answer

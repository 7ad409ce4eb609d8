"""What no webhook tells: a device that lies "installed" is found out by the poller, believed only by its witness."""

import asyncio
import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.health import serve
from patchline.local import ports
from simulators import ninjaone_api
from simulators.day import Day
from simulators.fleet import CLIENTS, NINJAONE_MAIN, Device
from simulators.ninjaone_api import Api
from simulators.ninjaone_webhooks import activity
from simulators.releases import SERVER_2022
from simulators.script import NOW, Script, What
from tests.flow.world import World, run_cli, until

LIAR = Device(
    source=NINJAONE_MAIN,
    number=4821,
    client=CLIENTS[0],
    hostname="HDG-LIAR01",
    system=SERVER_2022,
    tier="server",
    serial="SN-4821",
    booted_at=NOW - timedelta(days=40),
)


def _story() -> tuple[Day, datetime, datetime]:
    """Return a day with one server that first claims an update it has not, and the moments after each of two scans."""
    script = Script(LIAR, random.Random(1))
    update = SERVER_2022.update
    script.missing = [update]
    script.go_to(NOW - timedelta(hours=8))
    script.scan()
    script.wait(5, 6)
    script.install(update, truly=False)
    script.wait(2, 3)
    script.restart()
    script.wait(5, 6)
    script.scan()
    found_out = script.at
    script.wait(60, 61)
    script.install(update)
    script.wait(2, 3)
    script.restart()
    script.wait(5, 6)
    script.scan()
    whole = Day(seed=1, devices=(LIAR,), happenings=tuple(script.happenings), scans=tuple(script.scans))
    return whole, found_out, script.at


class Rmm:
    """The vendor's API on this machine, in a thread of its own, at a moment that the test chooses."""

    def __init__(self, whole: Day) -> None:
        self.day = whole
        self._api = Api(whole)
        self.port = ports.claimed(0, setting="none")
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._loop.run_until_complete(serve(self._api, host="127.0.0.1", port=self.port, stopping=self._stopping))

    def start(self) -> None:
        self._thread.start()
        until("the simulated API", lambda: ports.is_open(self.port))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=15)

    def show(self, moment: datetime) -> None:
        setting = {"source": NINJAONE_MAIN.name, "moment": moment.isoformat()}
        response = httpx.put(f"http://127.0.0.1:{self.port}/_day", json=setting, trust_env=False)
        assert response.status_code == 200, response.text


@pytest.fixture(scope="module")
def rmm(world: World) -> Iterator[Rmm]:
    whole, found_out, _ = _story()
    rmm = Rmm(whole)
    rmm.start()
    rmm.show(found_out - timedelta(minutes=10))
    secret = world.stack.home / "ninja-api.secret"
    secret.write_text(ninjaone_api.CLIENT_SECRET)
    for command in (
        ("client", "add", LIAR.client.name, "--zone", LIAR.client.zone, "--psa-company", "HUDSON"),
        (
            *("source", "add", "ninjaone", "main", "--secret-file", str(world.stack.home / "ninja.secret")),
            *("--api-url", f"http://127.0.0.1:{rmm.port}/main", "--client-id", ninjaone_api.CLIENT_ID),
            *("--client-secret-file", str(secret), "--poll-seconds", "1"),
        ),
        ("client", "map", LIAR.client.name, "ninjaone/main", str(LIAR.client.organisation)),
    ):
        done = run_cli(world.stack.home, *command)
        assert done.returncode == 0, done.stderr
    yield rmm
    rmm.stop()


def _webhook(world: World, rmm: Rmm, what: What, number: int) -> None:
    """Deliver one activity; a new source is believed within five seconds, not at once."""
    happening = next(each for each in rmm.day.happenings if each.what is what)
    until("the source is believed", lambda: _answer(world, activity(happening, number)) == 202)


def _answer(world: World, body: dict[str, Any]) -> int:
    return httpx.post(
        f"{world.stack.around.gateway_url}/webhooks/rmm/ninjaone/main",
        json=body,
        headers={"x-patchline-secret": (world.stack.home / "ninja.secret").read_text().strip()},
        trust_env=False,
    ).status_code


def test_a_device_that_lies_is_not_verified_until_the_pollers_witness(world: World, rmm: Rmm) -> None:
    _, found_out, cured = _story()
    device = str(LIAR.number)
    until("the scan lists the update", lambda: world.state_of(device) in {"MISSING_IN_SLA", "MISSING_OVERDUE"})

    _webhook(world, rmm, What.INSTALLED, 1)
    until("the claim is heard", lambda: world.state_of(device) not in {"MISSING_IN_SLA", "MISSING_OVERDUE"})
    assert world.state_of(device) != "VERIFIED"

    rmm.show(found_out)
    until("found out", lambda: world.state_of(device) == "CONTRADICTED")

    rmm.show(cured)
    until("the witness", lambda: world.state_of(device) == "VERIFIED")

"""Datto RMM through the running product: a body that is JSON no more opens a ticket, a lost webhook joins it."""

import asyncio
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from chassis.health import serve
from patchline.local import ports
from simulators.datto_alerts import site_uid
from simulators.datto_api import CLIENT_ID, CLIENT_SECRET, Api
from simulators.datto_webhooks import Monitors
from simulators.day import Day
from simulators.fleet import Client, Device, Source
from simulators.releases import SERVER_2019
from simulators.script import NOW, Script, What
from tests.flow.world import World, run_cli, until

ACCOUNT = Source(vendor="datto", name="flow", polls=True)
OWNER = Client(name="Tidewater", zone="Europe/Dublin", contact="x", organisation=71, site="Cork", prefix="TID")
SCANNED = NOW - timedelta(hours=6)
FAILED = NOW - timedelta(minutes=30)


def _fails(number: int) -> Script:
    """Return the day of one server whose update fails."""
    device = Device(
        source=ACCOUNT,
        number=number,
        client=OWNER,
        hostname=f"TID-SRV-{number}",
        system=SERVER_2019,
        tier="server",
        serial=f"SN-{number}",
        booted_at=NOW - timedelta(days=40),
    )
    script = Script(device, random.Random(number))
    script.missing = [SERVER_2019.update]
    script.go_to(SCANNED)
    script.scan()
    script.go_to(FAILED)
    script.tell(What.FAILED, SERVER_2019.update, "0x80070643")
    return script


SCRIPTS = (_fails(1), _fails(2))
DAY = Day(
    seed=1,
    devices=tuple(script.device for script in SCRIPTS),
    happenings=tuple(
        replace(each, told=each.device.number == 1)
        for script in SCRIPTS
        for each in script.happenings
        if each.what is What.FAILED
    ),
    scans=tuple(each for script in SCRIPTS for each in script.scans),
)
TOLD, UNTOLD = (str(script.device.uid) for script in SCRIPTS)


class Rmm:
    """The vendor's API on this machine, in a thread of its own, at a moment that the test chooses."""

    def __init__(self) -> None:
        self.port = ports.claimed(0, setting="none")
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        app = Api(DAY, [ACCOUNT])
        self._loop.run_until_complete(serve(app, host="127.0.0.1", port=self.port, stopping=self._stopping))

    def start(self) -> None:
        self._thread.start()
        until("the simulated API", lambda: ports.is_open(self.port))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=15)

    def show(self, moment: str) -> None:
        setting = {"source": ACCOUNT.name, "moment": moment}
        assert httpx.put(f"http://127.0.0.1:{self.port}/_day", json=setting, trust_env=False).status_code == 200


@pytest.fixture(scope="module")
def rmm(world: World) -> Iterator[Rmm]:
    rmm = Rmm()
    rmm.start()
    rmm.show((FAILED - timedelta(minutes=1)).isoformat())
    home = world.stack.home
    (home / "datto-api.secret").write_text(CLIENT_SECRET)
    for command in (
        ("client", "add", OWNER.name, "--zone", OWNER.zone, "--psa-company", "TIDE"),
        (
            *("source", "add", "datto", ACCOUNT.name, "--secret-file", str(home / "datto.secret")),
            *("--api-url", f"http://127.0.0.1:{rmm.port}/{ACCOUNT.name}", "--client-id", CLIENT_ID),
            *("--client-secret-file", str(home / "datto-api.secret"), "--poll-seconds", "1"),
        ),
        ("client", "map", OWNER.name, f"datto/{ACCOUNT.name}", site_uid(OWNER)),
    ):
        done = run_cli(home, *command)
        assert done.returncode == 0, done.stderr
    yield rmm
    rmm.stop()


def _answer(world: World, body: bytes) -> int:
    return httpx.post(
        f"{world.stack.around.gateway_url}/webhooks/{ACCOUNT.full_name}",
        content=body,
        headers={"x-patchline-secret": (world.stack.home / "datto.secret").read_text().strip()},
        trust_env=False,
    ).status_code


STATES = """
    SELECT owed.state FROM compliance.obligation AS owed JOIN compliance.asset USING (asset_id) WHERE asset.device = $1
"""


def _states(world: World, device: str) -> list[str]:
    """Return the states of what a device owes."""
    return [row["state"] for row in asyncio.run(world.rows(STATES, device))]


def _tickets(world: World) -> list[str]:
    return [issue["client"] for issue in world.issues() if issue["client"] == "TIDE"]


def _waiting(world: World) -> int:
    """Return how many acts at the tracker are still to be done, anyone's."""
    [row] = asyncio.run(world.rows("SELECT count(*) AS acts FROM ticketing.intent WHERE state <> 'done'"))
    return int(row["acts"])


def test_a_broken_body_opens_the_ticket_and_a_lost_webhook_joins_it(world: World, rmm: Rmm) -> None:
    until("the poller knows both", lambda: len(world.cli("asset", "list", "--client", OWNER.name)) == 2)
    happening = next(each for each in DAY.happenings if str(each.device.uid) == TOLD)
    unescaped = Monitors(DAY).message(happening, 1)
    assert unescaped is not None

    until("the source is believed", lambda: _answer(world, unescaped) == 202)
    until("the failure is known", lambda: "FAILED" in _states(world, TOLD))
    assert "FAILED" not in _states(world, UNTOLD)

    rmm.show(NOW.isoformat())
    until("the lost one is found", lambda: "FAILED" in _states(world, UNTOLD))
    until("one ticket with all that is to be said", lambda: _tickets(world) == ["TIDE"] and _waiting(world) == 0)
    [source] = [each for each in world.cli("source", "list") if each["source"] == ACCOUNT.full_name]
    assert source["lost_webhooks"] == 1

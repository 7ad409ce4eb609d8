"""Datto RMM's API: the simulated one over HTTP, recorded shapes of answers, and the ways in which both fail."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import httpx
import pytest

from chassis.errors import NeverWorks, WrongSetting
from chassis.health import serve
from chassis.http import Policy, Refused, Unavailable
from patchline.local import ports
from services.gateway import vendors
from services.gateway.adapters.datto_api import DattoApi
from services.gateway.adapters.poll_answers import AnswerNotUnderstood
from services.gateway.keys.sealing import Purpose, new_sealing_key, read_sealing_key, sealed
from services.gateway.polling.comparisons import BY_VENDOR
from services.gateway.polling.readers import DattoReader, NinjaOneReader, Readers
from services.gateway.polling.rules_collect import ScanMoment
from services.gateway.polling.store_poll import Due
from simulators.datto_api import CLIENT_ID, CLIENT_SECRET, Api, Mood, Setting
from simulators.datto_rows import DattoView
from simulators.day import Day
from simulators.fleet import CLIENTS, Device, Source
from simulators.releases import SERVER_2022
from simulators.script import NOW, Script, What
from tests.builders import NOON
from tests.gateway.datto_told import MONTH_AGO, alert_row, device_row

ACCOUNT = Source(vendor="datto", name="main", polls=True)
QUICK = Policy(calls_per_second=10_000, burst=1000, attempts=1)
DEVICES = 7
MORNING = NOW - timedelta(hours=8)
"""By now all devices were scanned, and nothing has happened yet."""


def a_day() -> Day:
    """Return a day of some servers whose update fails; each had an alert that was over, and one that is open."""
    scripts = []
    for number in range(DEVICES):
        device = Device(
            source=ACCOUNT,
            number=4000 + number,
            client=CLIENTS[0],
            hostname=f"HDG-D{number}",
            system=SERVER_2022,
            tier="server",
            serial=f"S{number}",
            booted_at=NOW - timedelta(days=9),
        )
        script = Script(device, random.Random(number))
        script.missing = [SERVER_2022.update]
        script.go_to(MORNING)
        script.scan()
        script.wait(60, 90)
        script.tell(What.ALERT)
        script.wait(5, 6)
        script.tell(What.ALERT_OVER)
        script.tell(What.FAILED, SERVER_2022.update, "0x80070643")
        scripts.append(script)
    happenings = sorted((each for script in scripts for each in script.happenings), key=lambda each: each.at)
    scans = tuple(each for script in scripts for each in script.scans)
    devices = tuple(script.device for script in scripts)
    return Day(seed=1, devices=devices, happenings=tuple(happenings), scans=scans)


DAY = a_day()


@contextlib.asynccontextmanager
async def served(app: Api) -> AsyncIterator[str]:
    """Serve a simulation and give its account's address."""
    port, stopping = ports.claimed(0, setting="none"), asyncio.Event()
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=port, stopping=stopping))
    while not ports.is_open(port):
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}/main"
    stopping.set()
    await serving


@pytest.fixture
async def simulation() -> AsyncIterator[tuple[Api, str]]:
    app = Api(DAY, [ACCOUNT])
    async with served(app) as url:
        yield app, url


@pytest.fixture
def waits() -> list[float]:
    return []


def api_at(url: str, waits: list[float], **changed: Any) -> DattoApi:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    asked = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "policy": QUICK, "sleep": sleep, **changed}
    return DattoApi(url=url, **asked)


@pytest.mark.parametrize("mood", ["usual", "busy", "crowded", "forgetful"])
async def test_everything_is_read_from_the_simulator_whatever_its_mood(
    simulation: tuple[Api, str], waits: list[float], mood: Mood
) -> None:
    app, url = simulation
    app.instances["main"].set(Setting(source="main", mood=mood))
    api = api_at(f"{url}/api", waits)

    collected = await api.read(NOW - timedelta(days=30))

    await api.close()
    view = DattoView(DAY, ACCOUNT, NOW)
    assert collected.unread == 0
    readings = list(collected.readings())
    assert sorted(each.device for each in readings if each.row) == sorted(row["uid"] for row in view.devices())
    alerts = {alert.alert: alert.is_resolved for each in readings for alert in each.alerts}
    assert alerts == {row["alertUid"]: row["resolved"] for row in (*view.open_alerts(), *view.resolved_alerts())}
    assert len(alerts) == 2 * DEVICES
    assert bool(waits) == (mood in {"busy", "crowded"})


@pytest.mark.parametrize(
    ("mood", "expected"), [("blocked", ("blocked or not permitted", 300.0)), ("broken", ("500", None))]
)
async def test_a_failing_account_is_for_the_next_poll(
    simulation: tuple[Api, str], waits: list[float], mood: Mood, expected: tuple[str, float | None]
) -> None:
    (app, url), (reason, after_seconds) = simulation, expected
    app.instances["main"].set(Setting(source="main", mood=mood))
    api = api_at(url, waits)

    with pytest.raises(Unavailable, match=reason) as caught:
        await api.read(NOON)

    await api.close()
    assert caught.value.retry_after_seconds == after_seconds


async def test_wrong_credentials_are_refused(simulation: tuple[Api, str], waits: list[float]) -> None:
    api = api_at(simulation[1], waits, client_secret="wrong")

    with pytest.raises(Refused, match="400"):
        await api.read(NOON)

    await api.close()


async def test_each_vendor_is_read_by_its_own_reader(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(new_sealing_key())
    key = read_sealing_key(key_file)
    readers = Readers(key, ScanMoment.ROWS)

    def due(vendor: str) -> Due:
        source = f"rmm/{vendor}/main"
        box = sealed(key, b"quiet", source_id=source, purpose=Purpose.API)
        return Due(source, vendor, "https://api.example", "us", box, timedelta(minutes=15), uuid4(), 0)

    assert isinstance(await readers.of(due("datto")), DattoReader)
    assert isinstance(await readers.of(due("ninjaone")), NinjaOneReader)
    with pytest.raises(NeverWorks, match="tactical: has no poller"):
        await readers.of(due("tactical"))
    assert BY_VENDOR.keys() == set(vendors.POLLED)
    await readers.close()


def test_the_address_is_pinned_and_encrypted() -> None:
    with pytest.raises(WrongSetting):
        DattoApi(url="http://pinotage-api.example", client_id="x", client_secret="x")


Fault = Callable[[httpx.Request], httpx.Response]


class Datto:
    """Answers as the vendor documents it, page by page; `faults` by the number of the call."""

    def __init__(self) -> None:
        self.listings: dict[str, list[dict[str, Any]]] = {
            "devices": [device_row(f"device-{number}") for number in range(3)],
            "open": [alert_row("open-1", device="device-1")],
            "resolved": [],
        }
        self.calls: list[httpx.Request] = []
        self.faults: dict[int, Fault] = {}
        self.page = 2
        self.host = "https://merlot-api.example"
        self.tokens = 0
        self.lifetime: object = 360_000

    def paths(self) -> list[str]:
        return [call.url.path.rpartition("/")[2] for call in self.calls]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        fault = self.faults.pop(len(self.calls), None)
        if fault is not None:
            return fault(request)
        name = request.url.path.rpartition("/")[2]
        if name == "token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": self.lifetime})
        if request.headers["authorization"] != f"Bearer t{self.tokens}":
            return httpx.Response(401)
        if name == "request_rate":
            return httpx.Response(200, json={"accountCount": 1, "accountRateLimit": 600})
        return self._page(request, name)

    def _page(self, request: httpx.Request, name: str) -> httpx.Response:
        number = int(request.url.params.get("page", 0))
        rows = self.listings[name]
        following = f"{self.host}{request.url.path}?max=250&page={number + 1}"
        has_more = (number + 1) * self.page < len(rows)
        details = {"count": 1, "totalCount": len(rows), "nextPageUrl": following if has_more else None}
        key = "devices" if name == "devices" else "alerts"
        return httpx.Response(200, json={"pageDetails": details, key: rows[number * self.page :][: self.page]})


@pytest.fixture
def datto() -> Datto:
    return Datto()


@pytest.fixture
async def api(datto: Datto, waits: list[float]) -> AsyncIterator[DattoApi]:
    api = api_at(datto.host, waits, client_id="key", client_secret="quiet", transport=httpx.MockTransport(datto))
    yield api
    await api.close()


async def read(api: DattoApi) -> list[str]:
    """Read everything and return the devices of which something was found."""
    return [each.device for each in (await api.read(MONTH_AGO)).readings()]


async def test_devices_first_then_open_alerts_then_resolved_ones(api: DattoApi, datto: Datto) -> None:
    assert await read(api) == ["device-0", "device-1", "device-2"]

    assert datto.paths() == ["token", "request_rate", "devices", "devices", "open", "resolved"]
    [token, *_] = datto.calls
    assert parse_qs(token.content.decode()) == {"grant_type": ["password"], "username": ["key"], "password": ["quiet"]}
    assert token.headers["authorization"] == "Basic cHVibGljLWNsaWVudDpwdWJsaWM="


async def test_resolved_alerts_are_read_as_far_back_as_they_are_wanted(api: DattoApi, datto: Datto) -> None:
    old = MONTH_AGO - timedelta(days=1)
    new = [alert_row(f"new-{number}", resolved_at=NOON) for number in range(3)]
    datto.listings["resolved"] = new + [alert_row(f"old-{number}", at=old, resolved_at=old) for number in range(90)]

    found = await api.read(MONTH_AGO)

    assert datto.paths().count("resolved") == 3
    assert sum(len(each.alerts) for each in found.readings()) == 4


async def test_a_token_serves_until_it_ends_and_is_replaced_once(api: DattoApi, datto: Datto) -> None:
    await read(api)
    await read(api)
    assert datto.tokens == 1

    datto.tokens = 7
    assert len(await read(api)) == 3
    assert datto.tokens == 8


async def test_a_new_token_that_is_refused_ends_it(api: DattoApi, datto: Datto) -> None:
    datto.faults = {number: lambda _: httpx.Response(401) for number in (2, 3, 4)}

    with pytest.raises(Refused, match="401"):
        await read(api)


@pytest.mark.parametrize("seconds", [17.0, 60.0], ids=["as it says", "a whole window"])
async def test_after_a_429_nothing_is_sent_until_its_time(
    api: DattoApi, datto: Datto, waits: list[float], seconds: float
) -> None:
    headers = {} if seconds == 60 else {"retry-after": str(seconds)}
    datto.faults = {4: lambda _: httpx.Response(429, headers=headers)}

    assert len(await read(api)) == 3
    assert waits == [seconds]
    assert datto.paths().count("devices") == 3


async def test_a_long_wait_is_for_the_next_poll(api: DattoApi, datto: Datto, waits: list[float]) -> None:
    datto.faults = {4: lambda _: httpx.Response(429, headers={"retry-after": "900"})}

    with pytest.raises(Unavailable) as caught:
        await read(api)

    assert (caught.value.retry_after_seconds, waits) == (900.0, [])


async def test_one_poll_waits_only_so_often(api: DattoApi, datto: Datto, waits: list[float]) -> None:
    datto.faults = {number: lambda _: httpx.Response(429) for number in range(2, 99)}

    with pytest.raises(Unavailable):
        await read(api)

    assert len(waits) == 20


@pytest.mark.parametrize("call", [1, 2, 4], ids=["the token", "the allowance", "a page"])
async def test_after_a_403_nothing_more_is_sent(api: DattoApi, datto: Datto, call: int) -> None:
    datto.faults = {call: lambda _: httpx.Response(403, text="Forbidden")}

    with pytest.raises(Unavailable, match="blocked or not permitted") as caught:
        await read(api)

    assert (caught.value.retry_after_seconds, len(datto.calls)) == (600.0, call)


async def test_an_account_near_its_limit_is_left_alone(api: DattoApi, datto: Datto, waits: list[float]) -> None:
    full = lambda _: httpx.Response(200, json={"accountCount": 590, "accountRateLimit": 600})  # noqa: E731 - a fault
    datto.faults = {2: full, 3: full}

    assert len(await read(api)) == 3
    assert waits == [15.0, 15.0]


async def test_an_account_that_stays_full_is_for_the_next_poll(api: DattoApi, datto: Datto, waits: list[float]) -> None:
    full = lambda _: httpx.Response(200, json={"accountCount": 600, "accountRateLimit": 600})  # noqa: E731 - a fault
    datto.faults = dict.fromkeys(range(2, 99), full)

    with pytest.raises(Unavailable, match="near its limit") as caught:
        await read(api)

    assert (caught.value.retry_after_seconds, len(waits)) == (15.0, 20)


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: httpx.Response(404),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(200, json={"accountRateLimit": "many"}),
    ],
    ids=["not there", "a list", "words"],
)
async def test_without_the_accounts_numbers_we_go_at_our_own_pace(api: DattoApi, datto: Datto, fault: Fault) -> None:
    datto.faults = {2: fault}

    assert len(await read(api)) == 3


async def test_a_hiccup_is_read_again_and_a_broken_api_is_not(api: DattoApi, datto: Datto, waits: list[float]) -> None:
    datto.faults = {4: lambda _: httpx.Response(502)}
    assert len(await read(api)) == 3

    datto.faults = {number: lambda _: httpx.Response(502) for number in range(len(datto.calls), 99)}
    with pytest.raises(Unavailable, match="502"):
        await read(api)
    assert waits == [2.0, 2.0, 2.0]


ODD: dict[str, object] = {
    "a page of html": b"<html>login</html>",
    "nothing": b"",
    "a list": [],
    "no rows": {"pageDetails": {}},
    "an object for rows": {"devices": {}},
    "words for rows": {"devices": ["one"]},
    "a number for the next page": {"devices": [], "pageDetails": {"nextPageUrl": 7}},
    "the next page elsewhere": {"devices": [], "pageDetails": {"nextPageUrl": "https://evil.example/x?page=1"}},
    "no address": {"devices": [], "pageDetails": {"nextPageUrl": "https://[half"}},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_an_odd_page_is_not_understood(api: DattoApi, datto: Datto, odd: object) -> None:
    body = odd if isinstance(odd, bytes) else json.dumps(odd).encode()
    datto.faults = {3: lambda _: httpx.Response(200, content=body)}

    with pytest.raises(AnswerNotUnderstood):
        await read(api)

    assert {call.url.host for call in datto.calls} == {"merlot-api.example"}


async def test_pages_that_go_in_a_circle_end(api: DattoApi, datto: Datto) -> None:
    same = {"devices": [], "pageDetails": {"nextPageUrl": f"{datto.host}/api/v2/account/devices?page=1"}}
    datto.faults = {number: lambda _: httpx.Response(200, json=same) for number in (3, 4, 5)}

    with pytest.raises(AnswerNotUnderstood, match="does not go on"):
        await read(api)


@pytest.mark.parametrize("token", [{}, {"access_token": ""}, []], ids=["none", "empty", "a list"])
async def test_an_odd_token_is_not_understood(api: DattoApi, datto: Datto, token: object) -> None:
    datto.faults = {1: lambda _: httpx.Response(200, json=token)}

    with pytest.raises(AnswerNotUnderstood, match="access_token"):
        await read(api)


@pytest.mark.parametrize("lifetime", [30, None, "soon", -1, 1e300])
async def test_a_token_without_a_usable_end_is_used_for_a_while(api: DattoApi, datto: Datto, lifetime: object) -> None:
    datto.lifetime = lifetime

    assert len(await read(api)) == 3
    assert datto.tokens == 1

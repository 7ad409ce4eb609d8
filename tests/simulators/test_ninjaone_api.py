"""The simulated NinjaOne API over HTTP: tokens, pages, filters, the day's moments, and how it fails."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from simulators.day import Day, day
from simulators.fleet import NINJAONE_BRANCH, NINJAONE_MAIN
from simulators.ninjaone_api import CLIENT_ID, CLIENT_SECRET, Api
from simulators.script import EVENING, MORNING, NIGHT

CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "scope": "monitoring",
}


@pytest.fixture(scope="module")
def usual_day() -> Day:
    return day(seed=1, devices=120)


@pytest.fixture
async def api(usual_day: Day) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=Api(usual_day))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/main") as client:
        yield client


async def log_in(api: httpx.AsyncClient) -> None:
    token = (await api.post("/ws/oauth/token", data=CREDENTIALS)).json()["access_token"]
    api.headers["authorization"] = f"Bearer {token}"


async def set_day(api: httpx.AsyncClient, *, source: str = "main", **setting: str) -> None:
    (await api.put("http://127.0.0.1/_day", json={"source": source, **setting})).raise_for_status()


async def at(api: httpx.AsyncClient, moment: datetime) -> None:
    await set_day(api, moment=moment.isoformat())


async def rows(api: httpx.AsyncClient, query: str, **params: str | int) -> list[dict[str, Any]]:
    """Page through one query as the vendor's clients do: until a page is empty."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get(f"/v2/queries/{query}", params={**params, **cursor})).json()
        if not page["results"]:
            return found
        found += page["results"]
        cursor = {"cursor": page["cursor"]["name"]}


async def test_without_a_token_nothing_is_told(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v2/devices-detailed")

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        pytest.param({"client_secret": "wrong"}, 401, id="wrong secret"),
        pytest.param({"grant_type": "password"}, 400, id="wrong grant"),
    ],
)
async def test_wrong_credentials_get_no_token(api: httpx.AsyncClient, changed: dict[str, str], status: int) -> None:
    answer = await api.post("/ws/oauth/token", data=CREDENTIALS | changed)

    assert answer.status_code == status
    assert "access_token" not in answer.json()


async def test_devices_are_paged_by_the_last_id_of_the_page_before(api: httpx.AsyncClient, usual_day: Day) -> None:
    await log_in(api)
    seen: list[int] = []

    while True:
        page = (await api.get("/v2/devices-detailed", params={"pageSize": 7, "after": seen[-1] if seen else 0})).json()
        if not page:
            break
        assert len(page) <= 7
        seen += [row["id"] for row in page]

    assert seen == sorted(device.number for device in usual_day.devices if device.source == NINJAONE_MAIN)


async def test_a_query_is_paged_by_its_cursor_without_loss_or_repetition(api: httpx.AsyncClient) -> None:
    await log_in(api)
    await at(api, NIGHT)

    whole = await rows(api, "os-patches", pageSize=1000)
    in_pages = await rows(api, "os-patches", pageSize=9)

    assert in_pages == whole
    assert len({(row["deviceId"], row["id"]) for row in whole}) == len(whole) > 9


async def test_a_cursor_that_nobody_was_given_is_refused(api: httpx.AsyncClient) -> None:
    await log_in(api)

    answer = await api.get("/v2/queries/os-patches", params={"cursor": "made-up"})

    assert answer.status_code == 400


async def test_the_morning_lists_december_the_night_january_and_the_evening_less(
    api: httpx.AsyncClient, usual_day: Day
) -> None:
    await log_in(api)
    awake = {happening.device.number for happening in usual_day.happenings}
    listed: list[set[tuple[str, int]]] = []

    for moment in (MORNING, NIGHT, EVENING):
        await at(api, moment)
        listed.append({(row.get("kbNumber") or row["name"], row["deviceId"]) for row in await rows(api, "os-patches")})

    morning, night, evening = listed
    december, january = {"KB5048667", "KB5048685", "KB5048652", "KB5048654", "KB5048661"}, "KB50"
    assert {kb for kb, _ in morning if kb.startswith("KB")} <= december
    assert not any(kb in december for kb, device in night if device in awake)
    assert all(kb.startswith((january, "macOS")) for kb, device in night if device in awake)
    assert len(evening) < len(night)


async def test_only_what_has_the_wanted_status_is_told(api: httpx.AsyncClient) -> None:
    await log_in(api)
    await at(api, EVENING)

    every = await rows(api, "os-patch-installs")
    failed = await rows(api, "os-patch-installs", status="FAILED")

    assert failed == [row for row in every if row["status"] == "FAILED"]
    assert {row["status"] for row in every} == {"FAILED", "INSTALLED"}


async def test_a_restart_is_seen_in_the_boot_time_and_in_needs_reboot(api: httpx.AsyncClient, usual_day: Day) -> None:
    await log_in(api)
    await at(api, EVENING)

    devices = {row["id"]: row for row in (await api.get("/v2/devices-detailed")).json()}

    scans = {scan.device.number: scan for scan in usual_day.scans if scan.device.source == NINJAONE_MAIN}
    restarted = [scan for scan in scans.values() if scan.booted_at != scan.device.booted_at]
    assert restarted
    for scan in restarted:
        assert devices[scan.device.number]["os"]["lastBootTime"] == pytest.approx(scan.booted_at.timestamp(), abs=0.01)
    waiting = [scan for scan in scans.values() if scan.restart_pending and scan.at > NIGHT]
    assert waiting
    assert all(devices[scan.device.number]["os"]["needsReboot"] for scan in waiting)


async def test_instances_have_their_own_devices_and_tokens(api: httpx.AsyncClient, usual_day: Day) -> None:
    await log_in(api)

    main = (await api.get("/v2/devices-detailed")).json()
    with_the_token_of_main = await api.get("http://127.0.0.1/branch/v2/devices-detailed")

    branch = {device.number for device in usual_day.devices if device.source == NINJAONE_BRANCH}
    assert branch
    assert not branch & {row["id"] for row in main}
    assert with_the_token_of_main.status_code == 401


async def test_a_busy_instance_asks_to_come_back_and_a_broken_one_fails(api: httpx.AsyncClient) -> None:
    await log_in(api)

    await set_day(api, mood="busy")
    busy = [await api.get("/v2/queries/device-health") for _ in range(3)]
    await set_day(api, mood="broken")
    broken = await api.get("/v2/queries/device-health")

    [limited] = [answer for answer in busy if answer.status_code == 429]
    assert limited.headers["retry-after"] == "1"
    assert broken.status_code == 500


@pytest.mark.parametrize(
    "setting", [{"source": "nowhere"}, {"source": "main", "mood": "sad"}, {"source": "main", "moment": "2025-01-14"}]
)
async def test_a_setting_that_means_nothing_is_refused(api: httpx.AsyncClient, setting: dict[str, str]) -> None:
    answer = await api.put("http://127.0.0.1/_day", json=setting)

    assert answer.status_code == 400


async def test_another_day_can_be_chosen(api: httpx.AsyncClient) -> None:
    (await api.post("http://127.0.0.1/_day", json={"seed": 5, "devices": 60})).raise_for_status()
    await log_in(api)

    devices = (await api.get("/v2/devices-detailed")).json()

    expected = [device for device in day(seed=5, devices=60).devices if device.source == NINJAONE_MAIN]
    assert [row["systemName"] for row in devices] == [device.hostname for device in expected]

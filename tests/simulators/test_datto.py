"""The simulated Datto RMM: templates filled in three ways, alerts that come and go, an API that is strict."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from simulators.breach import breach
from simulators.breach_served import Directories
from simulators.datto_alerts import alerts_of, site_uid
from simulators.datto_api import CLIENT_ID, CLIENT_SECRET, Api
from simulators.datto_rows import DattoView
from simulators.datto_webhooks import Escaping, Monitors, body
from simulators.deliveries import SECRET_HEADER, Delivery, Nature, headers_of
from simulators.identities import now
from simulators.rmms import Rmms
from simulators.script import NOW, What
from tests.gateway.test_datto_api import ACCOUNT, DAY, DEVICES

FORM = {"grant_type": "password", "username": CLIENT_ID, "password": CLIENT_SECRET}
PUBLIC = ("public-client", "public")

DIRECTORIES = Directories(breach(seed=1), url="http://127.0.0.1", clock=now)


def client(app: Api) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1/main")


async def answer(app: Api, path: str, **params: int) -> httpx.Response:
    async with client(app) as http:
        token = (await http.post("/auth/oauth/token", data=FORM, auth=PUBLIC)).json()["access_token"]
        return await http.get(path, params=params, headers={"authorization": f"Bearer {token}"})


def test_each_way_of_escaping_is_another_body_and_only_the_sound_one_is_json() -> None:
    failed = next(each for each in alerts_of(DAY) if each.raised.what is What.FAILED)
    sound, none, lossy = (body(failed, "alert.raised", way) for way in Escaping)

    assert json.loads(sound)["message"] == failed.message
    for broken in (none, lossy):
        with pytest.raises(ValueError, match=r"."):
            json.loads(broken)
    assert b"\\" not in lossy


def test_monitors_push_alerts_and_nothing_else() -> None:
    monitors = Monitors(DAY)
    pushed = {each.what for each in DAY.happenings if monitors.message(each, 0) is not None}

    assert pushed == {What.ALERT, What.ALERT_OVER, What.FAILED}


def test_what_is_raised_is_what_is_resolved() -> None:
    monitors = Monitors(DAY)
    pairs = [(each.what, monitors.message(each, 0)) for each in DAY.happenings if each.device is DAY.devices[0]]
    uids = {what: json.loads(sent)["alertUid"] for what, sent in pairs if sent is not None}

    assert uids[What.ALERT] == uids[What.ALERT_OVER] != uids[What.FAILED]


def test_a_delivery_has_the_static_header() -> None:
    one = Delivery(nature=Nature.TRUE, name="x", source=ACCOUNT, body=b"{}", delivery_id="1")

    assert headers_of(one, "quiet", NOW)[SECRET_HEADER] == "quiet"
    assert DAY.devices[0].vendor_id == str(DAY.devices[0].uid)


def test_an_alert_is_open_until_it_is_over() -> None:
    over = next(each.over for each in alerts_of(DAY) if each.over is not None)
    before, after = (DattoView(DAY, ACCOUNT, over.at + timedelta(seconds=each)) for each in (-1, 0))

    assert len(before.open_alerts()) + len(before.resolved_alerts()) <= len(after.open_alerts()) + len(
        after.resolved_alerts()
    )
    assert len(after.resolved_alerts()) == len(before.resolved_alerts()) + 1


def test_moments_are_written_in_both_ways_and_classes_are_not_all_known() -> None:
    view = DattoView(DAY, ACCOUNT, NOW)

    assert {type(row["lastReboot"]) for row in view.devices()} == {int, str}
    classes = {row["alertContext"]["@class"] for row in (*view.open_alerts(), *view.resolved_alerts())}
    assert classes == {"patch_ctx", "disk_usage_ctx", "perf_disk_usage_ctx"}
    assert {row["patchManagement"]["patchStatus"] for row in view.devices()} == {"InstallError"}
    assert {row["siteUid"] for row in view.devices()} == {site_uid(DAY.devices[0].client)}


async def test_pages_go_on_where_the_vendor_says() -> None:
    app, seen = Api(DAY, [ACCOUNT]), list[dict[str, Any]]()
    page = (await answer(app, "/api/v2/account/devices", max=3)).json()
    seen += page["devices"]
    while page["pageDetails"]["nextPageUrl"]:
        following = httpx.URL(page["pageDetails"]["nextPageUrl"])
        page = (await answer(app, following.path.removeprefix("/main"), **dict(following.params))).json()  # type: ignore[arg-type]  # of the address
        seen += page["devices"]

    assert len({row["uid"] for row in seen}) == len(seen) == DEVICES


@pytest.mark.parametrize(
    ("form", "auth", "status"),
    [(FORM, ("x", "y"), 401), ({**FORM, "grant_type": "client_credentials"}, PUBLIC, 400), ({}, PUBLIC, 400)],
    ids=["not the public client", "another grant", "nothing"],
)
async def test_a_token_is_given_for_the_right_words_only(form: Any, auth: tuple[str, str], status: int) -> None:
    async with client(Api(DAY, [ACCOUNT])) as http:
        assert (await http.post("/auth/oauth/token", data=form, auth=auth)).status_code == status
        assert (await http.get("/api/v2/account/devices")).status_code == 401


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ({"source": "main", "mood": "broken"}, 200),
        ({"source": "main", "mood": "happy"}, 400),
        ({"source": "x"}, 400),
    ],
)
async def test_its_own_door_refuses_what_it_does_not_know(setting: dict[str, str], status: int) -> None:
    async with client(Api(DAY, [ACCOUNT])) as http:
        assert (await http.put("http://127.0.0.1/_day", json=setting)).status_code == status


async def test_all_vendors_stand_behind_one_address() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=Rmms(DAY, DIRECTORIES)), base_url="http://127.0.0.1"
    ) as http:
        known = await http.put("/_day", json={"source": "main", "mood": "broken"})
        unknown = await http.put("/_day", json={"source": "nowhere", "mood": "broken"})
        played = await http.post("/_day", json={"seed": 2, "devices": 20})
        elsewhere = await http.get("/nowhere/v2/devices-detailed")

    assert [each.status_code for each in (known, unknown, played, elsewhere)] == [200, 400, 200, 404]

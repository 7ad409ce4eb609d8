"""NinjaOne's API through recorded shapes of its answers: paging, cursors, tokens, and the ways in which it fails."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from chassis.http import Policy, Refused, Unavailable
from services.gateway.adapters.ninjaone_api import NinjaOneApi
from services.gateway.adapters.poll_answers import AnswerNotUnderstood
from services.gateway.polling.rules_collect import ScanMoment
from tests.builders import NOON
from tests.gateway.poll_rows import attempt_row, device_row, patch_row

Faults = dict[int, Callable[[httpx.Request], httpx.Response]]


class Ninja:
    """Answers as the vendor documents it: pages by `after`, cursors with a name, tokens that end."""

    def __init__(self) -> None:
        self.devices = [device_row(number) for number in (1, 2, 3)]
        self.reports: dict[str, list[dict[str, Any]]] = {
            "os-patches": [patch_row(device=number) for number in (1, 2, 3)],
            "software-patches": [],
            "os-patch-installs": [attempt_row("FAILED", NOON, device=1)],
            "software-patch-installs": [],
            "device-health": [{"deviceId": 2, "offline": True, "pendingRebootReason": None}],
        }
        self.calls: list[httpx.Request] = []
        self.faults: Faults = {}
        self.page = 2
        self.lifetime: object = 3600
        self.valid: set[str] = set()
        self.tokens = 0
        self._cursors: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        fault = self.faults.pop(len(self.calls), None)
        if fault is not None:
            return fault(request)
        if request.url.path == "/ws/oauth/token":
            return self._token(parse_qs(request.content.decode()))
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return httpx.Response(401, json={"error": "invalid_token"})
        query = dict(request.url.params)
        if request.url.path == "/v2/devices-detailed":
            after = int(query.get("after", 0))
            return httpx.Response(200, json=[row for row in self.devices if row["id"] > after][: self.page])  # type: ignore[operator]  # ids
        return httpx.Response(200, json=self._report(request.url.path.rpartition("/")[2], query))

    def _token(self, form: dict[str, list[str]]) -> httpx.Response:
        asked = {name: values[0] for name, values in form.items()}
        if asked != {
            "grant_type": "client_credentials",
            "client_id": "us",
            "client_secret": "quiet",
            "scope": "monitoring",
        }:
            return httpx.Response(401, json={"error": "invalid_client"})
        self.tokens += 1
        self.valid = {f"t{self.tokens}"}
        return httpx.Response(
            200, json={"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": self.lifetime}
        )

    def _report(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        cursor = query.get("cursor", f"c{len(self.calls)}")
        left = self._cursors.get(cursor, self.reports[name])
        page, self._cursors[cursor] = left[: self.page], left[self.page :]
        return {"cursor": {"name": cursor, "offset": 0, "count": len(page), "expires": 3600}, "results": page}


@pytest.fixture
def ninja() -> Ninja:
    return Ninja()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
async def api(ninja: Ninja, waits: list[float]) -> AsyncIterator[NinjaOneApi]:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    api = NinjaOneApi(
        url="https://eu.ninjarmm.example",
        client_id="us",
        client_secret="quiet",
        policy=Policy(calls_per_second=10_000, burst=1000),
        transport=httpx.MockTransport(ninja),
        sleep=sleep,
    )
    yield api
    await api.close()


async def read(api: NinjaOneApi) -> dict[str, Any]:
    """Read everything and return what was found, by device."""
    collected = await api.read(NOON, ScanMoment.ROWS_OR_CONTACT)
    assert collected.unread == 0
    return {each.row.device: each for each in collected.readings()}


async def test_everything_is_read_page_by_page(api: NinjaOneApi, ninja: Ninja) -> None:
    found = await read(api)

    assert sorted(found) == ["1", "2", "3"]
    assert [len(each.lists["os"].by_patch) for each in found.values() if each.lists] == [1, 1]
    assert [each.outcome for each in found["1"].attempts] == ["FAILED"]
    assert found["2"].row.offline is True
    assert ninja.tokens == 1


async def test_lists_are_read_before_histories_and_devices_first(api: NinjaOneApi, ninja: Ninja) -> None:
    await read(api)

    paths = list(dict.fromkeys(call.url.path.rpartition("/")[2] for call in ninja.calls))
    assert paths == [
        "token",
        "devices-detailed",
        "os-patches",
        "software-patches",
        "os-patch-installs",
        "software-patch-installs",
        "device-health",
    ]
    since = [call.url.params.get("installedAfter") for call in ninja.calls if "installs" in call.url.path]
    assert set(since) == {str(int(NOON.timestamp()))}


async def test_a_token_serves_until_it_ends(api: NinjaOneApi, ninja: Ninja) -> None:
    await read(api)
    await read(api)

    assert ninja.tokens == 1


@pytest.mark.parametrize("lifetime", [30, None, "soon", -1, 1e300])
async def test_a_token_without_a_usable_end_is_used_for_a_while(
    api: NinjaOneApi, ninja: Ninja, lifetime: object
) -> None:
    ninja.lifetime = lifetime

    assert len(await read(api)) == 3
    assert ninja.tokens == 1


async def test_a_refused_token_is_replaced_once(api: NinjaOneApi, ninja: Ninja) -> None:
    await read(api)
    ninja.valid.clear()

    assert len(await read(api)) == 3
    assert ninja.tokens == 2


async def test_wrong_credentials_are_refused(ninja: Ninja) -> None:
    api = NinjaOneApi(
        url="https://eu.ninjarmm.example",
        client_id="us",
        client_secret="wrong",
        transport=httpx.MockTransport(ninja),
    )

    with pytest.raises(Refused, match="401"):
        await api.read(NOON, ScanMoment.ROWS)

    await api.close()


async def test_a_new_token_that_is_refused_ends_it(api: NinjaOneApi, ninja: Ninja) -> None:
    ninja.faults = {number: lambda _: httpx.Response(401) for number in (2, 3, 4)}

    with pytest.raises(Refused, match="401"):
        await read(api)


async def test_retry_after_is_waited_for_where_it_stands(api: NinjaOneApi, ninja: Ninja, waits: list[float]) -> None:
    busy = lambda _: httpx.Response(429, headers={"retry-after": "17"})  # noqa: E731 - a fault
    ninja.faults = {4: busy, 6: busy}

    assert len(await read(api)) == 3
    assert waits == [17.0, 17.0]


async def test_a_long_retry_after_is_for_the_next_poll(api: NinjaOneApi, ninja: Ninja, waits: list[float]) -> None:
    ninja.faults = {4: lambda _: httpx.Response(429, headers={"retry-after": "900"})}

    with pytest.raises(Unavailable) as caught:
        await read(api)

    assert (caught.value.retry_after_seconds, waits) == (900.0, [])


async def test_one_poll_waits_only_so_often(api: NinjaOneApi, ninja: Ninja, waits: list[float]) -> None:
    ninja.faults = {number: lambda _: httpx.Response(503, headers={"retry-after": "5"}) for number in range(2, 99)}

    with pytest.raises(Unavailable):
        await read(api)

    assert len(waits) == 20


async def test_a_hiccup_is_read_again(api: NinjaOneApi, ninja: Ninja) -> None:
    ninja.faults = {4: lambda _: httpx.Response(500)}

    assert len(await read(api)) == 3


async def test_a_broken_api_is_unavailable(api: NinjaOneApi, ninja: Ninja) -> None:
    ninja.faults = {number: lambda _: httpx.Response(500) for number in range(3, 9)}

    with pytest.raises(Unavailable, match="500"):
        await read(api)


ODD: dict[str, object] = {
    "a page of html": b"<html>login</html>",
    "nothing": b"",
    "a lone surrogate": b'[{"id": 1, "systemName": "\\ud800"}]',
    "an object for a list": {"devices": []},
    "a list of words": ["one"],
    "a word for an id": [{"id": "one"}],
    "a page that goes back": [{"id": 0}],
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_an_odd_listing_is_not_understood(api: NinjaOneApi, ninja: Ninja, odd: object) -> None:
    body = odd if isinstance(odd, bytes) else json.dumps(odd).encode()
    ninja.faults = {2: lambda _: httpx.Response(200, content=body)}

    with pytest.raises(AnswerNotUnderstood):
        await read(api)


@pytest.mark.parametrize("odd", [[], {"results": {}}, {"results": ["one"]}, {}], ids=["list", "object", "word", "none"])
async def test_an_odd_report_is_not_understood(api: NinjaOneApi, ninja: Ninja, odd: object) -> None:
    ninja.faults = {5: lambda _: httpx.Response(200, json=odd)}

    with pytest.raises(AnswerNotUnderstood):
        await read(api)


@pytest.mark.parametrize("token", [{}, {"access_token": ""}, []], ids=["none", "empty", "a list"])
async def test_an_odd_token_is_not_understood(api: NinjaOneApi, ninja: Ninja, token: object) -> None:
    ninja.faults = {1: lambda _: httpx.Response(200, json=token)}

    with pytest.raises(AnswerNotUnderstood, match="access_token"):
        await read(api)


async def test_a_report_without_a_cursor_is_whole(api: NinjaOneApi, ninja: Ninja) -> None:
    ninja.faults = {5: lambda _: httpx.Response(200, json={"results": [patch_row(device=3)]})}

    found = await read(api)

    assert {device: len(each.lists["os"].by_patch) for device, each in found.items() if each.lists} == {"1": 0, "3": 1}

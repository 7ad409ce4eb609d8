"""Microsoft Graph as a feed, over simulated tenants: what is asked, once a second, and what comes of its refusals."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.errors import WrongSetting
from chassis.http import Policy
from services.gateway.adapters.graph_api import POLICY, TENANTS_AT_ONCE, GraphApi, login_url
from services.gateway.polling.rules_exposed import LONGEST_READING_SECONDS, Before, Found, Hint
from simulators.graph_risks import CLIENT_ID, CLIENT_SECRET, GraphRisks, Trouble, alert, detection
from tests.builders import HOUR, MINUTE, NOON

URL = "http://127.0.0.1"
ACME, GLOBEX = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
QUICK = Policy(calls_per_second=10_000, burst=1000, attempts=1)
RAW_ID = UUID(int=7)


class Passing:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def tenants() -> tuple[GraphRisks, Passing]:
    clock = Passing()
    graph = GraphRisks(ACME, GLOBEX, url=URL, uptime=clock)
    graph.interval_seconds = 0
    graph.detections[ACME] = [detection("bob@acme.example", at=NOON - HOUR)]
    graph.detections[GLOBEX] = [detection("eve@globex.example", at=NOON - HOUR)]
    return graph, clock


def api_of(graph: GraphRisks, clock: Passing, *, secret: str = CLIENT_SECRET, policy: Policy = QUICK) -> GraphApi:
    return GraphApi(
        url=URL,
        client_id=CLIENT_ID,
        client_secret=secret,
        policy=policy,
        transport=httpx.ASGITransport(graph),
        sleep=clock.sleep,
    )


def beginning(*hints: str, **changes: Any) -> Before:
    return replace(
        Before(
            read_at=NOON,
            every=HOUR,
            snapshots={},
            organisations=[ACME, GLOBEX],
            hints=[Hint(ACME, each, RAW_ID) for each in hints],
        ),
        **changes,
    )


def after(found: Found, *hints: str, **changes: Any) -> Before:
    return beginning(*hints, snapshots={(each.kind, each.device): each for each in found.snapshots}, **changes)


def told(found: Found) -> dict[str, list[Any]]:
    return {str(each.organisation): [row["userPrincipalName"] for row in each.rows] for each in found.batches}


async def test_each_mapped_tenant_is_read_with_a_token_of_its_own() -> None:
    graph, clock = tenants()

    found = await api_of(graph, clock).read(beginning())

    assert told(found) == {ACME: ["bob@acme.example"], GLOBEX: ["eve@globex.example"]}
    assert found.problems == []
    assert {each.device for each in found.snapshots} == {ACME, GLOBEX}


async def test_a_detection_is_told_once_and_one_that_is_dated_late_is_told_too() -> None:
    graph, clock = tenants()
    api = api_of(graph, clock)
    first = await api.read(beginning())
    graph.detections[ACME].append(detection("late@acme.example", at=NOON - timedelta(days=2)))

    second = await api.read(after(first, read_at=NOON + HOUR))

    assert told(second) == {ACME: ["late@acme.example"]}


async def test_all_pages_are_read() -> None:
    graph, clock = tenants()
    graph.page = 2
    graph.detections[ACME] = [detection(f"p{number}@acme.example", at=NOON - HOUR) for number in range(5)]

    found = await api_of(graph, clock).read(beginning())

    assert told(found)[ACME] == [f"p{number}@acme.example" for number in range(5)]


async def test_a_next_page_on_another_host_is_not_followed() -> None:
    graph, clock = tenants()
    graph.page, graph.failing = 1, {ACME: ["elsewhere"]}
    graph.detections[ACME] *= 2

    found = await api_of(graph, clock).read(beginning())

    assert told(found) == {GLOBEX: ["eve@globex.example"]}
    assert found.problems == [f"{ACME}: /v1.0/identityProtection/riskDetections: the next page is somewhere else"]


async def test_the_bucket_of_a_tenant_keeps_below_its_limit() -> None:
    graph, clock = tenants()
    paced = GraphRisks(ACME, GLOBEX, url=URL)
    paced.detections, paced.interval_seconds = graph.detections, 0.05
    named = f"identityProtection/riskDetections/{graph.detections[ACME][0]['id']}"
    twenty_times_as_fast = Policy(calls_per_second=POLICY.calls_per_second * 20, burst=POLICY.burst, attempts=1)

    found = await api_of(paced, clock, policy=twenty_times_as_fast).read(beginning(*[named] * 3))

    assert len(found.read_hints) == 3
    assert (found.problems, clock.slept) == ([], [])  # no call was one too many


async def test_a_429_without_a_time_is_waited_out_longer_each_time() -> None:
    graph, clock = tenants()
    graph.failing = {ACME: ["limited", "limited", "limited"]}

    found = await api_of(graph, clock).read(beginning())

    assert clock.slept == [5, 10, 20]
    assert found.problems == []


async def test_a_tenant_that_stays_limited_is_left_for_later_and_holds_no_other_up() -> None:
    graph, clock = tenants()
    graph.failing = {ACME: ["limited"] * 9}

    found = await api_of(graph, clock).read(beginning())

    assert told(found) == {GLOBEX: ["eve@globex.example"]}
    assert found.problems == [f"{ACME}: 127.0.0.1: HTTP 429"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("forbidden", "HTTP 403: Forbidden"),
        ("broken", "127.0.0.1: HTTP 503"),
        ("garbled", "/v1.0/identityProtection/riskDetections: not an object"),
        ("echoed", "HTTP 400: BadRequest"),
    ],
)
async def test_a_refusal_is_told_in_its_code_alone(trouble: Trouble, said: str) -> None:
    graph, clock = tenants()
    graph.failing = {ACME: [trouble]}

    found = await api_of(graph, clock).read(beginning())

    assert found.problems == [f"{ACME}: {said}"]
    assert told(found) == {GLOBEX: ["eve@globex.example"]}


async def test_tenants_that_there_is_no_time_for_are_told_and_come_first_the_next_time() -> None:
    graph, clock = tenants()
    first = await api_of(graph, clock).read(beginning(organisations=[ACME]))
    others = [f"{number:08}-2222-4333-8444-555555555555" for number in range(TENANTS_AT_ONCE - 1)]
    ticks = itertools.count(step=LONGEST_READING_SECONDS / (len(others) + 2))  # the last tenant's turn is too late
    late = GraphApi(
        url=URL,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        policy=QUICK,
        transport=httpx.ASGITransport(graph),
        uptime=lambda: next(ticks),
    )

    found = await late.read(after(first, organisations=[ACME, GLOBEX, *others], read_at=NOON + HOUR))

    assert told(found) == {GLOBEX: ["eve@globex.example"]}
    assert f"{ACME}: not reached in time" in found.problems


async def test_a_token_that_ended_is_taken_anew_once() -> None:
    graph, clock = tenants()
    api = api_of(graph, clock)
    await api.read(beginning())
    graph.forget_tokens()

    assert (await api.read(beginning())).problems == []


async def test_a_wrong_secret_is_told_by_its_code() -> None:
    graph, clock = tenants()

    found = await api_of(graph, clock, secret="a-wrong-secret").read(beginning(organisations=[ACME]))

    assert found.problems == [f"{ACME}: HTTP 401: AADSTS7000215"]


async def test_what_a_notification_named_is_read_by_its_id() -> None:
    graph, clock = tenants()
    api = api_of(graph, clock)
    first = await api.read(beginning())
    changed = graph.detections[ACME][0] | {"riskState": "remediated"}
    graph.detections[ACME] = [changed]
    graph.alerts[ACME] = [alert("jane@acme.example", "joe@acme.example", title="Leaked credentials", at=NOON)]
    hints = [
        f"identityProtection/riskDetections/{changed['id']}",
        f"Security/alerts_v2('{graph.alerts[ACME][0]['id']}')",
        "identityProtection/riskDetections/gone",
        "users/11111111-2222-3333-4444-555555555555",
    ]

    found = await api.read(after(first, *hints, read_at=NOON + MINUTE))

    assert told(found) == {ACME: ["bob@acme.example", "jane@acme.example", "joe@acme.example"]}
    assert [each.resource for each in found.read_hints] == hints
    assert found.snapshots == []  # nothing was listed: its turn comes with the interval


async def test_a_hint_that_may_not_be_followed_now_stays() -> None:
    graph, clock = tenants()
    graph.failing = {ACME: ["forbidden"]}

    found = await api_of(graph, clock).read(beginning("security/alerts_v2/a-1", organisations=[ACME]))

    assert found.read_hints == []
    assert found.problems == [f"{ACME}: security/alerts_v2/a-1: HTTP 403: Forbidden"]
    assert told(found) == {ACME: ["bob@acme.example"]}


async def test_what_is_no_tenant_stands_in_no_address() -> None:
    graph, clock = tenants()

    found = await api_of(graph, clock).read(beginning(organisations=["../common", ACME]))

    assert found.problems == ["../common: is mapped, and no id of a tenant"]
    assert all(".." not in call.path and "common" not in call.path for call in graph.calls)


@pytest.mark.parametrize(
    "url", ["https://evil.example", "https://graph.microsoft.com.evil.example", "http://graph.microsoft.com"]
)
def test_the_secret_goes_to_microsoft_alone(url: str) -> None:
    with pytest.raises(WrongSetting):
        GraphApi(url=url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)


def test_each_cloud_has_its_own_sign_in() -> None:
    assert login_url("https://graph.microsoft.com") == "https://login.microsoftonline.com"
    assert login_url("https://graph.microsoft.us") == "https://login.microsoftonline.us"

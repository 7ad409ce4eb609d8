"""Have I Been Pwned's API over the simulated one: when a domain is asked for, at which pace, and how it says no."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.http import Policy, Refused, Unavailable
from services.gateway.adapters.hibp_api import HibpApi
from services.gateway.adapters.poll_answers import AnswerNotUnderstood
from services.gateway.polling.rules_exposed import Before, Found
from simulators.hibp import API_KEY, Hibp, Trouble, breach
from tests.builders import HOUR, NOON

QUICK = Policy(calls_per_second=10_000, burst=1000, attempts=1)
ADOBE = breach("Adobe", added="2026-11-01T00:00:00Z")
NAZ = breach("NazStealer", added="2026-11-09T00:00:00Z", IsStealerLog=True)


class Passing:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def subscription(clock: Passing) -> Hibp:
    hibp = Hibp(uptime=clock)
    hibp.breaches = [ADOBE]
    hibp.accounts = {"acme.example": {"bob": ["Adobe"], "jane": ["Adobe"]}, "globex.example": {}}
    hibp.stealer_logs = {"acme.example": {"bob": ["netflix.example"]}}
    hibp.rpm = 1000
    return hibp


def api_of(hibp: Hibp, clock: Passing, *, key: str = API_KEY) -> HibpApi:
    transport = httpx.ASGITransport(hibp)
    return HibpApi(
        url="https://hibp.example", api_key=key, policy=QUICK, transport=transport, sleep=clock.sleep, uptime=clock
    )


def beginning(**changes: Any) -> Before:
    return replace(Before(read_at=NOON, every=HOUR, snapshots={}), **changes)


def after(found: Found, **changes: Any) -> Before:
    return beginning(snapshots={(each.kind, each.device): each for each in found.snapshots}, **changes)


def told(found: Found) -> list[tuple[str, str, bool]]:
    return [(row["login"], row["document"], row["doubtful"]) for batch in found.batches for row in batch.rows]


def asked(hibp: Hibp, word: str) -> Sequence[str]:
    return [call.path.rpartition("/")[2] for call in hibp.calls if f"/{word}/" in call.path]


async def test_a_first_reading_tells_every_breached_account_and_doubts_old_stealer_logs() -> None:
    clock = Passing()
    hibp = subscription(clock)

    found = await api_of(hibp, clock).read(beginning())

    rows = told(found)
    assert rows[:2] == [("bob@acme.example", "Adobe", False), ("jane@acme.example", "Adobe", False)]
    assert [(login, doubtful) for login, _, doubtful in rows[2:]] == [("bob@acme.example", True)]
    assert found.problems == []
    assert {call.headers["user-agent"][:9] for call in hibp.calls} == {"Patchline"}


async def test_a_domain_is_asked_for_again_only_after_a_new_breach() -> None:
    clock = Passing()
    hibp = subscription(clock)
    api = api_of(hibp, clock)
    first = await api.read(beginning())
    hibp.accounts["acme.example"]["bob"].append("NazStealer")
    hibp.calls.clear()

    again = await api.read(after(first, read_at=NOON + HOUR))
    assert (told(again), asked(hibp, "breacheddomain")) == ([], [])

    hibp.breaches.append(NAZ)
    third = await api.read(after(first, read_at=NOON + 2 * HOUR))
    assert asked(hibp, "breacheddomain") == ["acme.example", "globex.example"]
    assert told(third) == [("bob@acme.example", "NazStealer", False)]
    assert third.batches[0].rows[0]["origin"] == "stealer_log"


async def test_stealer_logs_are_read_once_a_day_and_what_is_new_of_them_is_no_longer_doubtful() -> None:
    clock = Passing()
    hibp = subscription(clock)
    api = api_of(hibp, clock)
    first = await api.read(beginning())
    hibp.stealer_logs["acme.example"]["bob"].append("vpn.example")

    assert told(await api.read(after(first, read_at=NOON + 23 * HOUR))) == []
    [(login, _, doubtful)] = told(await api.read(after(first, read_at=NOON + timedelta(days=1))))

    assert (login, doubtful) == ("bob@acme.example", False)


async def test_a_plan_without_stealer_logs_is_not_asked_for_any() -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.includes_stealer_logs = False

    found = await api_of(hibp, clock).read(beginning())

    assert asked(hibp, "stealerlogsbyemaildomain") == []
    assert found.problems == []


async def test_the_pace_is_that_of_the_plan() -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.rpm = 20
    hibp.accounts |= {f"d{number}.example": {} for number in range(40)}
    began = clock.at

    found = await api_of(hibp, clock).read(beginning())

    assert found.problems == []
    assert clock.at - began >= 3 * len(hibp.calls) - 6


async def test_a_small_plan_with_many_domains_goes_on_where_it_stopped() -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.rpm, hibp.includes_stealer_logs = 10, False
    hibp.accounts = {f"d{number:03}.example": {"bob": ["Adobe"]} for number in range(400)}
    api, before, logins = api_of(hibp, clock), beginning(), list[str]()

    for _ in range(2):
        found = await api.read(before)
        assert found.problems == []
        logins += [login for login, _, _ in told(found)]
        kept = {(each.kind, each.device): each for each in found.snapshots}
        before = beginning(snapshots={**before.snapshots, **kept})

    assert sorted(logins) == [f"bob@{domain}" for domain in sorted(hibp.accounts)]


async def test_too_many_calls_wait_as_long_as_the_vendor_says() -> None:
    clock = Passing()
    hibp = subscription(clock)
    api = api_of(hibp, clock)
    first = await api.read(beginning())  # the plan's pace is known by now
    hibp.rpm = 5
    hibp.breaches.append(NAZ)

    found = await api.read(after(first, read_at=NOON + HOUR))

    assert found.problems == []
    assert clock.at >= 1060


async def test_a_domain_that_may_not_be_searched_holds_no_other_up_and_is_told() -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.accounts["globex.example"] = {"eve": ["Adobe"]}
    hibp.failing = {"breacheddomain/acme": ["forbidden"]}

    found = await api_of(hibp, clock).read(beginning())

    assert told(found)[0][0] == "eve@globex.example"
    assert found.problems == ["acme.example: not verified any more, or the subscription is too small for it"]
    assert {each.device for each in found.snapshots} == {"globex.example"}


async def test_what_was_read_before_an_outage_is_kept() -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.failing = {"globex": ["broken"]}

    found = await api_of(hibp, clock).read(beginning())

    assert {each.device for each in found.snapshots} == {"acme.example"}
    assert found.problems == ["globex.example and what comes after it: hibp.example: HTTP 503"]


async def test_an_answer_of_another_shape_is_understood_as_none() -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.failing = {"breacheddomain/acme": ["garbled"]}

    found = await api_of(hibp, clock).read(beginning())

    assert found.problems == ["breacheddomain/acme.example: not lists of names by alias"]


@pytest.mark.parametrize(
    ("word", "trouble", "expected"),
    [
        ("subscription", "forbidden", Refused),
        ("latestbreach", "broken", Unavailable),
        ("latestbreach", "garbled", AnswerNotUnderstood),
        ("breaches", "broken", None),
    ],
)
async def test_what_all_domains_need_fails_the_poll(
    word: str, trouble: Trouble, expected: type[Exception] | None
) -> None:
    clock = Passing()
    hibp = subscription(clock)
    hibp.failing = {word: [trouble]}
    api = api_of(hibp, clock)

    if expected is None:
        assert (await api.read(beginning())).problems
    else:
        with pytest.raises(expected):
            await api.read(beginning())


async def test_a_wrong_key_is_said_and_never_shown() -> None:
    clock = Passing()
    wrong = "f" * 32

    with pytest.raises(Refused) as refused:
        await api_of(subscription(clock), clock, key=wrong).read(beginning())

    assert refused.value.status == 401
    assert wrong not in repr(refused.value)


async def test_without_a_user_agent_the_simulated_vendor_refuses_as_the_real_one() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Hibp()), base_url="https://hibp.example") as client:
        answer = await client.get("/api/v3/latestbreach", headers={"user-agent": ""})

    assert answer.status_code == 403

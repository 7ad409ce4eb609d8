"""Turns: the rate holds for all together and for each caller, and whoever wants much does not delay the others."""

import asyncio
import time

import httpx
import pytest

from chassis.http import BreakerOpen, Outbound, OutOfTime, Policy, Unavailable
from chassis.turns import Bucket, Turns, caller, calling_for, uptime
from simulators.faulty_proxy import Fault, faulty_proxy

FAST = Policy(calls_per_second=1000, burst=1000, attempts=1, breaker_failures=2, breaker_seconds=30)


def test_a_bucket_is_full_at_the_start_and_fills_again() -> None:
    bucket = Bucket(rate=50, burst=2)
    for _ in range(2):
        assert bucket.wait_seconds() == 0
        bucket.take()
    empty = bucket.wait_seconds()
    time.sleep(empty)

    assert 0 < empty <= 0.02
    assert bucket.wait_seconds() == 0


async def _finished(turns: Turns, names: str) -> str:
    """Let callers queue up in the order of `names`, and return the order in which they were served."""
    served: list[str] = []

    async def one(name: str) -> None:
        await turns.wait(name)
        served.append(name)

    await asyncio.gather(*(one(name) for name in names))
    return "".join(served)


@pytest.mark.parametrize(
    ("queued", "served"),
    [
        pytest.param("aaaa", "aaaa", id="one alone has all turns"),
        pytest.param("aaaab", "aabaa", id="a newcomer waits for one call, not for the storm"),
        pytest.param("aaabbbc", "aabcabb", id="one of each in turn"),
    ],
)
async def test_whoever_wants_much_does_not_delay_whoever_wants_little(queued: str, served: str) -> None:
    assert await _finished(Turns(rate=50, burst=1), queued) == served


async def test_one_caller_gets_no_more_than_its_share_and_the_others_have_the_rest() -> None:
    turns = Turns(rate=1000, burst=10, share=0.2)
    started = time.monotonic()

    served = await _finished(turns, "aaaabb")

    assert served == "aabbaa"  # two are a fifth of ten
    assert time.monotonic() - started >= 0.008


async def test_whoever_calls_without_end_leaves_a_burst_to_those_who_seldom_call() -> None:
    turns = Turns(rate=200, burst=8, share=0.5)

    async def without_end(name: str) -> None:
        while True:
            await turns.wait(name)

    async with asyncio.TaskGroup() as tasks:
        storms = [tasks.create_task(without_end(name)) for name in "ab"]
        await asyncio.sleep(0.2)
        seldom = [asyncio.ensure_future(turns.wait("c")) for _ in range(2)]
        await asyncio.sleep(0)
        found = [each.done() for each in seldom]
        for each in (*storms, *seldom):
            each.cancel()

    assert found == [True, True]


async def test_who_gives_up_waiting_takes_nobodys_turn() -> None:
    turns = Turns(rate=10, burst=1)
    await turns.wait("a")
    impatient = asyncio.create_task(turns.wait("b"))
    patient = asyncio.create_task(turns.wait("c"))
    await asyncio.sleep(0)
    impatient.cancel()
    started = time.monotonic()
    await patient

    assert impatient.cancelled()
    assert time.monotonic() - started < 0.18


async def test_the_caller_is_known_in_tasks_too_and_forgotten_afterwards() -> None:
    async def name() -> str:
        return caller().name

    with calling_for("acme"):
        inside = await asyncio.create_task(name())

    assert (inside, caller().name) == ("acme", "")


async def test_the_breaker_of_one_caller_leaves_the_others_alone() -> None:
    arrived: list[str] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        arrived.append(caller().name)
        return httpx.Response(500 if caller().name == "acme" else 200)

    calling = Outbound("https://psa.example", FAST, transport=httpx.MockTransport(answer))
    with calling_for("acme"):
        for _ in range(4):
            with pytest.raises(Unavailable):
                await calling.call("POST", "/x")
        with pytest.raises(BreakerOpen) as kept_away:
            await calling.call("POST", "/x")
    with calling_for("birch"):
        assert (await calling.call("POST", "/x")).status_code == 200
    await calling.close()

    assert arrived == ["acme", "acme", "birch"]
    assert 29 < (kept_away.value.retry_after_seconds or 0) <= 30


class TestOutOfTime:
    """After its moment a caller sends nothing, whatever it waited for meanwhile."""

    async def test_nothing_is_sent(self) -> None:
        arrived: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            arrived.append(request)
            return httpx.Response(200)

        calling = Outbound("https://psa.example", FAST, transport=httpx.MockTransport(answer))
        with calling_for("acme", until=uptime() - 0.001), pytest.raises(OutOfTime) as caught:
            await calling.call("POST", "/x")
        await calling.close()

        assert (arrived, caught.value.ambiguous, caught.value.retry_after_seconds) == ([], False, None)

    async def test_a_turn_that_comes_too_late_is_not_used(self) -> None:
        calls: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            calls.append(request)
            return httpx.Response(200)

        slow = Policy(calls_per_second=10, burst=1, attempts=1)
        calling = Outbound("https://psa.example", slow, transport=httpx.MockTransport(answer))
        with calling_for("acme", until=uptime() + 0.05):
            await calling.call("POST", "/x")
            with pytest.raises(OutOfTime):
                await calling.call("POST", "/x")
        await calling.close()

        assert len(calls) == 1

    async def test_a_connection_that_takes_too_long_carries_no_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with faulty_proxy(9) as proxy:
            proxy.faults.inject(Fault.ERROR_BEFORE)
            calling = Outbound(proxy.url, FAST)
            moments = iter([0.0, 5.0])  # in time when the call begins, late when its connection stands
            monkeypatch.setattr("chassis.http.uptime", lambda: next(moments))
            with calling_for("acme", until=1.0), pytest.raises(OutOfTime) as caught:
                await calling.call("POST", "/x", json={})
            await calling.close()

        assert not caught.value.ambiguous
        assert proxy.faults.seen == []

    async def test_a_read_is_not_tried_again(self) -> None:
        calling = Outbound("https://psa.example", Policy(attempts=3))
        started = time.monotonic()
        with calling_for("acme", until=0.0), pytest.raises(OutOfTime):
            await calling.call("GET", "/x")
        await calling.close()

        assert time.monotonic() - started < 0.09


async def test_a_limited_caller_comes_back_when_it_was_told_to_by_date() -> None:
    """Retry-After as an HTTP date, over a real connection."""
    async with faulty_proxy(9) as proxy:
        proxy.faults.retry_after_seconds = 40
        proxy.faults.inject(Fault.LIMIT_DATE)
        calling = Outbound(proxy.url, FAST)
        with pytest.raises(Unavailable) as caught:
            await calling.call("POST", "/x")
        await calling.close()

    assert caught.value.limited
    assert 37 < (caught.value.retry_after_seconds or 0) <= 40

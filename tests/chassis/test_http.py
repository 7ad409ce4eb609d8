"""The policy for calls to outside systems, against recorded answers and against a server that breaks off."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from chassis.errors import WrongSetting
from chassis.http import Breaker, Outbound, Policy, Refused, Unavailable, retry_after

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
FAST = Policy(calls_per_second=1000, burst=1000, timeout_seconds=0.5, breaker_seconds=0.2)


@pytest.fixture(autouse=True)
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment never stands between us and this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")


Answer = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def outbound(answer: Answer, policy: Policy = FAST) -> AsyncIterator[Outbound]:
    calling = Outbound("https://psa.example/api", policy, transport=httpx.MockTransport(answer))
    try:
        yield calling
    finally:
        await calling.close()


def always(status: int, **kwargs: object) -> Answer:
    return lambda _request: httpx.Response(status, **kwargs)  # type: ignore[arg-type]  # the tests' own shorthand


class Sequence:
    """Answers with one after the other, and counts; the last one for ever."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        self._statuses = statuses
        self._headers = headers
        self.calls = 0

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        status = self._statuses[min(self.calls, len(self._statuses) - 1)]
        self.calls += 1
        return httpx.Response(status, headers=self._headers if status == 429 else None)


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Yield the address of a server that reads a request and closes without an answer, and what it has read."""
    read: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", read


async def test_a_good_answer_is_returned() -> None:
    async with outbound(always(201, json={"id": 1})) as calling:
        answer = await calling.call("POST", "/tickets", json={})

    assert answer.json() == {"id": 1}


async def test_the_call_goes_below_the_pinned_address() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200)

    async with outbound(answer) as calling:
        await calling.call("GET", "/tickets", params={"key:": "a/b"})

    assert seen == ["https://psa.example/api/tickets?key%3A=a%2Fb"]


async def test_another_host_is_never_called() -> None:
    calls = Sequence(200)
    calling = Outbound("https://psa.example", FAST, transport=httpx.MockTransport(calls))

    with pytest.raises(Refused, match="pinned host"):
        await calling.call("GET", "@evil.example/tickets")

    assert calls.calls == 0
    await calling.close()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("psa.example/api", id="no scheme"),
        pytest.param("ftp://psa.example", id="another protocol"),
        pytest.param("https:///api", id="no host"),
        pytest.param("http://psa.example", id="secrets in clear over the network"),
    ],
)
def test_a_wrong_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(WrongSetting):
        Outbound(url, FAST)


async def test_a_redirect_is_not_followed() -> None:
    async with outbound(always(302, headers={"location": "https://evil.example"})) as calling:
        with pytest.raises(Refused) as caught:
            await calling.call("GET", "/")

    assert caught.value.status == 302


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422])
async def test_a_refusal_says_its_status_and_first_words(status: int) -> None:
    async with outbound(always(status, text="Title\r\n is\x00 missing " + "x" * 9000)) as calling:
        with pytest.raises(Refused) as caught:
            await calling.call("POST", "/tickets")

    assert caught.value.status == status
    assert str(caught.value).startswith(f"HTTP {status}: Title is missing xxx")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("status", "ambiguous"), [(500, True), (502, True), (503, True), (504, True), (408, False), (425, False)]
)
async def test_a_server_error_after_a_write_is_ambiguous(status: int, *, ambiguous: bool) -> None:
    calls = Sequence(status)
    async with outbound(calls) as calling:
        with pytest.raises(Unavailable) as caught:
            await calling.call("POST", "/tickets")

    assert (caught.value.ambiguous, calls.calls) == (ambiguous, 1), "a write is never repeated by itself"


async def test_too_many_calls_say_when_to_come_back_and_are_not_ambiguous() -> None:
    async with outbound(always(429, headers={"retry-after": "30"})) as calling:
        with pytest.raises(Unavailable) as caught:
            await calling.call("POST", "/tickets")

    assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)


async def test_a_read_is_tried_again_and_succeeds() -> None:
    calls = Sequence(503, 502, 200)
    async with outbound(calls) as calling:
        answer = await calling.call("GET", "/tickets")

    assert (answer.status_code, calls.calls) == (200, 3)


async def test_a_read_gives_up_after_its_attempts_and_is_never_ambiguous() -> None:
    calls = Sequence(503)
    async with outbound(calls, Policy(attempts=2, breaker_failures=99, calls_per_second=1000)) as calling:
        with pytest.raises(Unavailable) as caught:
            await calling.call("GET", "/tickets")

    assert (calls.calls, caught.value.ambiguous) == (2, False)


async def test_a_read_waits_a_short_retry_after_by_itself() -> None:
    calls = Sequence(429, 200, headers={"retry-after": "1"})
    started = time.monotonic()
    async with outbound(calls) as calling:
        await calling.call("GET", "/tickets")

    assert 1.0 <= time.monotonic() - started < 2.0


async def test_a_limited_write_waits_a_short_retry_after_by_itself() -> None:
    calls = Sequence(429, 201, headers={"retry-after": "0.1"})
    async with outbound(calls) as calling:
        answer = await calling.call("POST", "/tickets")

    assert (answer.status_code, calls.calls) == (201, 2)


@pytest.mark.parametrize("statuses", [(503, 201), (429, 500, 201), (408, 201)])
async def test_a_write_that_may_have_happened_is_never_sent_again(statuses: tuple[int, ...]) -> None:
    calls = Sequence(*statuses, headers={"retry-after": "0.1"})
    async with outbound(calls) as calling:
        with pytest.raises(Unavailable):
            await calling.call("POST", "/tickets")

    assert calls.calls == len(statuses) - 1


async def test_a_read_does_not_wait_a_long_retry_after() -> None:
    calls = Sequence(429, 200, headers={"retry-after": "60"})
    async with outbound(calls) as calling:
        with pytest.raises(Unavailable) as caught:
            await calling.call("GET", "/tickets")

    assert (calls.calls, caught.value.retry_after_seconds) == (1, 60)


@pytest.mark.parametrize(("method", "ambiguous"), [("POST", True), ("PATCH", True), ("GET", False)])
async def test_a_lost_answer_is_ambiguous_only_for_a_write(method: str, *, ambiguous: bool) -> None:
    async with silent_server() as (url, read):
        calling = Outbound(url, FAST)

        with pytest.raises(Unavailable) as caught:
            await calling.call(method, "/tickets")  # type: ignore[arg-type]  # parametrized text
        await calling.close()

    assert read, "the server got it"
    assert caught.value.ambiguous is ambiguous


async def test_a_write_that_never_left_is_not_ambiguous() -> None:
    async with silent_server() as (url, _read):
        pass
    calling = Outbound(url, FAST)

    with pytest.raises(Unavailable) as caught:
        await calling.call("POST", "/tickets")

    assert not caught.value.ambiguous
    await calling.close()


async def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async def sleeping(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    server = await asyncio.start_server(sleeping, "127.0.0.1", 0)
    calling = Outbound(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", FAST)
    started = time.monotonic()

    with pytest.raises(Unavailable) as caught:
        await calling.call("POST", "/tickets")

    assert caught.value.ambiguous
    assert time.monotonic() - started < 2
    await calling.close()
    server.close()


async def test_an_answer_that_trickles_is_given_up_at_the_deadline() -> None:
    async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await asyncio.sleep(0.1)

    server = await asyncio.start_server(trickling, "127.0.0.1", 0)
    calling = Outbound(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", FAST)
    started = time.monotonic()

    with pytest.raises(Unavailable) as caught:
        await calling.call("POST", "/tickets")

    assert caught.value.ambiguous
    assert time.monotonic() - started < 3
    await calling.close()
    server.close()


async def test_the_breaker_keeps_calls_away_and_then_lets_one_through() -> None:
    calls = Sequence(500, 500, 200)
    async with outbound(calls, Policy(breaker_failures=2, breaker_seconds=0.2, calls_per_second=1000)) as calling:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await calling.call("POST", "/tickets")
        with pytest.raises(Unavailable, match="breaker") as kept_away:
            await calling.call("POST", "/tickets")
        await asyncio.sleep(0.25)
        answer = await calling.call("POST", "/tickets")

    assert 0 < (kept_away.value.retry_after_seconds or 0) <= 0.2
    assert not kept_away.value.ambiguous
    assert (answer.status_code, calls.calls) == (200, 3)


async def test_calls_that_wait_for_their_turn_see_that_the_breaker_opened() -> None:
    calls = Sequence(500)
    policy = Policy(breaker_failures=1, calls_per_second=50, burst=1)
    async with outbound(calls, policy) as calling:
        outcomes = await asyncio.gather(*(calling.call("POST", "/x") for _ in range(5)), return_exceptions=True)

    assert calls.calls == 1
    assert all(isinstance(each, Unavailable) for each in outcomes)


def test_only_one_call_goes_through_a_half_open_breaker() -> None:
    breaker = Breaker(failures=1, seconds=0.05)
    breaker.failed()
    time.sleep(0.06)

    breaker.check()

    with pytest.raises(Unavailable):
        breaker.check()


@pytest.mark.parametrize("status", [400, 404, 429])
async def test_an_answer_of_any_kind_closes_the_breaker(status: int) -> None:
    calls = Sequence(500, status, 500, status, 500, status)
    async with outbound(calls, Policy(breaker_failures=2, calls_per_second=1000, attempts=1)) as calling:
        for _ in range(6):
            with pytest.raises((Refused, Unavailable)):
                await calling.call("POST", "/tickets")

    assert calls.calls == 6


async def test_the_bucket_spreads_calls_after_the_burst() -> None:
    async with outbound(always(200), Policy(calls_per_second=20, burst=2)) as calling:
        started = time.monotonic()
        await asyncio.gather(*(calling.call("GET", "/") for _ in range(6)))

    assert 0.15 <= time.monotonic() - started < 1.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("0.5", 0.5, id="fraction"),
        pytest.param("-3", 0.0, id="in the past"),
        pytest.param("1e9", 3600.0, id="absurdly long"),
        pytest.param("inf", 3600.0, id="infinite"),
        pytest.param("nan", None, id="not a number"),
        pytest.param("soon", None, id="not usable"),
        pytest.param("", None, id="empty"),
        pytest.param("Tue, 10 Nov 2026 12:00:45 GMT", 45.0, id="date"),
        pytest.param("Tue, 10 Nov 2026 11:00:00 GMT", 0.0, id="date in the past"),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOON) == seconds

"""The misbehaving proxy does what it is told, to whom it is told, and remembers it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from chassis.http import retry_after
from simulators.faulty_proxy import BEFORE, Fault, FaultyProxy, Seen, faulty_proxy
from simulators.wrong_answers import of_other_types

BODY = b'{"data": {"id": "7"}}'


@asynccontextmanager
async def upstream() -> AsyncIterator[tuple[FaultyProxy, list[bytes]]]:
    """Yield a proxy before a server that answers everything with the same body, and what arrived at that server."""
    arrived: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                arrived.append(head.split(b"\r\n")[0])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with faulty_proxy(server.sockets[0].getsockname()[1]) as proxy:
            yield proxy, arrived
    finally:
        server.close()


@asynccontextmanager
async def caller(proxy: FaultyProxy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=proxy.url, timeout=0.5, trust_env=False) as client:
        yield client


async def test_without_orders_it_is_not_there() -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        answers = [(await client.get("/a?b=c")).content for _ in range(2)]

    assert answers == [BODY, BODY]
    assert arrived == [b"GET /a?b=c HTTP/1.1"] * 2
    assert proxy.faults.seen == [Seen("GET", "/a", Fault.NONE)] * 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.LOSE_REQUEST, httpx.RemoteProtocolError),
        (Fault.HANG_BEFORE, httpx.ReadTimeout),
        (Fault.RESET_BEFORE, httpx.ReadError),
        (Fault.LOSE_AFTER, httpx.RemoteProtocolError),
        (Fault.HANG_AFTER, httpx.ReadTimeout),
        (Fault.RESET_AFTER, httpx.ReadError),
        (Fault.HALF_CLOSE_AFTER, httpx.RemoteProtocolError),
        (Fault.TRUNCATE_AFTER, httpx.RemoteProtocolError),
    ],
)
async def test_a_request_suffers_and_the_next_one_does_not(fault: Fault, error: type[Exception]) -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        proxy.faults.inject(fault)
        with pytest.raises(error):
            await client.post("/a")
        after = await client.post("/a")

    assert after.content == BODY
    assert len(arrived) == (1 if fault in BEFORE else 2)
    assert [each.fault for each in proxy.faults.injected] == [fault]


@pytest.mark.parametrize(("fault", "arrivals"), [(Fault.ERROR_BEFORE, 0), (Fault.ERROR_AFTER, 1)])
async def test_an_error_comes_before_or_after_the_work(fault: Fault, arrivals: int) -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        proxy.faults.inject(fault)
        answer = await client.post("/a")

    assert (answer.status_code, len(arrived)) == (500, arrivals)


@pytest.mark.parametrize("fault", [Fault.LIMIT_SECONDS, Fault.LIMIT_DATE])
async def test_a_limit_says_when_to_come_back(fault: Fault) -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        proxy.faults.retry_after_seconds = 30
        proxy.faults.inject(fault)
        answer = await client.post("/a")

    seconds = retry_after(answer.headers["retry-after"], datetime.now(UTC))
    assert (answer.status_code, arrived) == (429, [])
    assert seconds is not None
    assert 28 <= seconds <= 30


@pytest.mark.parametrize("fault", [Fault.PAGE_BEFORE, Fault.ERROR_TEXT_BEFORE, Fault.LIMIT_BARE])
async def test_somebody_between_answers_and_nothing_is_done(fault: Fault) -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        proxy.faults.inject(fault)
        answer = await client.post("/a")

    assert (arrived, answer.content != BODY, "retry-after" in answer.headers) == ([], True, False)


@pytest.mark.parametrize(
    "fault", [Fault.PAGE_AFTER, Fault.HALF_JSON_AFTER, Fault.OTHER_TYPES_AFTER, Fault.ERROR_TEXT_AFTER]
)
async def test_what_was_done_is_answered_with_nonsense(fault: Fault) -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        proxy.faults.inject(fault)
        answer = await client.post("/a")

    assert (answer.status_code, len(arrived), answer.content != BODY) == (200, 1, True)


def test_json_of_other_types_keeps_its_names_and_no_value() -> None:
    answer = of_other_types(b'{"id": "7", "open": true, "notes": [{"id": 8}], "data": {"title": "x"}}')

    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert body == {"id": [7], "open": {"seven": 7}, "notes": "a list", "data": {"title": [7]}}


async def test_a_trickle_does_not_end_in_time() -> None:
    async with upstream() as (proxy, _arrived), caller(proxy) as client:
        proxy.faults.inject(Fault.TRICKLE_AFTER)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await client.get("/a")


async def test_what_is_held_back_arrives_when_it_is_let_go() -> None:
    async with upstream() as (proxy, arrived), caller(proxy) as client:
        proxy.faults.inject(Fault.HOLD_AFTER)
        waiting = asyncio.create_task(client.post("/a", timeout=5))
        while not arrived:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        await asyncio.sleep(0.1)
        assert not waiting.done()
        proxy.faults.stop()

        assert (await waiting).content == BODY
    assert time.monotonic() - started < 2


async def test_only_those_suffer_that_are_meant_and_so_often() -> None:
    async with upstream() as (proxy, _arrived), caller(proxy) as client:
        proxy.faults.inject(Fault.ERROR_BEFORE, where=lambda seen: seen.is_write and seen.path == "/a", times=2)
        statuses = [
            (await client.request(method, path)).status_code
            for method, path in (("GET", "/a"), ("POST", "/b"), ("POST", "/a"), ("POST", "/a"), ("POST", "/a"))
        ]

    assert statuses == [200, 200, 500, 500, 200]


async def test_an_upstream_that_is_gone_looks_like_one() -> None:
    async with faulty_proxy(9) as proxy, caller(proxy) as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/a")

"""What an open load sends, and when."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from bench import paced
from bench.paced import sent
from bench.storm import Standing, StormSize, kept, waits
from bench.streams import Request, Stream, requests

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
STREAM = Stream(
    path="/webhooks/rmm/patchline/bench",
    secret=SECRET,
    organisation="Bench",
    patches="t0-",
    per_second=50,
    failing=5,
    seconds=2,
    begins=1,
)


def told(request: Request) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(request.content.partition(b"\r\n\r\n")[2])
    return event


def test_a_stream_is_spread_evenly_and_asks_for_as_many_tickets_as_it_says() -> None:
    planned = list(requests(STREAM, datetime.now(UTC)))

    assert [round(each.at, 2) for each in planned] == [round(1 + number / 50, 2) for number in range(100)]
    assert [each.patch for each in planned if each.patch] == [f"t0-{number:06}" for number in range(9, 100, 10)]


def test_every_delivery_is_signed_and_has_an_id_of_its_own() -> None:
    ids = set()
    for each in requests(STREAM, datetime.now(UTC)):
        head, _, body = each.content.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        Webhook(SECRET).verify(body, headers)
        ids.add(headers["webhook-id"])
        assert json.loads(body)["data"]["organisation"] == "Bench"

    assert len(ids) == STREAM.count


def test_failures_of_several_streams_fall_on_moments_of_their_own_and_each_on_the_next_machine() -> None:
    streams = [replace(STREAM, begins=0, phase=phase) for phase in (0.0, 0.5)]
    failures = [[each for each in requests(stream, datetime.now(UTC)) if each.patch] for stream in streams]

    assert [len(each) for each in failures] == [10, 10]
    assert not {each.at for each in failures[0]} & {each.at for each in failures[1]}
    assert len({told(each)["data"]["device"] for each in failures[0]}) == 10


def test_what_introduces_lets_every_machine_check_in_before_one_of_them_fails() -> None:
    planned = list(requests(replace(STREAM, devices=30, introduces=True), datetime.now(UTC)))

    assert {told(each)["type"] for each in planned[:30]} == {"device.seen"}
    assert len({told(each)["data"]["device"] for each in planned[:30]}) == 30
    assert not any(each.patch for each in planned[:30])
    assert any(each.patch for each in planned[30:])


async def test_what_the_door_asks_to_have_again_leaves_again_and_what_it_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paced, "AGAIN_SECONDS", 0.01)
    answers = iter([b"503 Service Unavailable", b"401 Unauthorized", *[b"202 Accepted"] * 19])

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.readuntil(b"\r\n\r\n")) and b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % next(answers))

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    async with server:
        planned = list(requests(replace(STREAM, seconds=0.4, begins=0, failing=50), datetime.now(UTC)))
        found = await paced._Load(planned).run(server.sockets[0].getsockname()[1], datetime.now(UTC))
        server.close()

    assert (found.again, dict(found.refused), len(found.accepted)) == (1, {"answered 401": 1}, 19)


async def test_requests_leave_at_their_moments_whether_or_not_those_before_were_answered() -> None:
    arrived: list[float] = []

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.readuntil(b"\r\n\r\n")) and b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
            arrived.append(time.monotonic())
            await asyncio.sleep(0.3)
            writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    async with server:
        found = await sent(server.sockets[0].getsockname()[1], [replace(STREAM, seconds=0.4, begins=0)])
        server.close()

    assert (found.deliveries, sum(found.refused.values()), len(found.accepted)) == (20, 0, 2)
    assert len(arrived) == 20
    assert max(arrived) - min(arrived) < 20 * 0.3


async def test_connections_are_made_right_before_the_load_since_doors_close_idle_ones() -> None:
    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):
            while (head := await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 1)) and b"content-length: " in head:
                await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
                writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    async with server:
        planned = list(requests(replace(STREAM, seconds=0.4, begins=0), datetime.now(UTC)))
        begin = datetime.now(UTC) + timedelta(seconds=2.2)
        found = await paced._Load(planned).run(server.sockets[0].getsockname()[1], begin)
        server.close()

    assert (found.deliveries, sum(found.refused.values())) == (20, 0)


@pytest.mark.parametrize(
    ("stands", "lost"),
    [
        pytest.param(Standing(opened=40, waiting=60), 0, id="all are tickets or wait"),
        pytest.param(Standing(opened=40, waiting=59), 1, id="one is nowhere"),
    ],
)
def test_what_of_a_storm_is_neither_a_ticket_nor_waits_is_told(stands: Standing, lost: int) -> None:
    [row] = kept(100, stands)

    assert (row.value, row.ok) == (lost, lost == 0)


def test_the_others_may_wait_half_as_long_again_beside_a_storm() -> None:
    alone = [float(each) for each in range(100, 200)]

    [p99, _] = waits(alone, [each * 1.4 for each in alone], StormSize(5, 5, 5))
    [missed, _] = waits(alone, [each * 1.6 for each in alone], StormSize(5, 5, 5))

    assert (p99.ok, missed.ok) == (True, False)

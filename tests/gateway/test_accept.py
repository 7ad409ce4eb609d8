"""The door on a real broker: 202 only for what is believed and kept, byte for byte."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.raw import RawDelivery, delivery_of
from services.gateway.door.uploads import Uploads
from services.gateway.keys.bodies import Bodies
from tests.gateway.doors import (
    BODY_KEYS,
    SECRET,
    SIGNING,
    SOURCES,
    STATIC,
    OpenDoor,
    RawTopic,
    header,
    open_door,
    opened_bodies,
    raw_topic,
    signed,
    without,
)
from tests.gateway.held import BlobsAway, HeldBlobs, HeldKeys, opened

BODY = b'{"type":"patch.install_failed","device":"WS-001"}'
MIB = 1_048_576
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
async def door(kafka: str) -> AsyncIterator[OpenDoor]:
    async with open_door(kafka, uploads=Uploads(longest_seconds=1.0)) as door:
        yield door


@pytest.fixture(scope="module")
async def _topic(kafka: str) -> AsyncIterator[RawTopic]:
    async with raw_topic(kafka) as topic:
        yield topic


@pytest.fixture
async def raw(_topic: RawTopic) -> RawTopic:
    await _topic.mark()
    return _topic


async def test_a_delivery_is_in_kafka_when_its_sender_hears_so(door: OpenDoor, raw: RawTopic) -> None:
    before = datetime.now(UTC)

    answer = await door.client.post(SIGNING, content=BODY, headers=signed(BODY, delivery="msg_of_today"))
    [record] = await raw.standing()

    delivery = opened(record, *BODY_KEYS.values())
    assert answer.status_code == 202
    assert answer.json() == {"raw_id": str(delivery.raw_id)}
    assert (delivery.body, record.key) == (BODY, None)
    assert (delivery.vendor, delivery.source, delivery.channel) == ("patchline", "rmm/patchline/tests", "webhook")
    assert (delivery.encoding, delivery.key_id) == ("identity", "plain")
    assert delivery.delivery == "msg_of_today"
    assert before <= delivery.received <= datetime.now(UTC)
    assert delivery.raw_id.version == 7


async def test_a_static_secret_opens_too(door: OpenDoor, raw: RawTopic) -> None:
    answer = await door.client.post(STATIC, content=BODY, headers={"X-Shared": SECRET})
    [record] = await raw.standing()

    delivery = opened(record, *BODY_KEYS.values())
    assert answer.status_code == 202
    assert (delivery.source, delivery.delivery, delivery.body) == ("rmm/ninjaone/tests", None, BODY)


async def test_no_secret_and_no_signature_goes_along(door: OpenDoor, raw: RawTopic) -> None:
    headers = signed(BODY)
    await door.client.post(SIGNING, content=BODY, headers=headers)
    await door.client.post(STATIC, content=BODY, headers={"x-shared": SECRET})

    kept = b"".join(value for record in await raw.standing() for _, value in record.headers)

    assert SECRET.encode() not in kept
    assert headers["webhook-signature"].encode() not in kept
    assert headers["webhook-signature"].removeprefix("v1,").encode() not in kept


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"not JSON", id="not JSON"),
        pytest.param(b'"{\\"a\\": 1}"', id="a JSON string of JSON"),
        pytest.param(b'{"a": "\x00"}\x00', id="NUL bytes"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b'{"path": "C:\temp"}', id="a tab in a path"),
        pytest.param(b"\xff\xfe\x00\x80", id="no text"),
        pytest.param(b'{"n": 1' + b"0" * 400 + b"}", id="a huge number"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"x" * MIB, id="1 MiB"),
    ],
)
async def test_whatever_is_believed_is_kept_byte_for_byte(door: OpenDoor, raw: RawTopic, body: bytes) -> None:
    answer = await door.client.post(SIGNING, content=body, headers=signed(body))
    [record] = await raw.standing()

    assert answer.status_code == 202
    assert opened_bodies([record]) == [body]


async def test_no_content_type_is_needed_and_any_is_taken(door: OpenDoor, raw: RawTopic) -> None:
    bare = await door.client.post(SIGNING, content=BODY, headers=signed(BODY))
    typed = await door.client.post(SIGNING, content=BODY, headers=signed(BODY) | {"content-type": "image/png"})

    assert "content-type" not in bare.request.headers
    assert (bare.status_code, typed.status_code) == (202, 202)
    assert opened_bodies(await raw.standing()) == [BODY, BODY]


async def test_a_body_in_pieces_is_one_body(door: OpenDoor, raw: RawTopic) -> None:
    pieces = [b"a" * 70_000, b"b" * 70_000, b"c"]

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0.01)

    answer = await door.client.post(SIGNING, content=body(), headers=signed(b"".join(pieces)))

    assert answer.status_code == 202
    assert opened_bodies(await raw.standing()) == [b"".join(pieces)]


async def test_the_senders_trace_goes_along(door: OpenDoor, raw: RawTopic) -> None:
    await door.client.post(SIGNING, content=BODY, headers=signed(BODY) | {"traceparent": TRACE})

    [record] = await raw.standing()

    assert header(record, "traceparent") == TRACE


@pytest.mark.parametrize(
    "given", [{}, {"traceparent": "00-x"}, {"traceparent": TRACE + "\t-"}], ids=["none", "bad", "long"]
)
async def test_a_delivery_without_a_trace_gets_one(door: OpenDoor, raw: RawTopic, given: dict[str, str]) -> None:
    await door.client.post(SIGNING, content=BODY, headers=signed(BODY) | given)

    [record] = await raw.standing()

    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", header(record, "traceparent"))


STALE = datetime.now(UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param(SIGNING, {}, id="no headers"),
        pytest.param(SIGNING, signed(BODY, key=b"another key"), id="another key"),
        pytest.param(SIGNING, signed(BODY + b" "), id="another body"),
        pytest.param(SIGNING, signed(BODY, at=STALE), id="an hour old"),
        pytest.param(SIGNING, without(signed(BODY), "webhook-id"), id="no id"),
        pytest.param(SIGNING, signed(BODY) | {"webhook-signature": "garbage"}, id="garbage"),
        pytest.param(SIGNING, signed(BODY) | {"webhook-signature": "v1,a,b"}, id="two commas"),
        pytest.param(SIGNING, signed(BODY) | {"webhook-signature": "v1,abc"}, id="cut base64"),
        pytest.param(SIGNING, {"x-shared": SECRET}, id="another source's secret"),
        pytest.param(STATIC, {"x-shared": SECRET + "x"}, id="near miss"),
        pytest.param(STATIC, {}, id="no secret"),
        pytest.param("/webhooks/rmm/patchline/nobody", signed(BODY), id="unknown source"),
        pytest.param("/webhooks/rmm/patchline/Tests", signed(BODY), id="another case"),
    ],
)
async def test_what_is_not_believed_leaves_nothing(
    door: OpenDoor, raw: RawTopic, path: str, headers: dict[str, str]
) -> None:
    answer = await door.client.post(path, content=BODY, headers=headers)
    unknown = await door.client.post("/webhooks/rmm/no/body", content=BODY)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content == unknown.content
    assert await raw.standing() == []


async def test_a_signature_is_as_old_as_our_clock_says(kafka: str) -> None:
    async with open_door(kafka) as other:
        late = await other.client.post(SIGNING, content=BODY, headers=signed(BODY, at=STALE))
        now = await other.client.post(SIGNING, content=BODY, headers=signed(BODY))

    assert (late.status_code, now.status_code) == (401, 202)


@pytest.mark.parametrize("path", ["/", "/webhooks", "/webhooks/rmm/patchline", SIGNING + "/", SIGNING + "/x", "/live"])
async def test_another_path_is_not_found(door: OpenDoor, path: str) -> None:
    answer = await door.client.post(path, content=BODY, headers=signed(BODY))

    assert answer.status_code == 404
    assert "/webhooks/rmm/" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_is_told_which_one(door: OpenDoor, method: str) -> None:
    answer = await door.client.request(method, SIGNING)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_body_over_the_limit_is_refused(door: OpenDoor, raw: RawTopic) -> None:
    body = b"x" * (MIB + 1)

    answer = await door.client.post(SIGNING, content=body, headers=signed(body))

    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]
    assert await raw.standing() == []


async def test_a_body_of_unknown_length_is_refused_at_the_limit(door: OpenDoor) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    answer = await door.client.post(SIGNING, content=endless(), headers=signed(b""))

    assert answer.status_code == 413


async def knock(port: int, *, head: bytes, body: bytes) -> bytes:
    """Send bytes as they are and return the beginning of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head + b"\r\n\r\n" + body)
        await writer.drain()
        async with asyncio.timeout(10):
            return await reader.readline()
    finally:
        writer.close()


def request_head(headers: dict[str, str], content_length: int) -> bytes:
    lines = [f"POST {SIGNING} HTTP/1.1", "host: x", f"content-length: {content_length}"]
    return "\r\n".join(lines + [f"{name}: {value}" for name, value in headers.items()]).encode()


async def test_a_body_longer_than_it_says_is_not_the_signed_one(door: OpenDoor, raw: RawTopic) -> None:
    status = await knock(door.port, head=request_head(signed(BODY), 10), body=BODY)

    assert status.split()[1] in {b"400", b"401"}
    assert await raw.standing() == []


async def test_a_length_over_the_limit_is_refused_before_the_body_comes(door: OpenDoor) -> None:
    status = await knock(door.port, head=request_head({}, 10 * MIB), body=b"x" * 100_000)

    assert b" 413 " in status


async def test_a_body_that_does_not_come_is_given_up(door: OpenDoor, raw: RawTopic) -> None:
    status = await knock(door.port, head=request_head(signed(BODY), 200), body=BODY)

    assert b" 408 " in status
    assert await raw.standing() == []


async def test_a_sender_that_hangs_up_leaves_nothing(door: OpenDoor, raw: RawTopic) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(request_head(signed(BODY), 200) + b"\r\n\r\n" + BODY)
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    answer = await door.client.post(SIGNING, content=BODY, headers=signed(BODY))

    assert answer.status_code == 202
    assert opened_bodies(await raw.standing()) == [BODY]


async def test_a_head_without_end_is_cut_off(door: OpenDoor) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"POST / HTTP/1.1\r\nx-endless: ")
    sent = 0
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof() and sent < 100 * MIB:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536
            await asyncio.sleep(0)
    writer.close()

    assert sent < 50 * MIB


@pytest.mark.parametrize("beginning", [b"", b"POST /webhooks", b"POST / HTTP/1.1\r\nhost: x\r\n"])
async def test_a_head_that_does_not_come_is_given_up(door: OpenDoor, beginning: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(beginning)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert answer == b""


async def test_a_connection_serves_many_requests(door: OpenDoor) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    for _ in range(3):
        writer.write(request_head(signed(BODY), len(BODY)) + b"\r\n\r\n" + BODY)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(49)
        await asyncio.sleep(0.5)
    writer.close()

    assert b" 202 " in head


async def test_bodies_that_still_arrive_take_only_so_much_memory(kafka: str) -> None:
    async with open_door(kafka, uploads=Uploads(held_bytes=100_000)) as small:
        slow = asyncio.create_task(knock(small.port, head=request_head({}, 200_000), body=b"x" * 150_000))
        status = await slow
        after = await small.client.post(SIGNING, content=BODY, headers=signed(BODY))

    assert b" 503 " in status
    assert after.status_code == 202


async def test_before_the_sources_are_loaded_everyone_is_asked_to_come_back(kafka: str) -> None:
    async with open_door(kafka, sources=None) as early:
        answer = await early.client.post(SIGNING, content=BODY, headers=signed(BODY))
        nowhere = await early.client.post("/x")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert nowhere.status_code == 404


async def test_many_at_once_are_all_kept_once(door: OpenDoor, raw: RawTopic) -> None:
    bodies = [b'{"n": %d}' % number for number in range(300)]

    answers = await asyncio.gather(
        *(
            door.client.post(SIGNING, content=body, headers=signed(body, delivery=f"msg_{n}"))
            for n, body in enumerate(bodies)
        )
    )

    records = await raw.standing()
    assert {answer.status_code for answer in answers} == {202}
    assert sorted(opened_bodies(records)) == sorted(bodies)
    assert {answer.json()["raw_id"] for answer in answers} == {header(record, "raw_id") for record in records}
    assert len({record.partition for record in records}) > 1


async def test_a_body_is_never_readable_in_kafka(door: OpenDoor, raw: RawTopic) -> None:
    await door.client.post(SIGNING, content=BODY, headers=signed(BODY))

    [record] = await raw.standing()
    assert BODY not in record.value
    assert header(record, "key_id") == BODY_KEYS[SIGNING].key_id
    assert header(record, "encoding") == "identity"


async def test_without_a_data_key_nothing_is_accepted_and_who_is_not_believed_learns_nothing(kafka: str) -> None:
    keyless = {path: replace(source, seal=None) for path, source in SOURCES.items()}
    async with open_door(kafka, sources=keyless) as door:
        answer = await door.client.post(SIGNING, content=BODY, headers=signed(BODY))
        forged = await door.client.post(SIGNING, content=BODY, headers=signed(BODY + b" "))

    assert (answer.status_code, forged.status_code) == (503, 401)
    assert answer.headers["retry-after"]


async def test_a_body_too_large_for_a_record_is_in_the_blob_store_before_the_record_is_in_kafka(
    kafka: str, raw: RawTopic
) -> None:
    body, blobs = os.urandom(50_000), HeldBlobs()
    async with open_door(kafka, blobs=blobs, from_bytes=40_000) as door:
        answer = await door.client.post(SIGNING, content=body, headers=signed(body))

    [record] = await raw.standing()
    delivery = delivery_of(record.headers, record.value)
    [read] = await Bodies(HeldKeys(*BODY_KEYS.values()), blobs).opened([delivery])
    assert answer.status_code == 202
    assert record.value == b""
    assert isinstance(read, RawDelivery)
    assert read.body == body


async def test_a_large_body_that_is_not_kept_is_not_accepted(kafka: str, raw: RawTopic) -> None:
    body = os.urandom(50_000)
    async with open_door(kafka, blobs=BlobsAway(), from_bytes=40_000) as door:
        answer = await door.client.post(SIGNING, content=body, headers=signed(body))
        small = await door.client.post(SIGNING, content=BODY, headers=signed(BODY))

    assert (answer.status_code, small.status_code) == (503, 202)
    assert opened_bodies(await raw.standing()) == [BODY]

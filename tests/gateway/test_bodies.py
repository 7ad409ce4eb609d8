"""Sealed bodies: any bytes come back, anything changed is refused, another source's key opens nothing."""

import os
import zlib
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import UndecodableEvent
from contracts.raw import PLAIN, RawDelivery, delivery_of, own_headers
from services.gateway.keys.bodies import (
    LARGE_AT_ONCE,
    LARGEST_BODY_BYTES,
    Bodies,
    BodyKey,
    BodySeal,
    Destroyed,
    SealedRecord,
    TooManyLarge,
    Unopened,
)
from services.gateway.keys.key_sealing import KeyUnavailable
from services.gateway.keys.large_bodies import LargeBodies
from tests.builders import MINUTE, NOON, SOURCE
from tests.gateway.held import BlobsAway, HeldBlobs, HeldKeys, body_key

RAW_ID = UUID("01930000-0000-7000-8000-000000000001")


KEY = body_key()
SEAL = BodySeal(KEY, vendor="ninjaone", channel="webhook")
OWN = own_headers(str(RAW_ID), NOON, delivery="msg_1", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")


def sealed(body: bytes, seal: BodySeal = SEAL) -> SealedRecord:
    return seal.record(OWN, body)


def read(record: SealedRecord, *keys: BodyKey | Destroyed) -> RawDelivery | Unopened:
    return Bodies(HeldKeys(KEY, *keys), HeldBlobs()).open(delivery_of(record.headers, record.value))


async def kept(record: SealedRecord, blobs: HeldBlobs, *, from_bytes: int) -> SealedRecord:
    large = await LargeBodies(blobs, from_bytes=from_bytes).kept(record, SOURCE)
    assert large is not None
    return large


def text(record: SealedRecord, name: str) -> str:
    return dict(record.headers)[name].decode()


@given(st.one_of(st.binary(max_size=3000), st.binary(min_size=1, max_size=9).map(lambda part: part * 900)))
def test_any_bytes_come_back(body: bytes) -> None:
    opened = read(sealed(body))

    assert isinstance(opened, RawDelivery)
    assert opened.body == body
    assert (opened.raw_id, opened.source, opened.received, opened.delivery) == (RAW_ID, SOURCE, NOON, "msg_1")
    assert (opened.encoding, opened.key_id) == ("identity", PLAIN)


def test_the_same_body_is_sealed_differently_each_time_and_never_readable() -> None:
    records = [sealed(b"the body itself") for _ in range(3)]

    assert len({record.value for record in records}) == 3
    assert not [record for record in records if b"the body" in record.value]


def test_a_body_is_packed_only_where_that_makes_it_shorter() -> None:
    small, large, random = b"a" * 1000, b"a" * 5000, os.urandom(5000)

    encodings = [text(sealed(body), "encoding") for body in (small, large, random)]

    assert encodings == ["identity", "deflate", "identity"]
    assert len(sealed(large).value) < 100


@given(st.data())
def test_a_changed_byte_or_a_cut_off_end_is_refused(data: st.DataObject) -> None:
    record = sealed(data.draw(st.sampled_from([b"", b"short", b"long " * 500])))
    place = data.draw(st.integers(0, len(record.value) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = record.value[:place] + bytes([record.value[place] ^ (1 << bit)]) + record.value[place + 1 :]
    cut = record.value[:place]

    assert isinstance(read(replace(record, value=changed)), Unopened)
    assert isinstance(read(replace(record, value=cut)), Unopened)


@given(st.data())
def test_a_changed_header_is_refused_or_says_the_same(data: st.DataObject) -> None:
    record = sealed(b"body " * 400)
    number = data.draw(st.integers(0, len(record.headers) - 1))
    name, value = record.headers[number]
    changed = data.draw(st.binary(max_size=40) | st.sampled_from([value + b" ", value[:-1], value.upper()]))
    headers = [*record.headers[:number], (name, changed), *record.headers[number + 1 :]]
    before = delivery_of(record.headers, record.value)

    try:
        after = delivery_of(headers, record.value)
        opened = read(replace(record, headers=headers))
    except (UndecodableEvent, KeyUnavailable):
        return

    same = replace(after, traceparent=before.traceparent) == before
    assert isinstance(opened, RawDelivery) == (same and after.key_id != PLAIN) or after.key_id == PLAIN


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"raw_id": str(uuid4())}, id="another delivery's id"),
        pytest.param({"source": "rmm/ninjaone/other"}, id="another source"),
        pytest.param({"vendor": "patchline"}, id="another vendor"),
        pytest.param({"received": (NOON + MINUTE).isoformat()}, id="another time"),
        pytest.param({"channel": "poll"}, id="another channel"),
        pytest.param({"encoding": "deflate"}, id="another packing"),
        pytest.param({"delivery": "msg_2"}, id="another delivery of the vendor"),
    ],
)
def test_a_body_opens_under_its_own_headers_only(changed: dict[str, str]) -> None:
    record = sealed(b"body")
    headers = [(name, changed.get(name, value.decode()).encode()) for name, value in record.headers]

    assert isinstance(read(SealedRecord(headers, record.value)), Unopened)


def test_a_vendors_id_can_be_neither_taken_away_nor_added() -> None:
    record = sealed(b"body")
    without = [header for header in record.headers if header[0] != "delivery"]
    bare = SEAL.record(own_headers(str(RAW_ID), NOON, delivery=None, traceparent=None), b"body")

    assert isinstance(read(replace(record, headers=without)), Unopened)
    assert isinstance(read(replace(bare, headers=[*bare.headers, ("delivery", b"")])), Unopened)


def test_a_replay_may_add_headers_of_its_own_and_another_trace() -> None:
    record = sealed(b"body")
    headers = [header for header in record.headers if header[0] != "traceparent"]

    opened = read(replace(record, headers=[*headers, ("replay_group", b"gateway"), ("dlq_reason", b"once")]))

    assert isinstance(opened, RawDelivery)


def test_another_sources_key_does_not_open_it_even_with_its_id() -> None:
    other = body_key("rmm/ninjaone/other")
    record = sealed(b"body")
    forged = [(name, other.key_id.encode() if name == "key_id" else value) for name, value in record.headers]

    opened = read(replace(record, headers=forged), other)

    assert opened == Unopened("its body is sealed with the key of another source")


def test_a_destroyed_key_is_said_so_and_others_still_open() -> None:
    gone = body_key("rmm/ninjaone/gone")
    record = sealed(b"body", BodySeal(gone, vendor="ninjaone", channel="webhook"))

    opened = read(record, Destroyed(gone.key_id, gone.source))

    assert isinstance(opened, Unopened)
    assert opened.is_destroyed
    assert "destroyed" in opened.reason
    assert isinstance(read(sealed(b"body"), Destroyed(gone.key_id, gone.source)), RawDelivery)


def test_a_key_that_is_not_known_yet_may_be_known_later() -> None:
    record = sealed(b"body", BodySeal(body_key(), vendor="ninjaone", channel="webhook"))

    with pytest.raises(KeyUnavailable):
        read(record)


def test_a_plain_record_of_before_stays_readable() -> None:
    old = RawDelivery(raw_id=RAW_ID, vendor="ninjaone", source=SOURCE, received=NOON, channel="webhook", body=b"old")

    assert Bodies(HeldKeys(), HeldBlobs()).open(old) == old


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        pytest.param(zlib.compress(bytes(LARGEST_BODY_BYTES + 1)), "unpacks to more", id="a bomb"),
        pytest.param(zlib.compress(bytes(5000))[:-5], "cut off", id="cut off before it was sealed"),
        pytest.param(b"not packed at all", "not packed", id="not packed"),
    ],
)
def test_what_unpacks_to_too_much_or_to_nothing_is_refused(packed: bytes, why: str) -> None:
    opened = read(_sealed_as_deflate(packed))

    assert isinstance(opened, Unopened)
    assert why in opened.reason


def test_the_largest_body_that_any_door_takes_comes_back() -> None:
    opened = read(sealed(bytes(LARGEST_BODY_BYTES)))

    assert isinstance(opened, RawDelivery)
    assert len(opened.body) == LARGEST_BODY_BYTES


async def test_a_large_body_is_kept_by_the_hash_of_its_ciphertext_and_comes_back() -> None:
    body, blobs = os.urandom(10_000), HeldBlobs()

    record = await kept(sealed(body), blobs, from_bytes=9_000)
    [opened] = await Bodies(HeldKeys(KEY), blobs).opened([delivery_of(record.headers, record.value)])

    assert record.value == b""
    assert isinstance(opened, RawDelivery)
    assert opened.body == body
    assert opened.blob is None
    [(name, stored)] = blobs.held.items()
    assert (name, body in stored) == (text(record, "blob"), False)
    assert blobs.source_by_blob[name] == SOURCE


async def test_a_large_body_is_not_accepted_while_the_blob_store_is_away() -> None:
    assert await LargeBodies(BlobsAway(), from_bytes=10).kept(sealed(os.urandom(100)), SOURCE) is None


async def test_a_large_body_that_is_not_there_is_refused_alone() -> None:
    record = await kept(sealed(os.urandom(100)), HeldBlobs(), from_bytes=10)
    deliveries = [delivery_of(each.headers, each.value) for each in (record, sealed(b"neighbour"))]

    [lost, neighbour] = await Bodies(HeldKeys(KEY), HeldBlobs()).opened(deliveries)

    assert isinstance(lost, Unopened)
    assert "blob store" in lost.reason
    assert isinstance(neighbour, RawDelivery)


async def test_more_large_bodies_than_are_held_at_once_are_to_be_halved() -> None:
    records = [await kept(sealed(os.urandom(100)), HeldBlobs(), from_bytes=10) for _ in range(LARGE_AT_ONCE + 1)]

    with pytest.raises(TooManyLarge):
        await Bodies(HeldKeys(KEY), HeldBlobs()).load([each.headers for each in records])


def _sealed_as_deflate(packed: bytes) -> SealedRecord:
    """Return a record whose value was sealed right, by someone who packs as `packed` is."""
    shape = sealed(b"x" * 5000)
    names = ("vendor", "source", "channel", "encoding", "key_id", "raw_id", "received", "delivery")
    bound = b"".join([b"\0" + dict(shape.headers)[name] for name in names])
    nonce = os.urandom(12)
    return replace(shape, value=b"\x01" + nonce + KEY.cipher.encrypt(nonce, packed, bound))

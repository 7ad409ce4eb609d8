"""What is believed, what is not: tables of headers."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.gateway.door import connectwise_callbacks
from services.gateway.door.verification import (
    NOBODY,
    KeyWanted,
    Refused,
    SignedBody,
    SignedCallback,
    StandardWebhooks,
    StaticHeader,
    Verified,
    VerifiedBody,
    unguessable,
    verdict,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEY = b"a key of thirty-two bytes, or so"
OLD_KEY = b"the key that was there before it"
BODY = b'{"type":"patch.install_failed","device":"WS-001"}'
SIGNS = StandardWebhooks((KEY, OLD_KEY))
STATIC = StaticHeader(b"x-shared", (hashlib.sha256(b"new secret").digest(), hashlib.sha256(b"old secret").digest()))


def signature(key: bytes = KEY, *, delivery: str = "msg_1", at: datetime = NOW, body: bytes = BODY) -> bytes:
    signed = hmac.new(key, f"{delivery}.{int(at.timestamp())}.".encode() + body, hashlib.sha256).digest()
    return b"v1," + base64.b64encode(signed)


def signed_headers(
    signatures: bytes | None = None, *, delivery: bytes = b"msg_1", at: datetime = NOW
) -> dict[bytes, bytes]:
    return {
        b"webhook-id": delivery,
        b"webhook-timestamp": str(int(at.timestamp())).encode(),
        b"webhook-signature": signature(at=at) if signatures is None else signatures,
    }


def believe(body: bytes, delivery: str | None) -> Verified:
    return Verified(VerifiedBody(body), delivery)


def test_a_signed_delivery_is_believed_and_keeps_its_id() -> None:
    believed = verdict(SIGNS, signed_headers(), BODY, now=NOW)

    assert believed == believe(BODY, "msg_1")


def test_what_the_reference_library_signs_is_believed() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    text = '{"test": 2432232314}'
    token = Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), text)
    headers = {
        b"webhook-id": b"msg_p5jXN8AQM9LWM0D4loKWxJek",
        b"webhook-timestamp": b"1614265330",
        b"webhook-signature": token.encode(),
    }
    scheme = StandardWebhooks((base64.b64decode(secret.removeprefix("whsec_")), unguessable()))

    believed = verdict(scheme, headers, text.encode(), now=datetime.fromtimestamp(1614265330, UTC))

    assert believed == believe(text.encode(), "msg_p5jXN8AQM9LWM0D4loKWxJek")
    assert token == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "signatures",
    [
        pytest.param(signature(OLD_KEY), id="the secret before"),
        pytest.param(b"v1,AAAA " + signature(), id="a foreign one first"),
        pytest.param(signature() + b" v1a,AAAA", id="an asymmetric one after"),
        pytest.param(b"garbage  v2,x " + signature(OLD_KEY) + b" ", id="among garbage"),
    ],
)
def test_one_good_signature_is_enough(signatures: bytes) -> None:
    assert isinstance(verdict(SIGNS, signed_headers(signatures), BODY, now=NOW), Verified)


@pytest.mark.parametrize(
    "signatures",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"garbage", id="no version"),
        pytest.param(b"v1", id="no comma"),
        pytest.param(b"v1,", id="empty"),
        pytest.param(b"v1,a,b", id="two commas"),
        pytest.param(b"v1,abc", id="cut base64"),
        pytest.param(b"v1,\xff\xfe", id="not UTF-8"),
        pytest.param(b"v1a," + signature().removeprefix(b"v1,"), id="another version"),
        pytest.param(signature().removeprefix(b"v1,"), id="without its version"),
        pytest.param(signature()[:-2] + b"A=", id="near miss"),
        pytest.param(signature().replace(b"v1,", b"v1, "), id="a space in between"),
        pytest.param(signature(b"somebody else's key"), id="another key"),
        pytest.param(signature(body=BODY + b" "), id="of another body"),
        pytest.param(signature(delivery="msg_2"), id="of another id"),
        pytest.param(signature(at=NOW + timedelta(seconds=1)), id="of another time"),
        pytest.param(b" ".join([b"v1,AAAA"] * 16) + b" " + signature(), id="behind too many"),
    ],
)
def test_other_signatures_are_forged(signatures: bytes) -> None:
    assert verdict(SIGNS, signed_headers(signatures), BODY, now=NOW) is Refused.FORGED


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        pytest.param(timedelta(minutes=5), True, id="5 minutes old"),
        pytest.param(timedelta(minutes=-5), True, id="5 minutes ahead"),
        pytest.param(timedelta(minutes=5, seconds=1), False, id="older"),
        pytest.param(timedelta(minutes=-5, seconds=-1), False, id="further ahead"),
    ],
)
def test_a_signature_lives_five_minutes(age: timedelta, *, believed: bool) -> None:
    answer = verdict(SIGNS, signed_headers(at=NOW - age), BODY, now=NOW)

    assert isinstance(answer, Verified) if believed else answer is Refused.STALE


@pytest.mark.parametrize(
    "timestamp",
    [b"", b"now", b"-5", b"+5", b"1_0", b"1e9", b" 1", b"1.0", "١٢".encode(), b"9" * 13],
    ids=["none", "a word", "minus", "plus", "underscore", "exponent", "space", "fraction", "other digits", "too long"],
)
def test_a_timestamp_is_seconds_in_digits(timestamp: bytes) -> None:
    headers = signed_headers() | {b"webhook-timestamp": timestamp}

    assert verdict(SIGNS, headers, BODY, now=NOW) is Refused.FORGED


@pytest.mark.parametrize(
    "delivery",
    [b"", b"x" * 257, b"caf\xc3\xa9", b"a\tb"],
    ids=["none", "too long", "not ASCII", "a tab"],
)
def test_an_id_can_stand_in_a_header(delivery: bytes) -> None:
    content = delivery + b"." + str(int(NOW.timestamp())).encode() + b"." + BODY
    token = b"v1," + base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest())

    assert verdict(SIGNS, signed_headers(token, delivery=delivery), BODY, now=NOW) is Refused.FORGED


def test_bytes_that_are_no_text_can_be_signed() -> None:
    body = b"\x00\xff\xfe\x80 not text"

    believed = verdict(SIGNS, signed_headers(signature(body=body)), body, now=NOW)

    assert believed == believe(body, "msg_1")


@pytest.mark.parametrize(
    ("headers", "believed"),
    [
        pytest.param({b"x-shared": b"new secret"}, True, id="the new secret"),
        pytest.param({b"x-shared": b"old secret"}, True, id="the one before"),
        pytest.param({b"x-shared": b"new secreT"}, False, id="near miss"),
        pytest.param({b"x-shared": b""}, False, id="empty"),
        pytest.param({}, False, id="no header"),
        pytest.param({b"x-other": b"new secret"}, False, id="another header"),
        pytest.param({b"x-shared": hashlib.sha256(b"new secret").digest()}, False, id="what we keep of it"),
    ],
)
def test_a_secret_in_a_header(headers: dict[bytes, bytes], *, believed: bool) -> None:
    answer = verdict(STATIC, headers, BODY, now=NOW)

    assert answer == (believe(BODY, None) if believed else Refused.FORGED)


def test_a_signature_with_our_stand_in_key_does_not_open_a_static_source() -> None:
    headers = signed_headers(signature(NOBODY.keys[0]))

    assert verdict(STATIC, headers, BODY, now=NOW) is Refused.FORGED


@given(st.dictionaries(st.sampled_from([*signed_headers(), b"x-shared"]), st.binary(max_size=80)), st.binary())
def test_whatever_is_sent_is_refused_without_an_error(headers: dict[bytes, bytes], body: bytes) -> None:
    assert isinstance(verdict(SIGNS, headers, body, now=NOW), Refused)
    assert isinstance(verdict(STATIC, headers, body, now=NOW), Refused)


DESK = SignedBody(b"x-rt-signature", (KEY, OLD_KEY))
TOLD = b'{"ticket":7,"status":"resolved","txn":41}'


def hex_of(key: bytes, body: bytes = TOLD) -> bytes:
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({b"x-rt-signature": hex_of(KEY)}, believe(TOLD, None), id="the newest key"),
        pytest.param({b"x-rt-signature": hex_of(OLD_KEY)}, believe(TOLD, None), id="the one before"),
        pytest.param({b"x-rt-signature": hex_of(b"another")}, Refused.FORGED, id="another key"),
        pytest.param({b"x-rt-signature": hex_of(KEY, TOLD + b" ")}, Refused.FORGED, id="another body"),
        pytest.param({b"x-rt-signature": hex_of(KEY)[:-1]}, Refused.FORGED, id="cut"),
        pytest.param({b"x-roundup-signature": hex_of(KEY)}, Refused.FORGED, id="another header"),
        pytest.param({b"x-rt-signature": "ü".encode()}, Refused.FORGED, id="no ASCII"),
        pytest.param({}, Refused.FORGED, id="none"),
    ],
)
def test_a_signature_over_the_body_alone(headers: dict[bytes, bytes], expected: Verified | Refused) -> None:
    assert verdict(DESK, headers, TOLD, now=NOW) == expected


ADDRESS = "https://na.myconnectwise.net/keys/1"
CALLBACK = b'{"Type":"ticket","Action":"updated","ID":69,"Entity":null,"Metadata":{"key_url":"%b"}}'
CALLED = CALLBACK % ADDRESS.encode()


def calls(keys: dict[str, str]) -> SignedCallback:
    return SignedCallback(frozenset({"*.myconnectwise.net"}), keys)


def callback_headers(key: str, body: bytes = CALLED) -> dict[bytes, bytes]:
    return {b"x-content-signature": connectwise_callbacks.signature_of(key, body)}


def test_a_callback_is_believed_by_the_key_of_its_address() -> None:
    assert verdict(calls({ADDRESS: "k"}), callback_headers("k"), CALLED, now=NOW) == believe(CALLED, None)


@pytest.mark.parametrize(
    ("keys", "headers", "body", "expected"),
    [
        pytest.param({}, callback_headers("k"), CALLED, KeyWanted(ADDRESS), id="the key is not here"),
        pytest.param({ADDRESS: "old"}, callback_headers("k"), CALLED, KeyWanted(ADDRESS), id="it may have changed"),
        pytest.param({ADDRESS: "k"}, {}, CALLED, Refused.FORGED, id="not signed"),
        pytest.param({}, {}, CALLED, Refused.FORGED, id="not signed, and no key is fetched for it"),
        pytest.param(
            {}, callback_headers("k"), CALLBACK % b"https://evil.example/k", Refused.FORGED, id="a host of its own"
        ),
        pytest.param({}, callback_headers("k"), b"[]", Refused.FORGED, id="no callback"),
        pytest.param({}, callback_headers("k"), b"\xff", Refused.FORGED, id="no JSON"),
    ],
)
def test_callbacks_that_are_not_believed(
    keys: dict[str, str], headers: dict[bytes, bytes], body: bytes, expected: Refused | KeyWanted
) -> None:
    assert verdict(calls(keys), headers, body, now=NOW) == expected

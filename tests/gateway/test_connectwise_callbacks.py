"""ConnectWise's callbacks: forged ones name a key of their own, and only a host that was named is asked for one."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.door.connectwise_callbacks import (
    CLOUD_HOSTS,
    Action,
    Callback,
    callback_of,
    is_signed,
    pinned,
    signature_of,
    signing_key_of,
)

KEY_URL = "https://api-na.myconnectwise.net/v2026_1/apis/3.0/system/callbacks/keys/7"


def envelope(**changed: Any) -> bytes:
    said = {
        "Type": "ticket",
        "Action": "updated",
        "ID": 69,
        "Entity": json.dumps({"id": 69, "summary": "x"}),
        "Metadata": {"key_url": KEY_URL},
    }
    return json.dumps(said | changed).encode()


def test_a_callback_says_what_it_is_about() -> None:
    assert callback_of(envelope(Entity=None)) == Callback("ticket", Action.UPDATED, 69, KEY_URL)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe{", id="no text"),
        pytest.param(b"[" * 100_000, id="deeper than anyone reads"),
        pytest.param(b"[]", id="no object"),
        pytest.param(envelope(ID="69"), id="the id is a text"),
        pytest.param(envelope(ID=True), id="the id is a truth value"),
        pytest.param(envelope(ID=-1), id="the id is negative"),
        pytest.param(envelope(Action="exploded"), id="an action of which nobody knows"),
        pytest.param(envelope(Action=["updated"]), id="the action is a list"),
        pytest.param(envelope(Type=None), id="no type"),
        pytest.param(envelope(Metadata=None), id="no metadata"),
        pytest.param(envelope(Metadata={"key_url": 1}), id="the address is a number"),
    ],
)
def test_what_is_no_callback_is_none(body: bytes) -> None:
    assert callback_of(body) is None


@pytest.mark.parametrize(
    "key_url",
    [
        pytest.param(KEY_URL, id="the vendor's"),
        pytest.param("https://API-EU.MyConnectWise.net:443/k?id=1", id="in capitals, with the usual port"),
    ],
)
def test_a_key_is_fetched_from_the_vendors_hosts(key_url: str) -> None:
    assert pinned(key_url, CLOUD_HOSTS) == key_url


@pytest.mark.parametrize(
    "key_url",
    [
        pytest.param("https://evil.example/key", id="another host"),
        pytest.param("https://myconnectwise.net.evil.example/key", id="the vendor's name in front"),
        pytest.param("https://evilmyconnectwise.net/key", id="no dot before the vendor's name"),
        pytest.param("https://myconnectwise.net/key", id="the domain itself"),
        pytest.param("http://api-na.myconnectwise.net/key", id="not private"),
        pytest.param("ftp://api-na.myconnectwise.net/key", id="another scheme"),
        pytest.param("https://api-na.myconnectwise.net@evil.example/key", id="the vendor as a login"),
        pytest.param("https://me:secret@api-na.myconnectwise.net/key", id="with a login"),
        pytest.param("https://evil.example\\@api-na.myconnectwise.net/key", id="a backslash"),
        pytest.param("https://evil.example#@api-na.myconnectwise.net", id="a fragment that looks like a host"),
        pytest.param("https://api-na.myconnectwise.net/key#x", id="a fragment"),
        pytest.param("https://api-na.myconnectwise.net:8443/key", id="another port"),
        pytest.param("https://api-na.myconnectwise.net:port/key", id="a port that is none"),
        pytest.param("https://api-na.myconnectwise.net./key", id="a dot after the name"),
        pytest.param("https://api-na.myconnectwise.net\n.evil.example/key", id="a line break"),
        pytest.param("https://аpi-na.myconnectwise.net/key", id="a letter of another alphabet"),  # noqa: RUF001 - so it is
        pytest.param("https://[::1]/key", id="a number as host"),
        pytest.param("https://[::1/key", id="a bracket that stays open"),
        pytest.param("http://169.254.169.254/latest/meta-data", id="the cloud's own address"),
        pytest.param("http://127.0.0.1/key", id="this machine, which nobody named"),
        pytest.param("https:///key", id="no host"),
        pytest.param("", id="empty"),
        pytest.param("https://api-na.myconnectwise.net/" + "k" * 2048, id="longer than any"),
    ],
)
def test_a_key_is_fetched_from_nowhere_else(key_url: str) -> None:
    assert pinned(key_url, CLOUD_HOSTS) is None


@pytest.mark.parametrize(
    ("key_url", "hosts", "is_allowed"),
    [
        pytest.param("https://psa.example/key", {"psa.example"}, True, id="a server of one's own"),
        pytest.param("https://psa.example:8443/key", {"psa.example:8443"}, True, id="with its port"),
        pytest.param("https://psa.example:8443/key", {"psa.example"}, False, id="without it"),
        pytest.param("https://a.psa.example/key", {"psa.example"}, False, id="below a host that was named"),
        pytest.param("http://127.0.0.1:8080/key", {"127.0.0.1:8080"}, True, id="this machine, named"),
        pytest.param("http://psa.example/key", {"psa.example:80", "psa.example"}, False, id="never in plain text"),
        pytest.param(KEY_URL, set(), False, id="nobody was named"),
    ],
)
def test_hosts_are_those_that_an_operator_named(key_url: str, hosts: set[str], *, is_allowed: bool) -> None:
    assert (pinned(key_url, hosts) == key_url) is is_allowed


@given(st.text())
def test_no_text_leads_to_a_host_that_was_not_named(tail: str) -> None:
    for text in (
        tail,
        f"https://{tail}",
        f"https://evil.example{tail}",
        f"https://evil.example/{tail}.myconnectwise.net",
    ):
        allowed = pinned(text, CLOUD_HOSTS)
        assert allowed is None or allowed.lower().split("/")[2].split(":")[0].endswith(".myconnectwise.net")


def test_a_signature_is_of_the_raw_bytes() -> None:
    body = envelope()
    by_hand = base64.b64encode(hmac.new(hashlib.sha256(b"the key").digest(), body, hashlib.sha256).digest())

    assert signature_of("the key", body) == by_hand
    assert is_signed("the key", body, by_hand)


@pytest.mark.parametrize(
    ("key", "body", "header"),
    [
        pytest.param("the key", b"{} ", signature_of("the key", b"{}"), id="another byte in the body"),
        pytest.param("another", b"{}", signature_of("the key", b"{}"), id="another key"),
        pytest.param("the key", b"{}", signature_of("the key", b"{}") + b"=", id="more than the signature"),
        pytest.param("the key", b"{}", signature_of("the key", b"{}")[:-1], id="less than the signature"),
        pytest.param("the key", b"{}", b"", id="no signature"),
        pytest.param("the key", b"{}", b"\xff\xfe", id="no text"),
    ],
)
def test_anything_else_is_forged(key: str, body: bytes, header: bytes) -> None:
    assert not is_signed(key, body, header)


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        pytest.param(b'{"signing_key":"abc"}', "abc", id="a key"),
        pytest.param(b'{"signing_key":""}', None, id="an empty key, which anyone knows"),
        pytest.param(b'{"signing_key":1}', None, id="a number"),
        pytest.param(b'"abc"', None, id="no object"),
        pytest.param(b"<html>", None, id="a page"),
    ],
)
def test_a_key_is_what_its_address_answers(answer: bytes, key: str | None) -> None:
    assert signing_key_of(answer) == key

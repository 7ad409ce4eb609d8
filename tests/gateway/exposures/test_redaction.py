"""What is kept of a feed's body has no secret in it, whatever the feed calls its fields, and still tells repeats."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.exposures import rules_feeds
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.redaction import Redaction
from services.gateway.exposures.rules_reduce import NotReadable
from tests.gateway.exposures.bodies import CANARY, HASH, notification, own, recorded_future, spycloud, written

KEY = FingerprintKey(b"f" * 32)
REDACTION = Redaction(KEY)


def records(feed: str, body: object, redaction: Redaction = REDACTION) -> list[dict[str, Any]]:
    redacted = redaction.redacted(feed, written(body))
    assert CANARY.encode() not in redacted.body
    kept: list[dict[str, Any]] = json.loads(redacted.body)["records"]
    return kept


def fingerprint(feed: str, body: object) -> str:
    [record] = records(feed, body)
    return str(record["secret"]["fingerprint"])


def test_of_our_own_format_all_is_kept_but_the_secret() -> None:
    [record] = records("patchline", own(origin="stealer_log", target=f"https://x:{CANARY}@shop.example/a"))

    assert record.pop("secret")["field"] == "data.secret"
    assert record == {
        "type": "exposure.found",
        "timestamp": "2026-11-20T08:00:00Z",
        "login": "bob@acme.example",
        "breach": "Forum 2026",
        "form": "plaintext",
        "origin": "stealer_log",
        "target": "shop.example",
    }


def test_of_spycloud_the_host_of_an_address_is_kept_and_no_password() -> None:
    [record] = records("spycloud", {"hits": 1, "results": [spycloud()]})

    assert (record["login"], record["document"], record["breach"]) == ("bob@acme.example", "6f7a-1", "40111")
    assert record["target"] == "shop.example"
    assert record["secret"]["field"] == "password_plaintext"
    assert "ip_addresses" not in record


def test_of_recorded_future_hashes_and_hints_go() -> None:
    body = {"identities": [{"identity": {"subjects": ["bob@acme.example"]}, "credentials": [recorded_future()]}]}

    redacted = REDACTION.redacted("recorded-future", written(body))

    assert not any(each in redacted.body for each in (CANARY[:6].encode(), HASH.encode(), b"f" * 40))
    [record] = json.loads(redacted.body)["records"]
    assert (record["target"], record["clear"], record["breach"]) == ("vpn.acme.example", True, "Dump of November")


def test_of_graph_nothing_is_kept_but_what_names_the_resource() -> None:
    [record] = records("graph", {"value": [notification()], "validationTokens": [CANARY]})

    assert sorted(record) == ["change", "id", "organisation", "resource", "resource_id", "subscription"]


@pytest.mark.parametrize(
    ("feed", "body"),
    [
        pytest.param("spycloud", spycloud(pass_clear=CANARY), id="an unknown field"),
        pytest.param("spycloud", spycloud(extra={"deep": [{"note": CANARY}]}), id="nested"),
        pytest.param("spycloud", spycloud(document_id=f"doc-{CANARY}"), id="in a kept field"),
        pytest.param("spycloud", spycloud(source_id=f"x:{CANARY}@y"), id="in a name"),
        pytest.param("spycloud", spycloud(**{CANARY: "7"}), id="as a field's name"),
        pytest.param("spycloud", spycloud(user_hostname=CANARY.upper()), id="in other letters"),
        pytest.param("spycloud", spycloud(cookies=[{"name": "sid", "value": CANARY}]), id="a cookie"),
        pytest.param("patchline", own(organisation=f"https://u:{CANARY}@h"), id="in an address"),
        pytest.param("patchline", own(user={"name": CANARY}), id="an object for a name"),
        pytest.param("spycloud", spycloud(target_url=f"https://h.example/{CANARY}"), id="in a path"),
    ],
)
def test_a_secret_is_gone_wherever_it_stands(feed: str, body: object) -> None:
    assert len(records(feed, body)) == 1


@pytest.mark.parametrize(
    "login", [f"bob@acme.example:{CANARY}", f"bob@acme.example {CANARY}", f"bob|{CANARY}", f"https://bob:{CANARY}@x", 7]
)
def test_a_record_whose_login_holds_more_than_a_login_is_not_read(login: object) -> None:
    redacted = REDACTION.redacted("spycloud", written({"results": [spycloud(email=login), spycloud()]}))

    assert (redacted.records, redacted.unread) == (1, 1)
    assert CANARY.encode() not in redacted.body


@pytest.mark.parametrize(
    ("feed", "body"),
    [
        pytest.param("spycloud", b"bob@acme.example:" + CANARY.encode(), id="a line"),
        pytest.param("spycloud", b'{"results": [', id="cut off"),
        pytest.param("spycloud", written({"entries": [spycloud()]}), id="an envelope of another release"),
        pytest.param("graph", written(own()), id="another feed's"),
        pytest.param("patchline", b'"\xff"', id="not UTF-8"),
        pytest.param("patchline", b"7", id="a number"),
    ],
)
def test_what_is_no_body_of_the_feed_is_said_to_be_unreadable_without_a_word_of_it(feed: str, body: bytes) -> None:
    with pytest.raises(NotReadable) as unreadable:
        REDACTION.redacted(feed, body)

    assert CANARY not in str(unreadable.value)
    assert unreadable.value.__context__ is None or unreadable.value.__suppress_context__


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"email": "bob@acme.example", "password": %s}' % (b"9" * 5000), id="a number of 5,000 digits"),
        pytest.param(b'{"email": "bob@acme.example", "severity": %s}' % (b"9" * 4000), id="and where one is kept"),
        pytest.param(b'{"email": "bob@acme.example", "x": %s1%s}' % (b"[" * 150, b"]" * 150), id="deep"),
        pytest.param(b'{"email": "bob@acme.example", "x": %s1%s}' % (b"[" * 9000, b"]" * 9000), id="very deep"),
        pytest.param(b'{"email": "bob@acme.example", "password": "\\ud800"}', id="half a character"),
        pytest.param(b'{"email": "bob@acme.example", "password": "a\\u0000b"}', id="a NUL"),
    ],
)
def test_no_body_does_more_than_be_read_or_not(body: bytes) -> None:
    try:
        redacted = REDACTION.redacted("spycloud", body)
    except NotReadable:
        return
    assert redacted.records == 1


def test_an_answer_without_hits_is_read() -> None:
    assert REDACTION.redacted("spycloud", written({"hits": 0, "results": []})).records == 0


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(spycloud(email="BOB@acme.EXAMPLE", document_id="another"), id="another spelling"),
        pytest.param(spycloud(email="\uff42\uff4f\uff42@acme.example"), id="full width"),
        pytest.param(spycloud(severity=25), id="another severity"),
    ],
)
def test_the_same_login_and_secret_have_the_same_fingerprint(other: object) -> None:
    assert fingerprint("spycloud", other) == fingerprint("spycloud", spycloud())
    assert fingerprint("patchline", own()) == fingerprint("spycloud", spycloud())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(spycloud(email="eve@acme.example"), id="another login"),
        pytest.param(spycloud(password_plaintext="another"), id="another secret"),
        pytest.param(spycloud(password_plaintext=CANARY.upper()), id="other letters"),
    ],
)
def test_another_login_or_secret_has_another(other: object) -> None:
    assert fingerprint("spycloud", other) != fingerprint("spycloud", spycloud())


def test_another_key_gives_another_fingerprint() -> None:
    [record] = records("spycloud", spycloud(), Redaction(FingerprintKey(b"g" * 32)))

    assert record["secret"]["fingerprint"] != fingerprint("spycloud", spycloud())


def test_the_order_of_hashes_does_not_change_the_fingerprint() -> None:
    secret = recorded_future()["exposed_secret"]
    turned = secret | {"hashes": secret["hashes"][::-1]}

    assert fingerprint("recorded-future", [recorded_future(exposed_secret=turned)]) == fingerprint(
        "recorded-future", [recorded_future()]
    )


def test_a_secret_of_an_undeclared_name_is_told_as_one() -> None:
    [record] = records("spycloud", {"email": "bob@acme.example", "Passwort_hash": HASH})

    assert record["secret"]["field"] == "other"


def test_a_record_without_a_secret_has_no_fingerprint() -> None:
    [record] = records("spycloud", {"email": "bob@acme.example", "severity": 5, "password": ""})

    assert record == {"login": "bob@acme.example", "severity": 5}


def test_an_installation_can_declare_where_its_feed_has_what() -> None:
    rules = rules_feeds.with_declared(
        {"spycloud": {"records": ["hits[]"], "login": ["who"], "secret": ["pw"], "organisation": ["customer"]}}
    )

    [record] = records(
        "spycloud", {"hits": [{"who": "bob@acme.example", "pw": CANARY, "customer": "Acme"}]}, Redaction(KEY, rules)
    )

    assert (record["organisation"], record["secret"]["field"]) == ("Acme", "pw")


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        pytest.param({"darkweb": {}}, "no such feed", id="feed"),
        pytest.param({"spycloud": {"colour": ["x"]}}, "no such role", id="role"),
        pytest.param({"spycloud": {"breach": ["record.Password2"]}}, "named like a secret", id="a secret as a name"),
    ],
)
def test_what_cannot_be_declared_is_refused(declared: dict[str, dict[str, list[str]]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        rules_feeds.with_declared(declared)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


@given(
    extra=st.dictionaries(st.text(min_size=1, max_size=12), JSON, max_size=4), place=st.text(min_size=1, max_size=12)
)
def test_no_field_that_nobody_declared_survives(extra: dict[str, object], place: str) -> None:
    body = spycloud(**{"extra": extra, f"x{place}": CANARY})

    [record] = records("spycloud", body)

    assert set(record) <= set(rules_feeds.RULES["spycloud"].kept) | {"secret"}


def test_one_long_name_above_many_costs_no_more_than_its_length() -> None:
    long = {"n" * 400_000: dict.fromkeys(map(str, range(40_000)), 0)}
    began = time.process_time()

    redacted = REDACTION.redacted("spycloud", written({"results": [spycloud() | long]}))

    assert redacted.records == 1
    assert time.process_time() - began < 2  # copied for each name below it, it took a quarter of a minute

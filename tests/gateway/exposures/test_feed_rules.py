"""What is new of a feed's answers, what a notification's resource is, and what rows become: tables without parts."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.exposure import ExposureOrigin, SecretForm
from contracts.raw import RawDelivery
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.redaction import Redaction
from services.gateway.polling import rules_detections, rules_exposed, rules_hibp
from services.gateway.polling.rules_exposed import Batch, Row
from services.gateway.polling.rules_hibp import Asked
from services.gateway.polling.rules_snapshot import Snapshot
from services.gateway.vendors import exposure_feeds
from services.gateway.vendors.translation import Translation
from simulators.graph_risks import alert, detection
from simulators.hibp import breach
from tests.builders import HOUR, NOON, delivery
from tests.gateway.exposures.bodies import CANARY

REDACTION = Redaction(FingerprintKey(b"f" * 32))
TENANT = "11111111-2222-4333-8444-555555555555"
NAMES = st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from(["One", "Two", "Three"]), max_size=3))


def delivered(batch: Batch, vendor: str) -> RawDelivery:
    [(feed, body)] = rules_exposed.bodies(batch)
    kept = REDACTION.redacted(feed, body).body
    assert CANARY.encode() not in kept
    return delivery(kept, vendor=vendor, source=f"exposure/{vendor}/main", channel="poll")


def of_hibp(*rows: dict[str, Any]) -> Translation:
    return exposure_feeds.translated(delivered(Batch(feed="hibp", named=7, rows=rows), "hibp"))


def of_graph(*rows: Row) -> Translation:
    batch, _ = rules_detections.detected(TENANT, None, rows, last=None, read_at=NOON)
    assert batch is not None
    return exposure_feeds.translated(delivered(batch, "graph"))


@given(first=NAMES, second=NAMES)
def test_whatever_is_added_is_told_once_and_nothing_twice(first: Any, second: Any) -> None:
    one, kept = rules_hibp.breached(Asked("acme.example", None, b"1", NOON), first, {})
    two, _ = rules_hibp.breached(Asked("acme.example", kept, b"2", NOON), second, {})

    def pairs(batch: Batch | None) -> set[tuple[str, str]]:
        return {(row["login"][0], row["breach"]) for row in (batch.rows if batch else ())}

    def wanted(names: Any) -> set[tuple[str, str]]:
        return {(alias, name) for alias, found in names.items() for name in found}

    assert pairs(one) == wanted(first)
    assert pairs(two) == wanted(second) - wanted(first)


def test_nothing_of_a_person_is_remembered() -> None:
    asked = Asked("acme.example", None, b"1", NOON)

    _, kept = rules_hibp.stolen(asked, {"bob": ["shop.example"]})

    assert "bob" not in repr(kept)
    assert "shop" not in repr(kept)


@pytest.mark.parametrize(
    ("changes", "form", "origin", "doubtful"),
    [
        ({}, SecretForm.UNKNOWN, ExposureOrigin.BREACH, False),
        ({"DataClasses": ["Email addresses"]}, SecretForm.NONE, ExposureOrigin.BREACH, False),
        ({"IsStealerLog": True, "DataClasses": []}, SecretForm.UNKNOWN, ExposureOrigin.STEALER_LOG, False),
        ({"IsVerified": False}, SecretForm.UNKNOWN, ExposureOrigin.BREACH, True),
        ({"IsFabricated": True}, SecretForm.UNKNOWN, ExposureOrigin.BREACH, True),
        ({"IsSpamList": True}, SecretForm.UNKNOWN, ExposureOrigin.BREACH, True),
    ],
    ids=["passwords", "addresses alone", "stealer log", "unverified", "fabricated", "spam list"],
)
def test_a_breach_says_what_was_exposed(
    changes: dict[str, Any], form: SecretForm, origin: ExposureOrigin, *, doubtful: bool
) -> None:
    about = {"Adobe": breach("Adobe", added="2026-11-01T00:00:00Z", **changes)}
    batch, _ = rules_hibp.breached(Asked("acme.example", None, b"1", NOON), {"Bob": ["Adobe"]}, about)
    assert batch is not None

    [said] = exposure_feeds.translated(delivered(batch, "hibp")).exposures

    event: Any = said.event
    assert (event.login, event.domain, event.breach) == ("bob@acme.example", "acme.example", "Adobe")
    assert (event.form, event.origin, event.doubtful) == (form, origin, doubtful)
    assert event.published_at is not None
    assert (event.named, event.fingerprint) == (1, None)


def test_parts_of_one_reading_know_how_many_it_names() -> None:
    rows = [{"login": f"p{number}@acme.example", "breach": "Adobe"} for number in range(1201)]
    batch = Batch(feed="hibp", named=rules_exposed.logins_in(rows, "login"), rows=rows)

    parts = [REDACTION.redacted(*each).body for each in rules_exposed.bodies(batch)]

    named = set()
    for part in parts:
        body = delivery(part, vendor="hibp", source="exposure/hibp/main", channel="poll")
        named |= {event.event.named for event in exposure_feeds.translated(body).exposures}  # type: ignore[union-attr] # all are exposures
    assert (len(parts), named) == (3, {1201})


def test_a_secret_in_a_field_that_nobody_expects_is_gone() -> None:
    row = {
        "login": "bob@acme.example",
        "document": "Adobe",
        "password": CANARY,
        "target": f"https://u:{CANARY}@x.example",
    }

    [said] = of_hibp(row).exposures

    assert CANARY not in repr(said)
    assert CANARY not in repr(of_graph(detection("bob@acme.example", at=NOON, additionalInfo=f'[{{"p":"{CANARY}"}}]')))


def test_a_detection_becomes_an_exposure_of_its_tenant() -> None:
    row = detection("Bob@Acme.example", at=NOON)

    [said] = of_graph(row).exposures

    event: Any = said.event
    assert (event.login, event.user, event.organisation) == ("bob@acme.example", row["userId"], TENANT)
    assert (event.origin, event.document, event.published_at) == (ExposureOrigin.RISK_DETECTION, row["id"], NOON)
    assert event.fingerprint is None  # `tokenIssuerType` is no secret
    assert of_graph(row).exposures[0].id == said.id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"riskEventType": "unfamiliarFeatures"}, "detection/unfamiliarfeatures"),
        ({"riskEventType": "generic"}, "detection/generic"),
        ({"riskState": "dismissed"}, "detection/leakedcredentials/dismissed"),
        ({"riskState": "confirmedSafe"}, "detection/leakedcredentials/confirmedsafe"),
    ],
)
def test_what_is_no_leaked_credential_is_counted(changes: dict[str, Any], code: str) -> None:
    translation = of_graph(detection("bob@acme.example", at=NOON, **changes))

    assert [each.code for each in translation.unsaid] == [code]
    assert not translation.exposures


def test_an_alert_says_which_users_it_names_and_what_it_is_called() -> None:
    leaked = alert("jane@acme.example", "joe@acme.example", title="Leaked credentials", at=NOON)
    other = alert("jane@acme.example", title="Impossible travel activity", at=NOON)

    translation = of_graph(*rules_detections.rows_of_alert(leaked), *rules_detections.rows_of_alert(other))

    assert [each.event.login for each in translation.exposures] == ["jane@acme.example", "joe@acme.example"]  # type: ignore[union-attr] # both are exposures
    assert [each.code for each in translation.unsaid] == ["detection/impossibletravelactivity"]


@pytest.mark.parametrize("told", [None, "text", [None, {"userAccount": None}, {"userAccount": {"accountName": "x"}}]])
def test_an_alert_without_users_says_nothing(told: object) -> None:
    assert rules_detections.rows_of_alert({"id": "a", "title": "Leaked credentials", "evidence": told}) == []


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("identityProtection/riskDetections/ab12", "/v1.0/identityProtection/riskDetections/ab12"),
        ("/IdentityProtection/RiskDetections('ab12')", "/v1.0/identityProtection/riskDetections/ab12"),
        ("security/alerts_v2/da63_-96", "/v1.0/security/alerts_v2/da63_-96"),
        ("users/11111111-2222-3333-4444-555555555555", None),
        ("security/alerts_v2/../../users", None),
        ("security/alerts_v2/a?$expand=x", None),
        ("https://evil.example/security/alerts_v2/a", None),
        ("security/alerts_v2/a/comments", None),
    ],
)
def test_only_what_tells_of_a_credential_is_read_by_its_id(resource: str, path: str | None) -> None:
    asked = rules_detections.asked(resource)

    assert (asked.path if asked else None) == path


def test_a_question_reaches_back_as_far_as_microsoft_keeps_and_later_a_week() -> None:
    last = Snapshot(rules_detections.DETECTIONS, TENANT, b"listed", NOON, {"seen": []})

    first = rules_detections.question(None, NOON)
    second = rules_detections.question(last, NOON + HOUR)

    assert f"{NOON - timedelta(days=90):%Y-%m-%dT%H:%M:%SZ}" in first["$filter"]
    assert f"{NOON - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}" in second["$filter"]

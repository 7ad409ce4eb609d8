"""What records of each feed become, once the door took the secrets out."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.events.exposure import ApprovalGiven, ExposureFound, ExposureOrigin, SecretForm
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.redaction import Redaction
from services.gateway.vendors import exposure_feeds
from services.gateway.vendors.translation import Translation
from tests.builders import NOON, delivery
from tests.gateway.exposures.bodies import CANARY, notification, own, recorded_future, spycloud, written

REDACTION = Redaction(FingerprintKey(b"f" * 32))
PUBLISHED = datetime(2026, 11, 20, tzinfo=UTC)
SLOW = [{"algorithm": "BCrypt", "hash": "$2b$x"}]


def translated(feed: str, body: object, *, webhook_id: str | None = None) -> Translation:
    kept = REDACTION.redacted(feed, written(body)).body
    source = f"exposure/{feed}/main"
    return exposure_feeds.translated(delivery(kept, vendor=feed, source=source, webhook_id=webhook_id))


def found(feed: str, body: object) -> ExposureFound:
    [said] = translated(feed, body).exposures
    assert isinstance(said.event, ExposureFound)
    assert CANARY not in said.event.model_dump_json()
    return said.event


def test_our_own_format_says_all_that_an_exposure_can() -> None:
    event = found(
        "patchline",
        own(
            origin="stealer_log",
            user="u-1",
            organisation="Acme",
            document="d-1",
            exposed_at="2026-11-19T07:00:00+01:00",
            published_at="2026-11-20T00:00:00Z",
            target="https://vpn.acme.example/login",
            device="FRONT-DESK",
            doubtful=True,
        ),
    )

    fingerprint = event.fingerprint
    assert fingerprint is not None
    assert event == ExposureFound(
        feed="patchline",
        method=event.method,
        login="bob@acme.example",
        domain="acme.example",
        user="u-1",
        organisation="Acme",
        document="d-1",
        breach="Forum 2026",
        origin=ExposureOrigin.STEALER_LOG,
        form=SecretForm.PLAINTEXT,
        fingerprint=fingerprint,
        exposed_at=datetime(2026, 11, 19, 6, tzinfo=UTC),
        published_at=PUBLISHED,
        target="vpn.acme.example",
        device="FRONT-DESK",
        doubtful=True,
    )


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        pytest.param({}, SecretForm.PLAINTEXT, id="in clear"),
        pytest.param(
            {"password_plaintext": None, "password_type": "plaintext"}, SecretForm.PLAINTEXT, id="typed clear"
        ),
        pytest.param({"password_plaintext": None, "password_type": "SHA1"}, SecretForm.CRACKABLE, id="fast hash"),
        pytest.param({"password_plaintext": None, "password_type": "bcrypt"}, SecretForm.HASHED, id="slow hash"),
        pytest.param({"password_plaintext": None, "password_type": "ours"}, SecretForm.UNKNOWN, id="unknown hash"),
        pytest.param({"password_plaintext": None, "password": None}, SecretForm.NONE, id="no secret"),
    ],
)
def test_the_form_of_a_secret_of_spycloud(changes: dict[str, Any], form: SecretForm) -> None:
    assert found("spycloud", spycloud(**changes)).form is form


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        pytest.param({"severity": 20}, ExposureOrigin.BREACH, id="a breach"),
        pytest.param({"severity": 25}, ExposureOrigin.STEALER_LOG, id="by severity"),
        pytest.param({"infected_machine_id": "m-1"}, ExposureOrigin.STEALER_LOG, id="by machine"),
        pytest.param({"infected_time": "2026-11-19T00:00:00Z"}, ExposureOrigin.STEALER_LOG, id="by time"),
        pytest.param({"severity": None}, ExposureOrigin.UNKNOWN, id="unsaid"),
    ],
)
def test_the_origin_of_a_record_of_spycloud(changes: dict[str, Any], origin: ExposureOrigin) -> None:
    assert found("spycloud", spycloud(**changes)).origin is origin


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        pytest.param({"type": "clear"}, SecretForm.PLAINTEXT, id="in clear"),
        pytest.param({"type": "hash", "effectively_clear": True}, SecretForm.CRACKABLE, id="effectively clear"),
        pytest.param({"type": "hash", "effectively_clear": False}, SecretForm.CRACKABLE, id="a fast hash"),
        pytest.param({"hashes": SLOW, "effectively_clear": None}, SecretForm.HASHED, id="a slow one"),
        pytest.param({"hashes": [], "type": None, "effectively_clear": False}, SecretForm.NONE, id="none"),
    ],
)
def test_the_form_of_a_secret_of_recorded_future(secret: dict[str, Any], form: SecretForm) -> None:
    exposed = recorded_future()["exposed_secret"] | {"type": None} | secret

    assert found("recorded-future", recorded_future(exposed_secret=exposed)).form is form


def test_a_date_of_a_feed_without_a_zone_is_in_utc_and_one_that_cannot_be_read_is_none() -> None:
    assert found("spycloud", spycloud(spycloud_publish_date="2026-11-20")).published_at == PUBLISHED
    assert found("spycloud", spycloud(spycloud_publish_date=int(PUBLISHED.timestamp()))).published_at == PUBLISHED
    assert found("spycloud", spycloud(spycloud_publish_date="20-11-20-11")).published_at is None


def test_every_exposure_tells_how_many_logins_its_delivery_names() -> None:
    body = {"results": [spycloud(email=f"{name}@acme.example", document_id=name) for name in ("bob", "eve", "bob")]}

    events = [each.event for each in translated("spycloud", body).exposures]
    assert [each.named for each in events if isinstance(each, ExposureFound)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("feed", "one", "other", "same"),
    [
        pytest.param("spycloud", spycloud(), spycloud(severity=5), True, id="the feed's number"),
        pytest.param("spycloud", spycloud(), spycloud(email="eve@acme.example"), False, id="of another login"),
        pytest.param("recorded-future", [recorded_future()], [recorded_future()], True, id="natural fields"),
        pytest.param(
            "recorded-future",
            [recorded_future()],
            [recorded_future(latest_downloaded="2026-11-21T00:00:00Z")],
            False,
            id="another time",
        ),
        pytest.param("patchline", own(), own(), True, id="our format, by its moment"),
        pytest.param("patchline", own(), own(secret="another"), False, id="another secret"),
        pytest.param("patchline", own() | {"id": "7"}, own(secret="x") | {"id": "7"}, True, id="the sender's id"),
    ],
)
def test_a_repeat_has_the_id_of_the_first(feed: str, *, one: object, other: object, same: bool) -> None:
    [first], [second] = (translated(feed, each).exposures for each in (one, other))

    assert (first.id == second.id) is same


def test_a_delivery_that_is_sent_again_says_the_same() -> None:
    ids = {translated("patchline", own(), webhook_id="msg_1").exposures[0].id for _ in range(2)}

    assert len(ids) == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"form": "sealed"}, "data.form", id="form"),
        pytest.param({"origin": "friend"}, "origin", id="origin"),
        pytest.param({"exposed_at": "2026-11-20 07:00"}, "exposed", id="a moment without a zone"),
    ],
)
def test_what_our_own_format_cannot_mean_is_a_problem_of_its_own_event(changes: dict[str, str], problem: str) -> None:
    body = {"events": [own(), own(login="eve@acme.example", **changes)]}

    made = translated("patchline", body)

    assert len(made.exposures) == 1
    assert problem in made.problems[0]
    assert made.problems[0].startswith("events.1.")


def test_another_type_of_our_own_format_is_counted_as_unknown() -> None:
    [unsaid] = translated("patchline", own() | {"type": "exposure.mended"}).unsaid

    assert (unsaid.code, unsaid.is_known) == ("exposure.mended", False)


def test_a_notification_of_graph_is_a_hint_to_read_again() -> None:
    made = translated("graph", {"value": [notification(), notification(id="n-2", tenantId="t-2")]})

    assert [(each.organisation, each.change) for each in made.hints] == [
        ("99999999-2222-3333-4444-555555555555", "updated"),
        ("t-2", "updated"),
    ]
    assert not made.exposures


def test_what_graph_says_of_a_subscription_itself_is_known_and_let_be() -> None:
    [unsaid] = translated("graph", {"value": [notification(lifecycleEvent="reauthorizationRequired")]}).unsaid

    assert (unsaid.code, unsaid.is_known) == ("lifecycle/reauthorizationRequired", True)


def test_an_answer_to_a_link_is_the_same_fact_however_often_it_is_sent() -> None:
    body = json.dumps({"case": "c-1", "token": "f" * 64, "approve": True}).encode()
    made = [
        exposure_feeds.translated(delivery(body, vendor="approval", source="exposure/approval/links")) for _ in "12"
    ]

    assert len({each.exposures[0].id for each in made}) == 1
    assert made[0].exposures[0].event == ApprovalGiven(case="c-1", token="f" * 64, approve=True)
    assert made[0].exposures[0].time == NOON


@pytest.mark.parametrize("feed", ["patchline", "spycloud", "recorded-future", "graph", "approval"])
@pytest.mark.parametrize("body", [b"", b"[]", b'{"records": 7}', b'{"records": [7]}', b'{"records": [{}]}', b"{}"])
def test_no_body_raises(feed: str, body: bytes) -> None:
    made = exposure_feeds.translated(delivery(body, vendor=feed, source=f"exposure/{feed}/main"))

    assert made.problems
    assert not made.exposures


def test_every_adapter_says_how_it_was_confirmed() -> None:
    assert set(exposure_feeds.CONFIRMED) == set(exposure_feeds.ADAPTERS)
    assert exposure_feeds.translated(delivery(b"{}", vendor="x", source="exposure/x/y", channel="poll")).problems

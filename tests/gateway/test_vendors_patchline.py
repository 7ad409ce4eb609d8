"""Patchline's own format: what scripts and typed templates say, and everything that can be wrong with it."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.events import rmm
from contracts.events.event import Confidence, Method
from services.gateway import vendors
from services.gateway.vendors.patchline import MODEL_BY_TYPE, MOST_EVENTS, translated
from services.gateway.vendors.translation import Said
from tests.builders import NOON, delivery

MAIN = "rmm/patchline/main"
WRITTEN = "2026-11-10T12:00:00Z"
PATCH = {"patch": "KB5050000", "kb": "5050000", "title": "2026-11 Cumulative Update", "severity": "critical"}
LATER = "2026-11-10T11:30:00.5Z"

DATA: dict[str, dict[str, object]] = {
    "device.seen": {"facts": {"hostname": "front-desk", "os_family": "windows", "tier": "kiosk", "tags": ["lobby"]}},
    "device.updated": {"facts": {"os_build": "26100.2605", "ephi": True}},
    "device.removed": {"reason": "sold"},
    "device.online": {},
    "device.offline": {},
    "device.booted": {"booted_at": LATER, "os_build": "26100.2605"},
    "device.applications_listed": {"listing": "l-1", "complete": True, "applications": [{"name": "7-Zip"}]},
    "patch.scan_completed": {"scanned_at": LATER, "listed": 3},
    "patch.detected": {"patch": PATCH, "scanned_at": LATER},
    "patch.no_longer_listed": {"patch": PATCH, "scanned_at": LATER},
    "patch.approved": {"patch": PATCH},
    "patch.rejected": {"patch": PATCH},
    "patch.install_reported": {"patch": PATCH},
    "patch.install_failed": {"patch": PATCH, "code": "0x80070643"},
    "patch.rolled_back": {"patch": PATCH},
    "patch.reboot_pending": {"reason": "CBS"},
    "reboot.notified": {"restarts_at": "2025-01-15T17:30:00Z"},
    "reboot.deferred": {"until": "2025-01-15T13:30:00Z"},
    "reboot.consented": {"by": "reception", "approved": False},
    "alert.raised": {"alert": "disk-c", "kind": "disk_space", "severity": "high"},
    "alert.reset": {"alert": "disk-c", "kind": "disk_space"},
}


def body(type_: str = "patch.install_failed", **changed: object) -> dict[str, object]:
    told = {"device": "front-desk-1", "organisation": "Acme", "site": "HQ", **DATA[type_.removesuffix(".v1")]}
    whole = {"type": type_, "timestamp": WRITTEN, "data": told, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def said(*bodies: object, webhook_id: str | None = "msg_1") -> list[Said]:
    raw = delivery(bodies[0] if len(bodies) == 1 else {"events": bodies}, vendor="patchline", webhook_id=webhook_id)
    translation = translated(raw)
    assert not translation.problems
    return list(translation.said)


def test_every_event_of_an_rmm_can_be_said() -> None:
    every = {model for model in vars(rmm).values() if isinstance(model, type) and issubclass(model, rmm.RmmEvent)}

    assert set(MODEL_BY_TYPE.values()) == every - {rmm.RmmEvent}
    assert {name for name in MODEL_BY_TYPE if not name.endswith(".v1")} == set(DATA)


@pytest.mark.parametrize("type_", [*DATA, *(f"{name}.v1" for name in DATA)])
def test_each_type_is_understood(type_: str) -> None:
    [one] = said(body(type_))

    common = {"device": "front-desk-1", "organisation": "Acme", "site": "HQ"}
    assert one.event == MODEL_BY_TYPE[type_].model_validate({**common, **DATA[type_.removesuffix(".v1")]})
    assert one.time == NOON


def test_a_failure_is_understood_whole() -> None:
    [one] = said(body())

    assert one.event == rmm.PatchInstallFailed(
        device="front-desk-1",
        organisation="Acme",
        site="HQ",
        patch=rmm.PatchRef.model_validate(PATCH),
        code="0x80070643",
    )


def test_nobody_can_claim_to_be_a_witness_that_he_is_not() -> None:
    claim = {"device": "d", "patch": PATCH, "scanned_at": LATER, "method": "poll", "confidence": "derived"}

    [one] = said(body("patch.no_longer_listed", data=claim))

    assert (one.event.method, one.event.confidence) == (Method.WEBHOOK, Confidence.STATED)


def test_many_events_travel_together_and_share_the_moment() -> None:
    booted = body("device.booted", timestamp=None)
    raw = delivery({"timestamp": WRITTEN, "events": [booted, body(timestamp=LATER)]}, vendor="patchline")

    one, other = translated(raw).said

    assert (one.time, other.time) == (NOON, datetime(2026, 11, 10, 11, 30, 0, 500_000, tzinfo=UTC))


def test_a_bad_event_does_not_take_its_neighbours_along() -> None:
    raw = delivery({"events": [body(), body(data={"device": 7}), 3, body("device.online")]}, vendor="patchline")

    translation = translated(raw)

    assert [type(one.event) for one in translation.said] == [rmm.PatchInstallFailed, rmm.DeviceOnline]
    assert [problem.split(":")[0] for problem in translation.problems] == ["events.1.data.device", "events.2"]


def test_an_unknown_type_is_kept_verbatim_and_an_unknown_field_let_be() -> None:
    raw = delivery({"events": [body() | {"type": "patch.teleported"}, body(colour="red")]}, vendor="patchline")

    translation = translated(raw)

    assert [(code.code, code.is_known) for code in translation.unsaid] == [("patch.teleported", False)]
    assert len(translation.said) == 1


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    abroad = NOON.astimezone(timezone(timedelta(hours=-5))).isoformat()

    [one] = said(body(timestamp=abroad))

    assert one.time == NOON


def test_without_a_timestamp_the_receipt_counts() -> None:
    assert said(body(timestamp=None))[0].time == NOON


@pytest.mark.parametrize(
    ("own_id", "webhook_id", "timestamp", "expected"),
    [
        ("e-7", "msg_1", WRITTEN, ids.event_id_of_vendor(MAIN, "e-7")),
        (None, "msg_1", WRITTEN, ids.event_id_of_vendor(MAIN, "webhook-id/msg_1/0")),
        (
            None,
            None,
            WRITTEN,
            ids.event_id_of_fields(MAIN, "patch.install_failed.v1", NOON, "front-desk-1", "patch/KB5050000"),
        ),
    ],
    ids=["its own id", "the delivery's id", "its natural fields"],
)
def test_the_id_is_the_best_that_there_is(
    own_id: str | None, webhook_id: str | None, timestamp: str | None, expected: ids.EventId
) -> None:
    [one] = said(body(id=own_id, timestamp=timestamp), webhook_id=webhook_id)

    assert one.id == expected


def test_without_any_of_them_two_deliveries_are_two_events() -> None:
    told = body(timestamp=None)

    [one], [other] = said(told, webhook_id=None), said(told, webhook_id=None)

    assert one.id != other.id


def test_events_of_one_delivery_have_ids_of_their_own() -> None:
    one, other = said(body("device.online"), body("device.online"))

    assert one.id != other.id


def test_two_patches_failing_at_one_moment_are_two_events() -> None:
    other_patch = body() | {"data": {"device": "front-desk-1", "patch": {"patch": "KB5040404"}}}

    one, other = said(body(), other_patch, webhook_id=None)

    assert one.id != other.id


def test_a_vendor_without_an_adapter_sends_our_format() -> None:
    raw = delivery(body(), vendor="datto")

    [one] = vendors.translated(raw, vendors.adapters()).said

    assert isinstance(one.event, rmm.PatchInstallFailed)


def test_a_poll_of_a_vendor_without_a_poller_is_a_problem() -> None:
    raw = delivery(body(), vendor="tactical", channel="poll")

    [problem] = vendors.translated(raw, vendors.adapters()).problems

    assert problem == "channel: 'tactical' has no adapter for poll"


def told(**changed: object) -> dict[str, object]:
    return body(data={"device": "d", "patch": PATCH, **changed})


BAD: dict[str, tuple[object, str]] = {
    "nothing": (b"", "body: not JSON"),
    "json of json": ('{"type": "device.online"}', "body: a JSON string"),
    "nested too deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "body: not JSON"),
    "a tab in a path": (b'{"path":"C:\temp"}', "body: not JSON"),
    "not utf-8": (b'{"type": "J\xf6rg"}', "body: not JSON in UTF-8"),
    "no type": (body(type=None), "type: not text"),
    "an object as type": (body(type={"a": 1}), "type: not text"),
    "a NUL in the type": (body(type="device.\x00"), "type: holds a control"),
    "events that are none": ({"events": {}}, "events: not a list"),
    "too many events": ({"events": [{}] * (MOST_EVENTS + 1)}, "events: not a list of at most"),
    "a number as moment": (body(timestamp=1767225600), "timestamp: not an ISO"),
    "a word as moment": (body(timestamp="yesterday"), "timestamp: not an ISO"),
    "an impossible date": (body(timestamp="2025-02-30T25:61:00Z"), "timestamp: not an ISO"),
    "no zone": (body(timestamp="2026-11-10T12:00:00"), "timestamp: the moment has no time zone"),
    "the end of time": (body(timestamp="9999-12-31T23:59:59-14:00"), "timestamp: no possible"),
    "the beginning": (body(timestamp="0001-01-01T00:00:00+14:00"), "timestamp: no possible"),
    "an endless moment": (b'{"type": "device.online", "timestamp": 1e999}', "timestamp: not an ISO"),
    "no data": (body(data=None), "data: not an object"),
    "a list as data": (body(data=[]), "data: not an object"),
    "no device": (body(data={"patch": PATCH}), "data.device: Field required"),
    "a number as device": (told(device=7), "data.device: Input should be a valid string"),
    "an empty device": (told(device=""), "data.device: String should have at least 1"),
    "a NUL in the device": (told(device="a\x00b"), "data.device: String should match"),
    "a tab in the device": (told(device="C:\temp"), "data.device: holds a control"),
    "a tab in the patch": (told(patch={"patch": "KB\t1"}), "data.patch.patch: holds a control"),
    "a long device": (told(device="x" * 513), "data.device: String should have at most 512"),
    "a KB with its prefix": (told(patch={"patch": "p", "kb": "KB5050000"}), "data.patch.kb: String should match"),
    "an unknown severity": (told(patch={"patch": "p", "severity": "bad"}), "data.patch.severity: Input should be"),
    "a tag with a line break": (
        body("device.updated", data={"device": "d", "facts": {"tags": ["a\nb"]}}),
        "data.facts.tags: holds a control",
    ),
    "a word as truth": (
        body("device.updated", data={"device": "d", "facts": {"ephi": "yes"}}),
        "data.facts.ephi: Input should be a valid boolean",
    ),
    "a number as scan": (
        body("patch.scan_completed", data={"device": "d", "scanned_at": 1767225600}),
        "data.scanned_at: Input should be a valid datetime",
    ),
    "a scan at the end of time": (
        body("patch.scan_completed", data={"device": "d", "scanned_at": "9999-12-31T23:59:59-14:00"}),
        "data.scanned_at: no possible",
    ),
    "a count of 400 digits": (
        body("patch.scan_completed", data={"device": "d", "scanned_at": LATER, "listed": 10**400}),
        "data.listed: no number",
    ),
    "an endless count": (
        b'{"type":"patch.scan_completed","data":{"device":"d","scanned_at":"2026-11-10T11:30:00Z","listed":1e999}}',
        "data.listed: Input should be",
    ),
    "a number as id": (body(id=7), "id: not text"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_refused_and_the_reason_names_the_field(bad: object, reason: str) -> None:
    started = time.monotonic()

    translation = translated(delivery(bad, vendor="patchline"))

    assert not translation.said
    assert not translation.unsaid
    assert [problem[: len(reason)] for problem in translation.problems] == [reason]
    assert time.monotonic() - started < 1


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(garbage: bytes) -> None:
    translated(delivery(garbage, vendor="patchline"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["device", "organisation", "patch", "facts", "scanned_at", "booted_at", "listed", "alert", "kind", "reason", "code"]
)


@given(st.sampled_from(sorted(MODEL_BY_TYPE)), st.dictionaries(names, json_values, max_size=4))
def test_no_fields_make_it_raise(type_: str, changed: dict[str, object]) -> None:
    data = {"device": "d", **DATA[type_.removesuffix(".v1")], **changed}

    translation = translated(delivery({"type": type_, "data": data}, vendor="patchline"))

    assert len(translation.said) + len(translation.problems) == 1

"""NinjaOne's webhook in our words, code by code, and everything that can be wrong with a body."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.events import rmm
from contracts.events.event import Confidence, Method, OsFamily, Severity, Tier
from services.gateway.vendors.ninjaone import translated
from services.gateway.vendors.ninjaone_codes import MEANING_BY_CODE, MEANING_BY_CONDITION_CODE
from services.gateway.vendors.ninjaone_places import PatchFinder, PatchPlaces
from services.gateway.vendors.translation import Said, Unsaid
from tests.builders import NOON, SOURCE, delivery, ninjaone_activity

KB = {"data": {"message": {"code": "x", "params": {"kb_number": "KB5050000", "patch_name": "2026-11 Cumulative"}}}}
CONDITION = {"activityType": "CONDITION", "data": {"message": {"code": "CONDITION_DISK_FREE_SPACE", "params": {}}}}


def said(code: str, **changed: object) -> Said:
    translation = translated(delivery(ninjaone_activity(code, **changed)))  # type: ignore[arg-type]  # fields of a body
    assert not translation.problems
    [one] = translation.said
    return one


def unsaid(code: str, **changed: object) -> Unsaid:
    translation = translated(delivery(ninjaone_activity(code, **changed)))  # type: ignore[arg-type]  # fields of a body
    assert not translation.problems
    [one] = translation.unsaid
    return one


EVENT_BY_CODE: dict[str, type[rmm.RmmEvent] | None] = {
    "NODE_CREATED": rmm.DeviceSeen,
    "NODE_RE_ENROLLED": rmm.DeviceSeen,
    "NODE_AUTOMATICALLY_APPROVED": rmm.DeviceSeen,
    "NODE_MANUALLY_APPROVED": rmm.DeviceSeen,
    "NODE_UPDATED": rmm.DeviceUpdated,
    "NODE_IDENTIFICATION_UPDATED": rmm.DeviceUpdated,
    "SOFTWARE_ADDED": rmm.DeviceUpdated,
    "SOFTWARE_REMOVED": rmm.DeviceUpdated,
    "SOFTWARE_UPDATED": rmm.DeviceUpdated,
    "SOFTWARE_OS_UPDATED": rmm.DeviceUpdated,
    "NODE_DELETED": rmm.DeviceRemoved,
    "NODE_REGISTRATION_REJECTED": rmm.DeviceRemoved,
    "NODE_AUTOMATICALLY_REJECTED": rmm.DeviceRemoved,
    "NODE_MANUALLY_REJECTED": rmm.DeviceRemoved,
    "REJECTED_NODE_DELETED": rmm.DeviceRemoved,
    "MOBILE_DEVICE_UNREGISTERED": rmm.DeviceRemoved,
    "NODE_CLONING_DETECTED": rmm.AlertRaised,
    "NODE_CLONE_ADVISED_TO_REGISTER": rmm.AlertRaised,
    "PATCH_MANAGEMENT_SCAN_COMPLETED": rmm.PatchScanCompleted,
    "SOFTWARE_PATCH_MANAGEMENT_SCAN_COMPLETED": rmm.PatchScanCompleted,
    "PATCH_MANAGEMENT_PATCH_APPROVED": rmm.PatchApproved,
    "SOFTWARE_PATCH_MANAGEMENT_PATCH_APPROVED": rmm.PatchApproved,
    "PATCH_MANAGEMENT_PATCH_REJECTED": rmm.PatchRejected,
    "SOFTWARE_PATCH_MANAGEMENT_PATCH_REJECTED": rmm.PatchRejected,
    "PATCH_MANAGEMENT_INSTALLED": rmm.PatchInstallReported,
    "SOFTWARE_PATCH_MANAGEMENT_INSTALLED": rmm.PatchInstallReported,
    "PATCH_MANAGEMENT_INSTALL_FAILED": rmm.PatchInstallFailed,
    "PATCH_MANAGEMENT_FAILURE": rmm.PatchInstallFailed,
    "SOFTWARE_PATCH_MANAGEMENT_INSTALL_FAILED": rmm.PatchInstallFailed,
    "PATCH_MANAGEMENT_ROLLBACK_PATCH_COMPLETED": rmm.PatchRolledBack,
    "SYSTEM_REBOOTED": rmm.DeviceBooted,
    "PATCH_MANAGEMENT_SCAN_STARTED": None,
    "PATCH_MANAGEMENT_APPLY_PATCH_STARTED": None,
    "PATCH_MANAGEMENT_APPLY_PATCH_COMPLETED": None,
    "PATCH_MANAGEMENT_MESSAGE": None,
    "PATCH_MANAGEMENT_ROLLBACK_PATCH_REQUESTED": None,
    "PATCH_MANAGEMENT_ROLLBACK_PATCH_STARTED": None,
    "SOFTWARE_PATCH_MANAGEMENT_SCAN_STARTED": None,
    "SOFTWARE_PATCH_MANAGEMENT_APPLY_PATCH_STARTED": None,
    "SOFTWARE_PATCH_MANAGEMENT_APPLY_PATCH_COMPLETED": None,
    "SOFTWARE_PATCH_MANAGEMENT_MESSAGE": None,
}


def test_every_code_that_matters_has_a_meaning() -> None:
    assert set(EVENT_BY_CODE) == set(MEANING_BY_CODE)


@pytest.mark.parametrize(("code", "expected"), EVENT_BY_CODE.items(), ids=EVENT_BY_CODE.keys())
def test_each_code_becomes_its_event(code: str, expected: type[rmm.RmmEvent] | None) -> None:
    translation = translated(delivery(ninjaone_activity(code, **KB)))  # type: ignore[arg-type]  # fields of a body

    assert not translation.problems
    if expected is None:
        [nothing] = translation.unsaid
        assert (nothing.code, nothing.is_known) == (code, True)
    else:
        [one] = translation.said
        assert type(one.event) is expected
        assert (one.event.device, one.event.organisation, one.event.site) == ("4821", "17", "21")
        assert (one.event.method, one.event.confidence) == (Method.WEBHOOK, Confidence.STATED)


@pytest.mark.parametrize("code", ["CPU_ADDED", "MEMORY_REMOVED", "DISK_DRIVE_ADDED", "ADAPTER_STATUS_CHANGED"])
def test_a_change_of_parts_is_a_change_of_the_device(code: str) -> None:
    assert isinstance(said(code, activityType="MONITOR").event, rmm.DeviceUpdated)


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("TRIGGERED", "CONDITION_DISK_FREE_SPACE", rmm.AlertRaised),
        ("RESET", "CONDITION_DISK_FREE_SPACE", rmm.AlertReset),
        ("TRIGGERED", "AGENT_OFFLINE", rmm.DeviceOffline),
        ("RESET", "AGENT_OFFLINE", rmm.DeviceOnline),
        ("TRIGGERED", "CONDITION_PENDING_REBOOT", rmm.PatchRebootPending),
        ("RESET", "CONDITION_PENDING_REBOOT", rmm.AlertReset),
    ],
)
def test_a_condition_is_told_by_its_own_code(code: str, kind: str, expected: type[rmm.RmmEvent]) -> None:
    message = {"message": {"code": kind, "params": {}}}

    one = said(code, activityType="CONDITION", data=message)

    assert type(one.event) is expected


@pytest.mark.parametrize("code", sorted(MEANING_BY_CONDITION_CODE.keys() - {"TRIGGERED", "RESET"}))
def test_other_turns_of_a_condition_say_nothing(code: str) -> None:
    assert unsaid(code, **CONDITION).is_known


def test_a_conditions_code_means_nothing_for_other_types() -> None:
    nothing = unsaid("TRIGGERED", activityType="SCHEDULED_TASK")

    assert (nothing.code, nothing.is_known) == ("SCHEDULED_TASK.TRIGGERED", False)


def test_an_alert_and_its_reset_carry_one_name() -> None:
    raised, reset = said("TRIGGERED", severity="MAJOR", **CONDITION), said("RESET", number=9004412, **CONDITION)

    assert isinstance(raised.event, rmm.AlertRaised)
    assert isinstance(reset.event, rmm.AlertReset)
    assert raised.event.alert == reset.event.alert == "0b7b5f6e-3f0b-4f3b-9f44-2f6d1b9a7f10"
    assert raised.correlation == reset.correlation
    assert raised.event.severity is Severity.HIGH


def test_an_unknown_code_is_kept_verbatim() -> None:
    nothing = unsaid("PATCH_MANAGEMENT_TELEPORTED")

    assert (nothing.code, nothing.is_known) == ("PATCH_MANAGEMENT.PATCH_MANAGEMENT_TELEPORTED", False)


def test_the_documented_failure_is_understood_whole() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one = said("PATCH_MANAGEMENT_INSTALL_FAILED", at=at, message="Failed to install KB5050000: 0x80070643")

    assert one.id == ids.event_id_of_vendor(SOURCE, "9004411")
    assert one.time == at + timedelta(milliseconds=250)
    assert one.correlation == "0b7b5f6e-3f0b-4f3b-9f44-2f6d1b9a7f10"
    assert one.event == rmm.PatchInstallFailed(
        device="4821",
        organisation="17",
        site="21",
        patch=rmm.PatchRef(patch="KB5050000", kb="5050000"),
        code="0x80070643",
    )


@pytest.mark.parametrize(
    ("params", "message", "found"),
    [
        ({"kb_number": "KB5050000"}, "", ("KB5050000", "5050000", None)),
        ({"kbNumber": 5050000}, "", ("KB5050000", "5050000", None)),
        ({"patch_name": "Cumulative Update (KB5050000)"}, "", ("KB5050000", "5050000", None)),
        ({"patch_id": "8f3c", "patch_name": "macOS 26.1"}, "", ("8f3c", None, None)),
        ({"patch_name": "macOS 26.1"}, "", ("macOS 26.1", None, None)),
        ({}, "KB 5050000 failed with 0x8024200b", ("KB5050000", "5050000", "0x8024200b")),
        ({"kb_number": "KB5050000", "result_code": "-2145124329"}, "", ("KB5050000", "5050000", "-2145124329")),
        ({"kb_number": {"a": 1}, "patch_id": 10**400}, "see KB5050000", ("KB5050000", "5050000", None)),
    ],
    ids=[
        "param",
        "number",
        "inside a name",
        "own id",
        "name only",
        "message only",
        "result code",
        "nonsense beside it",
    ],
)
def test_the_patch_is_found_where_it_may_stand(
    params: dict[str, object], message: str, found: tuple[str, str | None, str | None]
) -> None:
    body = {"data": {"message": {"code": "x", "params": params}}, "message": message}

    event = said("PATCH_MANAGEMENT_INSTALL_FAILED", **body).event

    assert isinstance(event, rmm.PatchInstallFailed)
    assert (event.patch.patch, event.patch.kb, event.code) == found


def test_a_patch_activity_without_a_patch_is_counted_for_the_poller_to_repair() -> None:
    nothing = unsaid("PATCH_MANAGEMENT_INSTALLED", message="Done")

    assert (nothing.code, nothing.is_known) == ("PATCH_MANAGEMENT_INSTALLED without a patch", False)


def test_the_places_of_a_patch_can_be_set() -> None:
    finder = PatchFinder(PatchPlaces.of({"kb": ["data.elsewhere.kb"]}))
    body = ninjaone_activity("PATCH_MANAGEMENT_INSTALLED", data={"elsewhere": {"kb": "KB4040404"}}, message="KB1111111")

    [one] = translated(delivery(body), finder).said

    assert isinstance(one.event, rmm.PatchInstallReported)
    assert one.event.patch.kb == "4040404"


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(ValueError, match="kbs: not one of"):
        PatchPlaces.of({"kbs": []})


def test_a_device_says_what_it_is() -> None:
    event = said("NODE_CREATED", activityType="SYSTEM", device={"tags": ["kiosk", {"name": "ePHI"}]}).event

    assert isinstance(event, rmm.DeviceSeen)
    assert event.facts == rmm.DeviceFacts(
        hostname="acme-dc01.acme.example",
        os_family=OsFamily.WINDOWS,
        tier=Tier.KIOSK,
        location="HQ",
        ephi=True,
        tags=("ePHI", "kiosk"),
    )


def test_without_tags_nothing_is_said_of_patient_data() -> None:
    event = said("NODE_UPDATED", device={"nodeClass": "NMS_SWITCH"}).event

    assert isinstance(event, rmm.DeviceUpdated)
    assert (event.facts.ephi, event.facts.os_family, event.facts.tier) == (None, OsFamily.OTHER, None)


def test_a_body_without_expand_has_no_organisation() -> None:
    body = ninjaone_activity("SYSTEM_REBOOTED")
    del body["device"]

    [one] = translated(delivery(body)).said

    assert (one.event.organisation, one.event.site) == (None, None)


def test_a_body_without_a_device_is_counted() -> None:
    body = ninjaone_activity("NODE_DELETED", deviceId=None, device={"id": None})

    [nothing] = translated(delivery(body)).unsaid

    assert nothing.code == "NODE_DELETED without a device"


def test_without_a_time_the_receipt_counts() -> None:
    assert said("SYSTEM_REBOOTED", activityTime=None).time == NOON


def good(**changed: object) -> dict[str, object]:
    return ninjaone_activity("PATCH_MANAGEMENT_INSTALL_FAILED", **changed)  # type: ignore[arg-type]  # fields of a body


BAD: dict[str, tuple[object, str]] = {
    "nothing": (b"", "body: not JSON"),
    "a proxy's page": (b"<html>502</html>", "body: not JSON"),
    "cut off": (b'{"id": 1, "statusCode": "NODE_', "body: not JSON"),
    "json of json": ('{"id": 1}', "body: a JSON string"),
    "a list": ([1], "body: not a JSON object"),
    "not utf-8": (b'{"id": 1, "message": "J\xf6rg"}', "body: not JSON in UTF-8"),
    "utf-16": ('{"id": 1}'.encode("utf-16"), "body: not JSON"),
    "half a surrogate": (b'{"id": 1, "statusCode": "\\ud800"}', "body: not JSON"),
    "not a number": (b'{"id": NaN}', "body: not JSON"),
    "nested too deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "body: not JSON"),
    "a list nested too deep": (b"[" * 1_000_000, "body: not JSON"),
    "a tab in a path": (b'{"id": 1, "path": "C:\temp"}', "body: not JSON"),
    "a tab in a name": (good(device={"systemName": "C:\temp"}), "device.systemName: holds a control"),
    "a NUL in a name": (good(device={"systemName": "a\x00b"}), "device.systemName: holds a control"),
    "a NUL in a code": (good(statusCode="NODE_\x00"), "statusCode: holds a control"),
    "no id": (good(id=None), "id: not a whole number"),
    "a truth as id": (good(id=True), "id: not a whole number"),
    "a fraction as id": (good(id=1.5), "id: not a whole number"),
    "an id beyond 64 bits": (good(id=2**63), "id: not a whole number"),
    "an id of 400 digits": (good(id=10**400), "id: not a whole number"),
    "an id of 5000 digits": (b'{"id": ' + b"9" * 5000 + b"}", "body: not JSON"),
    "no code": (good(statusCode=None), "statusCode: not text"),
    "an object as code": (good(statusCode={"a": 1}), "statusCode: not text"),
    "a word as time": (good(activityTime="yesterday"), "activityTime: not a number"),
    "an endless time": (
        b'{"id":1,"deviceId":1,"statusCode":"SYSTEM_REBOOTED","activityTime":1e999}',
        "activityTime: no",
    ),
    "a time of 400 digits": (good(activityTime=10**400), "activityTime: no possible"),
    "a time before time": (good(activityTime=-1), "activityTime: no possible"),
    "milliseconds as seconds": (good(activityTime=1767225600250), "activityTime: no possible"),
    "a list as device": (good(device=[]) | {"device": []}, "device: not an object"),
    "a word as device id": (good(deviceId="main"), "deviceId: not a whole number"),
    "a list as organisation": (good(device={"organizationId": []}), "device.organizationId: not a whole number"),
    "a number as series": (good(seriesUid=7), "seriesUid: not text"),
    "tags that are none": (
        ninjaone_activity("NODE_UPDATED", device={"tags": "kiosk"}),
        "device.tags: not a list",
    ),
}


@pytest.mark.parametrize(("body", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_refused_and_the_reason_names_the_field(body: object, reason: str) -> None:
    started = time.monotonic()
    if reason.startswith("device.systemName"):
        assert isinstance(body, dict)
        body = body | {"statusCode": "NODE_UPDATED"}

    translation = translated(delivery(body))

    assert not translation.said
    assert not translation.unsaid
    [problem] = translation.problems
    assert problem.startswith(reason)
    assert time.monotonic() - started < 1


def test_a_reason_never_quotes_the_body() -> None:
    [problem] = translated(delivery(good(statusCode="hunter2\x00"))).problems

    assert "hunter2" not in problem


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    translated(delivery(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields_of_a_body = st.sampled_from(sorted({*good(), "severity", "sourceName", "status"}))


@given(
    st.sampled_from([*EVENT_BY_CODE, "TRIGGERED", "RESET", "?"]),
    st.dictionaries(fields_of_a_body, json_values, max_size=4),
)
def test_no_fields_make_it_raise(code: str, changed: dict[str, object]) -> None:
    translation = translated(delivery(good(statusCode=code) | changed))

    assert len(translation.said) + len(translation.unsaid) + len(translation.problems) == 1

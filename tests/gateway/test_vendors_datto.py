"""Datto RMM's webhook: a template that is read whatever its message breaks, and what its alerts become."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.errors import WrongSetting
from contracts import ids
from contracts.events import rmm
from contracts.events.event import Confidence, Method, Severity
from services.gateway import vendors
from services.gateway.translation.translate_app import TranslateSettings, translator
from services.gateway.vendors import datto_template
from services.gateway.vendors.datto import translated
from services.gateway.vendors.datto_template import HEAD, TAIL, filled
from services.gateway.vendors.datto_words import Words
from services.gateway.vendors.translation import Said, Translation
from simulators import datto_webhooks
from tests.builders import HOUR, NOON, delivery

DOCUMENT = Path(__file__).parents[2] / "docs" / "rmm" / "datto.md"
SOURCE = "rmm/datto/main"
ALERT = "3d7f1b52-8a5e-4b3c-9d10-0123456789ab"
DEVICE = "c0ffee00-1111-4222-8333-444455556666"
SITE = "11aa22bb-3333-4444-8555-666677778888"
VALUES = {
    "alert_uid": ALERT,
    "device_uid": DEVICE,
    "site_uid": SITE,
    "platform": "Pinotage",
    "device_id": "991",
    "site_id": "17",
    "alert_type": "Patch",
    "alert_category": "Patch",
    "alert_priority": "High",
    "device_ip": "192.0.2.10",
    "device_os": "Microsoft Windows Server 2022 10.0.20348",
    "device_hostname": "ACME-FS02",
    "site_name": "Acme",
    "device_description": "",
    "last_user": "ACME\\jacob",
    "alert": "Patch monitor",
    "alert_message_en": "Patch KB5050000 failed: 0x80070643",
}


def rendered(event_type: str = "alert.raised", **values: str) -> bytes:
    """Return the template as Datto fills it in if it escapes nothing."""
    text = datto_template.template(event_type)  # type: ignore[arg-type]  # also what it should not be
    for variable, value in {**VALUES, **values}.items():
        text = text.replace(f"[{variable}]", value)
    return text.encode()


def escaped(event_type: str = "alert.raised", **values: str) -> bytes:
    """Return the template as Datto fills it in if it escapes soundly."""
    return rendered(event_type, **{key: json.dumps(value)[1:-1] for key, value in {**VALUES, **values}.items()})


def translation(body: bytes, words: Words | None = None) -> Translation:
    raw = delivery(body, vendor="datto")
    return translated(raw) if words is None else translated(raw, words)


def said(body: bytes, words: Words | None = None) -> list[Said]:
    result = translation(body, words)
    assert not result.problems
    return list(result.said)


def problem(body: bytes) -> str:
    result = translation(body)
    assert not result.said
    [only] = result.problems
    return only


def test_the_templates_of_the_document_the_reader_and_the_simulator_are_one() -> None:
    raised, resolved = re.findall(r"```json\n(\{.*?\}\n)```", DOCUMENT.read_text(), re.DOTALL)

    assert raised == datto_template.template("alert.raised")
    assert resolved == datto_template.template("alert.resolved")
    assert datto_webhooks.TEMPLATE.replace("<event>", "alert.raised") == raised


def test_the_ids_stand_before_everything_that_a_person_may_have_typed() -> None:
    assert [variable for _, variable in HEAD][:3] == ["alert_uid", "device_uid", "site_uid"]
    assert not {variable for _, variable in HEAD} & {"device_hostname", "site_name", "device_description", "alert"}
    assert TAIL[-1] == ("message", "alert_message_en")


UGLY = {
    "quotes": 'the "Patch" failed',
    "a path": "C:\\Windows\\Temp\\new\\users",
    "line ends": "one\r\ntwo\n\tthree",
    "a trailing backslash": "C:\\",
    "an escaped quote": '\\"',
    "another field": 'x","deviceUid":"00000000-0000-4000-8000-000000000000',
    "another alert": 'x","alertUid":"other","deviceUid":"other","siteUid":"other',
    "the mark of the message": 'x","message":"y',
    "the mark of the end": 'x","end":"patchline.datto/1"}',
    "a whole template": rendered().decode(),
    "an end and more": '"}]}',
    "a NUL": "x\x00y",
    "a lone surrogate as text": "\\ud800",
    "much": "KB5050000 " * 5000,
    "nothing": "",
    "umlauts and signs": "Übergröße ✓ 漢字",
}


@pytest.mark.parametrize("field", ["alert_message_en", "device_hostname", "site_name", "last_user", "alert"])
@pytest.mark.parametrize("text", UGLY.values(), ids=UGLY.keys())
def test_the_ids_survive_whatever_text_breaks_the_json(text: str, field: str) -> None:
    for body in (rendered(**{field: text}), escaped(**{field: text}), rendered(**{field: text.replace("\\", "")})):
        found = filled(body)

        assert (found.alert, found.device, found.site) == (ALERT, DEVICE, SITE)
        assert (found.event_type, found.kind, found.priority) == ("alert.raised", "Patch", "High")


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
NASTY = st.lists(
    st.one_of(
        st.sampled_from(['"', "\\", "\n", '","', '":"', '"}', "{", "}", '"message":"', '"end":"', "patchline.datto/1"]),
        st.sampled_from([f'"{name}":"' for name, _ in (*HEAD, *TAIL)]),
        st.text(max_size=5),
    ),
    max_size=25,
).map("".join)


@given(st.one_of(ANY_TEXT, NASTY), st.one_of(ANY_TEXT, NASTY), st.booleans())
@example('","message":"', '","end":"patchline.datto/1"}', False)
def test_any_text_leaves_the_ids_as_they_were(message: str, hostname: str, is_sound: bool) -> None:  # noqa: FBT001 - drawn
    text = {"alert_message_en": message, "device_hostname": hostname}
    body = escaped(**text) if is_sound else rendered(**text)

    found = filled(body.decode("utf-8", "surrogatepass").encode("utf-8", "replace"))

    assert (found.alert, found.device, found.site, found.event_type) == (ALERT, DEVICE, SITE, "alert.raised")
    if is_sound:
        assert found.message == message


@given(st.one_of(ANY_TEXT, NASTY))
def test_a_message_alone_is_read_as_it_is_or_not_at_all(message: str) -> None:
    found = filled(rendered(alert_message_en=message))

    try:
        sound = json.loads(f'"{message}"')
    except ValueError:
        sound = message
    assert found.message in {message, sound, None}


@given(st.sampled_from([variable for _, variable in HEAD]), NASTY)
def test_a_broken_id_is_refused_by_a_name_and_never_read_as_another(variable: str, text: str) -> None:
    """Datto's own fields hold no free text. Should one, what stands before it stands, or the delivery is refused."""
    result = translation(rendered(**{variable: text}))

    assert all(each.partition(":")[0] in {"alertUid", "deviceUid", *dict(HEAD)} for each in result.problems)
    wanted = {**VALUES, variable: text}
    for each in result.said:
        assert isinstance(each.event, rmm.AlertRaised | rmm.PatchInstallFailed | rmm.PatchRebootPending)
        assert (each.correlation, each.event.device) == (wanted["alert_uid"], wanted["device_uid"])


@given(st.binary(max_size=400))
def test_no_bytes_raise(body: bytes) -> None:
    assert translation(body).problems


@given(st.integers(0, len(rendered().rstrip()) - 1))
def test_a_body_that_was_cut_off_keeps_its_ids_or_names_what_is_missing(length: int) -> None:
    result = translation(rendered()[:length])

    assert {each.event.device for each in result.said} <= {DEVICE}
    assert bool(result.said) != bool(result.problems)
    assert not any(isinstance(each.event, rmm.PatchInstallFailed) for each in result.said)


BAD = {
    "empty": (b"", "schema"),
    "another schema": (rendered().replace(b"patchline.datto/1", b"patchline.datto/9"), "schema"),
    "a JSON string": (json.dumps(rendered().decode()).encode(), "schema"),
    "deep": (b"[" * 100_000, "schema"),
    "deep inside": (b'{"schema":' + b"[" * 100_000, "schema"),
    "a long number": (b'{"schema":' + b"9" * 10_000 + b"}", "schema"),
    "another event": (rendered("alert.muted"), "eventType"),
    "no alert": (rendered(alert_uid=""), "alertUid"),
    "an alert that was not filled in": (rendered(alert_uid="[alert_uid]"), "alertUid"),
    "a device that was not filled in": (rendered(device_uid="[device_uid]"), "deviceUid"),
    "no device": (rendered(device_uid=""), "deviceUid"),
    "a device with a blank": (rendered(device_uid="not an id"), "deviceUid"),
    "a device with a quote": (rendered(device_uid='a"b'), "siteUid"),
    "a device with a line end": (rendered(device_uid="a\nb"), "deviceUid"),
    "a site with a backslash": (rendered(site_uid="a\\b"), "siteUid"),
    "a site of many words": (rendered(site_uid="my site"), "siteUid"),
    "a long alert": (rendered(alert_uid="a" * 200), "alertUid"),
    "a field left out": (rendered().replace(b'"platform":"Pinotage",\n', b""), "platform"),
    "a priority with a control character": (rendered(alert_priority="Hi\x07gh"), "priority"),
    "fields in another order and broken": (
        rendered(alert_message_en='"').replace(b'"alertUid"', b'"a"').replace(b'"siteUid"', b'"alertUid"'),
        "alertUid",
    ),
}


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=BAD.keys())
def test_a_bad_delivery_is_refused_with_the_field(body: bytes, field: str) -> None:
    assert problem(body).startswith(f"{field}: ")


def test_a_problem_never_quotes_what_was_sent() -> None:
    assert "secret words" not in problem(rendered(device_uid="secret words"))


def test_sound_json_is_read_in_any_order_and_layout() -> None:
    shuffled = dict(reversed(json.loads(escaped(alert_message_en="a\\b")).items()))

    found = filled(json.dumps(shuffled, indent=2).encode())

    assert (found.alert, found.device, found.message) == (ALERT, DEVICE, "a\\b")


def test_a_customer_may_add_fields_at_the_end() -> None:
    body = rendered().replace(b'"ip":', b'"board":"Service",\n"ip":')

    assert [type(each.event) for each in said(body)] == [rmm.AlertRaised, rmm.PatchInstallFailed]


def test_ids_are_written_as_the_api_writes_them() -> None:
    assert filled(rendered(device_uid=DEVICE.upper())).device == DEVICE


def test_a_raised_alert() -> None:
    [raised] = said(rendered(alert_type="Disk Usage", alert_message_en="Drive C:\\ is full"))

    assert raised.event == rmm.AlertRaised(
        device=DEVICE,
        organisation=SITE,
        method=Method.WEBHOOK,
        confidence=Confidence.STATED,
        alert=ALERT,
        kind="Disk Usage",
        severity=Severity.HIGH,
    )
    assert (raised.time, raised.correlation) == (NOON, ALERT)
    assert raised.id == ids.event_id_of_vendor(SOURCE, f"alert/{ALERT}/alert.raised")


def test_a_resolved_alert_says_that_it_is_over_and_nothing_else() -> None:
    [reset] = said(rendered("alert.resolved"))

    assert reset.event == rmm.AlertReset(device=DEVICE, organisation=SITE, alert=ALERT, kind="Patch")


def test_a_repeat_is_the_same_event_whenever_it_comes() -> None:
    first = said(rendered())
    again = list(translated(delivery(rendered(), vendor="datto", received=NOON + HOUR)).said)

    assert [each.id for each in first] == [each.id for each in again]
    assert len({each.id for each in (*first, *said(rendered("alert.resolved")))}) == 3


@pytest.mark.parametrize("escape", list(datto_webhooks.Escaping))
def test_every_way_of_escaping_names_the_same_patch(escape: datto_webhooks.Escaping) -> None:
    message = 'Patch "2025-01 (KB5050000)" failed: 0x80070643\nC:\\Windows\\KB run by ACME\\svc'
    body = rendered(alert_message_en=datto_webhooks._escaped(message, escape))

    [_, failed] = said(body)

    patch = rmm.PatchRef(patch="KB5050000", kb="5050000")
    assert failed.event == rmm.PatchInstallFailed(device=DEVICE, organisation=SITE, patch=patch, code="0x80070643")


TOLD = {
    "a failed patch": ("Patch", "Patch KB5050000 failed", rmm.PatchInstallFailed),
    "a patch without a number": ("Patch", "A patch failed", None),
    "two patches": ("Patch", "KB5050000 installed, KB5050001 failed", None),
    "no word that we know": ("Patch", "KB5050000 is pending", None),
    "a claim in free text": ("Patch", "KB5050000 was installed", None),
    "a restart": ("Patch", "The device must reboot", rmm.PatchRebootPending),
    "failed for want of a restart": ("Patch", "KB5050000 failed: reboot first", None),
    "another monitor's failure": ("Event Log", "KB5050000 failed", None),
    "offline": ("Online Status", "Device went offline", rmm.DeviceOffline),
    "online": ("Online Status", "Device is online", None),
    "in doubt": ("Online Status", "Device was online and is offline", None),
}


@pytest.mark.parametrize(("kind", "message", "expected"), TOLD.values(), ids=TOLD.keys())
def test_what_an_alert_tells_besides(kind: str, message: str, expected: type[rmm.RmmEvent] | None) -> None:
    alert, *others = said(rendered(alert_type=kind, alert_message_en=message))

    assert isinstance(alert.event, rmm.AlertRaised)
    assert [type(each.event) for each in others] == ([] if expected is None else [expected])


def test_a_message_in_doubt_names_no_patch() -> None:
    body = rendered(device_description='x","message":"Patch KB5051111 failed')

    assert [type(each.event) for each in said(body)] == [rmm.AlertRaised]


def test_the_words_are_a_setting() -> None:
    words = Words.of({"patch_kinds": ["Mein Monitor"], "failed": ["Fehlschlag"]})

    [_, failed] = said(rendered(alert_type="mein monitor", alert_message_en="KB5050000: Fehlschlag"), words)

    assert isinstance(failed.event, rmm.PatchInstallFailed)
    with pytest.raises(ValueError, match="fialed: not one of"):
        Words.of({"fialed": []})


def test_a_word_list_that_is_none_of_ours_stops_the_process_with_its_name() -> None:
    settings = TranslateSettings.model_construct(ninjaone_patch_places={}, datto_words={"fialed": ["failed"]})

    with pytest.raises(WrongSetting, match=r"PATCHLINE_DATTO_WORDS: fialed: not one of"):
        translator(settings)


@pytest.mark.parametrize("value", ["", "[alert_type]"])
def test_without_a_type_the_category_tells(value: str) -> None:
    [alert, *_] = said(rendered(alert_type=value, alert_category="Security"))

    assert isinstance(alert.event, rmm.AlertRaised)
    assert alert.event.kind == "Security"


@pytest.mark.parametrize("value", ["", "[site_uid]"])
def test_without_a_site_what_is_known_of_the_device_counts(value: str) -> None:
    [alert, *_] = said(rendered(site_uid=value))

    assert alert.event.organisation is None


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("Critical", Severity.CRITICAL),
        ("High", Severity.HIGH),
        ("Moderate", Severity.MODERATE),
        ("Low", Severity.LOW),
        ("Information", Severity.UNKNOWN),
        ("Unknown", Severity.UNKNOWN),
        ("", Severity.UNKNOWN),
        ("P1", Severity.UNKNOWN),
    ],
)
def test_priorities(priority: str, severity: Severity) -> None:
    [alert, *_] = said(rendered(alert_priority=priority))

    assert isinstance(alert.event, rmm.AlertRaised)
    assert alert.event.severity is severity


def test_what_was_typed_in_our_own_format_before_is_still_understood() -> None:
    body = {"type": "device.offline", "timestamp": "2026-11-10T11:59:00Z", "data": {"device": "d1"}}

    [offline] = vendors.translated(delivery(body, vendor="datto"), vendors.adapters()).said

    assert offline.event == rmm.DeviceOffline(device="d1")


def test_a_bad_neighbour_spoils_nothing() -> None:
    bodies = [b"{", rendered(), b"\xff\xfe", rendered("alert.resolved")]

    results = [vendors.translated(delivery(body, vendor="datto"), vendors.adapters()) for body in bodies]

    assert [len(each.said) for each in results] == [0, 2, 0, 1]
    assert [bool(each.problems) for each in results] == [True, False, True, False]

"""An event survives its journey; what is not an event says which header or field is wrong."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope, decode, encode
from contracts.errors import UndecodableEvent, UnknownEventType
from contracts.events.asset import AssetRemoved
from contracts.events.rmm import PatchInstallFailed, PatchRef
from contracts.order import CLOCK_TOLERANCE, effective_at

NOON = datetime(2025, 1, 14, 12, tzinfo=UTC)


def envelope(**changes: object) -> Envelope:
    fields: dict[str, object] = {
        "id": UUID("11111111-1111-5111-8111-111111111111"),
        "source": "rmm/ninjaone/main",
        "subject": "4821",
        "time": NOON,
        "received": NOON + timedelta(seconds=3),
        "tenant": uuid4(),
        "sequence": 7,
        "causation": uuid4(),
        "correlation": "0190",
        "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        "data": PatchInstallFailed(device="4821", patch=PatchRef(patch="p", kb="5050009"), code="0x80240024"),
    }
    return Envelope(**{**fields, **changes})  # type: ignore[arg-type]  # a builder


def test_what_is_encoded_is_decoded_again() -> None:
    sent = envelope()
    message = encode(sent)

    assert decode(message.headers, message.value) == sent


def test_a_binary_event_has_the_standards_headers() -> None:
    headers = dict(encode(envelope()).headers)

    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"
    assert headers["ce_type"] == b"patch.install_failed.v1"
    assert headers["ce_time"] == b"2025-01-14T12:00:00.000000Z"


def test_a_removed_asset_is_a_null_value_with_headers() -> None:
    message = encode(envelope(data=AssetRemoved()), key="asset-1")

    assert message.value is None
    assert message.key == b"asset-1"
    assert decode(message.headers, None).data == AssetRemoved()


def test_what_a_removed_asset_was_merged_into_travels_as_a_header() -> None:
    message = encode(envelope(data=AssetRemoved(merged_into="asset-2")))

    assert (message.value, dict(message.headers)["ce_mergedinto"]) == (None, b"asset-2")
    assert decode(message.headers, None).data == AssetRemoved(merged_into="asset-2")


@pytest.mark.parametrize("value", [b"", b"\xff", b"a" * 513], ids=["empty", "no text", "too long"])
def test_a_wrong_field_in_a_header_is_named(value: bytes) -> None:
    message = encode(envelope(data=AssetRemoved()))

    with pytest.raises(UndecodableEvent, match=r"merged_?into"):
        decode([*message.headers, ("ce_mergedinto", value)], None)


@pytest.mark.parametrize(
    ("header", "value", "says"),
    [
        ("ce_id", None, "ce_id: the header is missing"),
        ("ce_id", b"nope", "ce_id: not a UUID"),
        ("ce_type", b"\xff", "ce_type: the header is not UTF-8"),
        ("ce_time", b"yesterday", "ce_time: not an RFC 3339 moment"),
        ("ce_time", b"2025-01-14T12:00:00", "ce_time: the moment has no time zone"),
        ("ce_sequence", b"many", "ce_sequence: not a whole number"),
        ("ce_tenantid", b"acme", "ce_tenantid: not a UUID"),
    ],
)
def test_a_wrong_header_is_named(header: str, value: bytes | None, says: str) -> None:
    message = encode(envelope())
    headers = [(n, v) for n, v in message.headers if n != header] + ([(header, value)] if value is not None else [])

    with pytest.raises(UndecodableEvent, match=says):
        decode(headers, message.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "value: a patch.install_failed.v1 has data"),
        (b"{", "body: Invalid JSON"),
        (b'{"device": "4821"}', "patch: Field required"),
        (b'{"device": "", "patch": {"patch": "p"}}', "device: String should have at least 1"),
        (b'{"device": "4821", "patch": {"patch": "p", "kb": "KB5"}}', r"patch\.kb: String should match"),
        (b'{"device": "a\\u0000", "patch": {"patch": "p"}}', "device: String should match"),
    ],
)
def test_a_wrong_field_is_named(value: bytes | None, says: str) -> None:
    with pytest.raises(UndecodableEvent, match=says):
        decode(encode(envelope()).headers, value)


def test_a_type_of_a_later_release_is_said_to_be_unknown() -> None:
    message = encode(envelope())
    headers = [(n, b"patch.levitated.v1" if n == "ce_type" else v) for n, v in message.headers]

    with pytest.raises(UnknownEventType, match=r"patch\.levitated\.v1"):
        decode(headers, message.value)


def test_a_field_of_a_later_release_is_ignored() -> None:
    message = encode(envelope())
    value = (message.value or b"").replace(b'{"device"', b'{"later":{"x":1},"device"', 1)

    assert decode(message.headers, value).data == envelope().data


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=40)), max_size=8), st.binary(max_size=200))
def test_any_bytes_are_an_event_or_a_clear_error(headers: list[tuple[str, bytes]], value: bytes) -> None:
    with pytest.raises(UndecodableEvent):
        decode(headers, value)


@pytest.mark.parametrize(
    ("ahead", "counts"),
    [
        (timedelta(0), timedelta(0)),
        (-timedelta(days=400), -timedelta(days=400)),
        (CLOCK_TOLERANCE, CLOCK_TOLERANCE),
        (CLOCK_TOLERANCE + timedelta(microseconds=1), CLOCK_TOLERANCE),
        (timedelta(days=27_000), CLOCK_TOLERANCE),
    ],
    ids=["at receipt", "long ago", "as far as is believed", "just too far", "dated 2099"],
)
def test_a_clock_ahead_of_receipt_is_believed_so_far(ahead: timedelta, counts: timedelta) -> None:
    assert effective_at(NOON + ahead, NOON) == NOON + counts

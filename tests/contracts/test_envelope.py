"""An event survives its journey; what is not an event says which header or field is wrong."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import asyncpg
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


OFFSETS = st.integers(min_value=-14 * 3600, max_value=14 * 3600).map(
    lambda seconds: timezone(timedelta(seconds=seconds))
)
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the offset is drawn beside it
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC) | OFFSETS,
)


@given(MOMENTS | MOMENTS.map(lambda at: at.replace(microsecond=0)), MOMENTS)
def test_any_moment_is_written_in_utc_to_the_microsecond(time: datetime, received: datetime) -> None:
    headers = dict(encode(envelope(time=time, received=received)).headers)

    for name, at in (("ce_time", time), ("ce_receivedtime", received)):
        assert (
            headers[name] == f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z".encode()
        )


def test_the_ids_of_a_database_driver_are_written_like_any_other() -> None:
    read = asyncpg.pgproto.pgproto.UUID("22222222-2222-5222-8222-222222222222")

    headers = dict(encode(envelope(id=read, tenant=read, causation=read)).headers)

    assert {headers["ce_id"], headers["ce_tenantid"], headers["ce_causationid"]} == {str(read).encode()}


def test_what_an_event_does_not_have_is_no_header() -> None:
    bare = envelope(tenant=None, sequence=None, causation=None, correlation=None, traceparent=None)

    assert not dict(encode(bare).headers).keys() & {
        "ce_tenantid",
        "ce_sequence",
        "ce_causationid",
        "ce_correlationid",
        "ce_traceparent",
        "traceparent",
        "ce_lane",
    }
    assert decode(encode(bare).headers, encode(bare).value) == bare


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

"""CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_` headers, JSON in the value.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2. A binary event without data is a null value, which on a
compacted topic removes the record: so an event of a type in `NULL_VALUE` travels as its headers alone, its fields among
them.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from contracts.errors import UndecodableEvent, UnknownEventType
from contracts.events import BY_TYPE, asset
from contracts.events.event import Event
from contracts.ids import spelled
from contracts.order import OrderKey, effective_at
from contracts.topics import Lane

Headers = Sequence[tuple[str, bytes]]

NULL_VALUE: Final = frozenset({asset.AssetRemoved.TYPE})
FIELD_BY_HEADER: Final = {
    f"ce_{name.replace('_', '')}": name for type_ in sorted(NULL_VALUE) for name in BY_TYPE[type_].model_fields
}
"""The fields that travel as headers: CloudEvents' attributes are named in lower-case letters and digits alone."""

SCHEMA_PREFIX: Final = "urn:patchline:schema:"
_usual_uuid: Final = TypeAdapter(UUID).validator.validate_python
"""Reads the usual spellings in a fifth of the time that `UUID` takes, which reads a few more."""
_LIVE: Final = Lane.LIVE
_BULK: Final = Lane.BULK
"""Named once: Python 3.11 looks a member of an enum up each time."""


class Envelope(NamedTuple):
    """An event with everything that is known about it but its content.

    `time` is when it happened (the vendor's word), `received` when we got the delivery that it came with; derived
    events carry those of their cause. `sequence` counts the changes of one aggregate; `None` on events without one.
    `lane` is how its delivery came, handed on from cause to effect: it says whose turn it is, never what is true.
    """

    id: UUID
    source: str
    subject: str
    time: datetime
    received: datetime
    data: Event
    tenant: UUID | None = None
    sequence: int | None = None
    causation: UUID | None = None
    correlation: str | None = None
    traceparent: str | None = None
    lane: Lane = Lane.LIVE

    @property
    def order(self) -> OrderKey:
        """Return where this stands among the facts of the same field."""
        return OrderKey(effective_at(self.time, self.received), self.id)


class Message(NamedTuple):
    """What goes into one Kafka record."""

    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None


def encode(envelope: Envelope, key: str | None = None) -> Message:
    """Return the record for `envelope`. `key` defaults to its subject."""
    content, received = envelope.data, _written(envelope.received)
    subject = envelope.subject.encode()
    headers = [
        *_headers_of_type(content.TYPE),
        ("ce_id", spelled(envelope.id).encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", subject),
        ("ce_time", received if envelope.time is envelope.received else _written(envelope.time)),
        ("ce_receivedtime", received),
    ]
    _add_optional(headers, envelope)
    written_key = key.encode() if key else subject
    if content.TYPE in NULL_VALUE:
        fields = content.model_dump(exclude_none=True)
        headers += [(name, str(fields[field]).encode()) for name, field in FIELD_BY_HEADER.items() if field in fields]
        return Message(key=written_key, headers=headers, value=None)
    value = content.__pydantic_serializer__.to_json(content, exclude_none=True)  # `model_dump_json`, at once as bytes
    return Message(key=written_key, headers=headers, value=value)


def _add_optional(headers: list[tuple[str, bytes]], envelope: Envelope) -> None:
    """Add what an event may have or not, in one order."""
    if envelope.tenant is not None:
        headers.append(("ce_tenantid", spelled(envelope.tenant).encode()))
    if envelope.sequence is not None:
        headers.append(("ce_sequence", str(envelope.sequence).encode()))
    if envelope.causation is not None:
        headers.append(("ce_causationid", spelled(envelope.causation).encode()))
    if envelope.correlation is not None:
        headers.append(("ce_correlationid", envelope.correlation.encode()))
    if envelope.traceparent is not None:
        traceparent = envelope.traceparent.encode()
        headers += [("ce_traceparent", traceparent), ("traceparent", traceparent)]
    if envelope.lane is not _LIVE:
        headers.append(("ce_lane", envelope.lane.encode()))


@cache
def _headers_of_type(type_: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
        ("ce_type", type_.encode()),
        ("ce_dataschema", f"{SCHEMA_PREFIX}{type_}".encode()),
    )


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """Return the event in one record.

    Raises:
        UnknownEventType: the type is not in this release.
        UndecodableEvent: a header or a field is missing or wrong; the text names it.
    """
    header = dict(headers)
    type_ = _text(header, "ce_type")
    model = BY_TYPE.get(type_)
    if model is None:
        raise UnknownEventType(f"ce_type: {type_!r} is not a type of this release")
    return Envelope(
        id=_uuid(header, "ce_id"),
        source=_text(header, "ce_source"),
        subject=_text(header, "ce_subject"),
        time=_moment(header, "ce_time"),
        received=_moment(header, "ce_receivedtime"),
        tenant=_uuid(header, "ce_tenantid") if "ce_tenantid" in header else None,
        sequence=_number(header, "ce_sequence") if "ce_sequence" in header else None,
        causation=_uuid(header, "ce_causationid") if "ce_causationid" in header else None,
        correlation=_text(header, "ce_correlationid") if "ce_correlationid" in header else None,
        traceparent=_text(header, "ce_traceparent") if "ce_traceparent" in header else None,
        lane=_BULK if header.get("ce_lane") == b"bulk" else _LIVE,
        data=_content(model, value, header),
    )


def _content(model: type[Event], value: bytes | None, header: dict[str, bytes]) -> Event:
    try:
        if model.TYPE in NULL_VALUE:
            names = FIELD_BY_HEADER.keys() & header.keys()
            return model.model_validate({FIELD_BY_HEADER[name]: _text(header, name) for name in names})
        if value is None:
            raise UndecodableEvent(f"value: a {model.TYPE} has data, this record has none")
        return model.__pydantic_validator__.validate_json(value)  # type: ignore[no-any-return]  # as `_usual_uuid`
    except ValidationError as error:
        raise UndecodableEvent(described(error)) from error


def described(error: ValidationError) -> str:
    """Return one line that names each wrong field and what it should have been, never the value itself."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)[:5]
    )


_USUAL_LENGTH: Final = len('"2026-01-01T00:00:00.000000Z"')


def _written(at: datetime) -> bytes:
    """Return a moment in UTC, to the microsecond."""
    text = to_json(at)
    if len(text) == _USUAL_LENGTH and text.endswith(b'Z"'):
        return text[1:-1]  # the same in a third of the time, where it is in UTC and has microseconds
    return at.astimezone(UTC).isoformat(timespec="microseconds").encode().replace(b"+00:00", b"Z")


def _text(header: dict[str, bytes], name: str) -> str:
    try:
        return header[name].decode()
    except KeyError as error:
        raise UndecodableEvent(f"{name}: the header is missing") from error
    except (UnicodeDecodeError, AttributeError) as error:
        raise UndecodableEvent(f"{name}: the header is not UTF-8 text") from error


def _uuid(header: dict[str, bytes], name: str) -> UUID:
    text = _text(header, name)
    try:
        return _usual_uuid(text)  # type: ignore[no-any-return]  # a validator does not say what it makes
    except ValidationError:
        return _unusual_uuid(text, name)


def _unusual_uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UndecodableEvent(f"{name}: not a UUID") from error


def _number(header: dict[str, bytes], name: str) -> int:
    try:
        return int(_text(header, name))
    except UndecodableEvent:
        raise
    except ValueError as error:
        raise UndecodableEvent(f"{name}: not a whole number") from error


def _moment(header: dict[str, bytes], name: str) -> datetime:
    try:
        at = datetime.fromisoformat(_text(header, name))
    except UndecodableEvent:
        raise
    except ValueError as error:
        raise UndecodableEvent(f"{name}: not an RFC 3339 moment") from error
    if at.tzinfo is None:
        raise UndecodableEvent(f"{name}: the moment has no time zone")
    return at

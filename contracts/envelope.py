"""CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_` headers, JSON in the value.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2. A binary event without data is a null value, which on a
compacted topic removes the record: so an event of a type in `NULL_VALUE` travels as its headers alone, its fields among
them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from contracts.errors import UndecodableEvent, UnknownEventType
from contracts.events import BY_TYPE, asset
from contracts.events.event import Event
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes into one Kafka record."""

    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None


def encode(envelope: Envelope, key: str | None = None) -> Message:
    """Return the record for `envelope`. `key` defaults to its subject."""
    type_ = envelope.data.TYPE
    headers = [
        *_headers_of_type(type_),
        ("ce_id", str(envelope.id).encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", _written(envelope.time)),
        ("ce_receivedtime", _written(envelope.received)),
    ]
    optional = {
        "ce_tenantid": envelope.tenant,
        "ce_sequence": envelope.sequence,
        "ce_causationid": envelope.causation,
        "ce_correlationid": envelope.correlation,
        "ce_traceparent": envelope.traceparent,
        "traceparent": envelope.traceparent,
        "ce_lane": None if envelope.lane is Lane.LIVE else envelope.lane,
    }
    headers += [(name, str(value).encode()) for name, value in optional.items() if value is not None]
    if type_ in NULL_VALUE:
        fields = envelope.data.model_dump(exclude_none=True)
        headers += [(name, str(fields[field]).encode()) for name, field in FIELD_BY_HEADER.items() if field in fields]
        return Message(key=(key or envelope.subject).encode(), headers=headers, value=None)
    content = envelope.data
    value = content.__pydantic_serializer__.to_json(content, exclude_none=True)  # `model_dump_json`, at once as bytes
    return Message(key=(key or envelope.subject).encode(), headers=headers, value=value)


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
        lane=Lane.BULK if header.get("ce_lane") == b"bulk" else Lane.LIVE,
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


def _written(at: datetime) -> bytes:
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

"""One delivery as it was received: its bytes sealed in the value, what is known about them in the headers.

The raw topics are the evidence and the replay source. A raw record is not a CloudEvent: nothing has been understood
yet. It never carries a signature or a secret. Only the gateway opens bodies: it alone has the keys.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from contracts.errors import UndecodableEvent

PLAIN: Final = "plain"
"""The key id of a body that is not sealed: records from before bodies were. None is written any more."""

IDENTITY: Final = "identity"
DEFLATE: Final = "deflate"

Encoding = Literal["identity", "deflate"]
"""How the bytes were packed before they were sealed. Source: RFC 1950 for `deflate`, as in HTTP."""

Channel = Literal["webhook", "poll"]
RecordHeaders = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDelivery:
    """A delivery. `delivery` is the vendor's own id of it, where its protocol has one (`webhook-id`).

    `body` is what the record holds: sealed with the key `key_id`, or nothing where `blob` names the hash under which a
    body too large for a record is kept.
    """

    raw_id: UUID
    vendor: str
    source: str
    received: datetime
    channel: Channel
    body: bytes
    delivery: str | None = None
    traceparent: str | None = None
    encoding: Encoding = IDENTITY
    key_id: str = PLAIN
    blob: str | None = None


def headers_of(delivery: RawDelivery) -> RecordHeaders:
    """Return the record headers of `delivery`; its value is the body."""
    own = own_headers(
        str(delivery.raw_id), delivery.received, delivery=delivery.delivery, traceparent=delivery.traceparent
    )
    shared = shared_headers(
        vendor=delivery.vendor,
        source=delivery.source,
        channel=delivery.channel,
        encoding=delivery.encoding,
        key_id=delivery.key_id,
    )
    return own + shared + ([] if delivery.blob is None else [blob_header(delivery.blob)])


def own_headers(raw_id: str, received: datetime, *, delivery: str | None, traceparent: str | None) -> RecordHeaders:
    """Return the headers that belong to one delivery alone."""
    headers = [
        ("raw_id", raw_id.encode()),
        ("received", received.astimezone(UTC).isoformat(timespec="microseconds").encode()),
    ]
    if delivery is not None:
        headers.append(("delivery", delivery.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


def shared_headers(
    *, vendor: str, source: str, channel: Channel, encoding: Encoding = IDENTITY, key_id: str = PLAIN
) -> RecordHeaders:
    """Return the headers that all deliveries of a source share."""
    return [
        ("vendor", vendor.encode()),
        ("source", source.encode()),
        ("channel", channel.encode()),
        ("encoding", encoding.encode()),
        ("key_id", key_id.encode()),
    ]


def blob_header(blob: str) -> tuple[str, bytes]:
    """Return the header of a record whose body is kept elsewhere, under this hash."""
    return "blob", blob.encode()


def delivery_of(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> RawDelivery:
    """Return the delivery in one raw record, its body as it stands there: sealed.

    Raises:
        UndecodableEvent: a header is missing or wrong, or the body is packed in a way unknown here.
    """
    try:
        header = {name: raw.decode() for name, raw in headers}
        encoding = _encoding(header["encoding"])
        return RawDelivery(
            raw_id=UUID(header["raw_id"]),
            vendor=header["vendor"],
            source=header["source"],
            received=_moment(header["received"]),
            channel=_channel(header["channel"]),
            body=value or b"",
            delivery=header.get("delivery"),
            traceparent=header.get("traceparent"),
            encoding=encoding,
            key_id=_key_id(header["key_id"]),
            blob=header.get("blob"),
        )
    except KeyError as error:
        raise UndecodableEvent(f"{error.args[0]}: the header of the raw record is missing") from error
    except (UnicodeDecodeError, AttributeError) as error:
        raise UndecodableEvent("headers: not UTF-8 text") from error
    except ValueError as error:
        if isinstance(error, UndecodableEvent):
            raise
        raise UndecodableEvent(f"headers: {error}") from error


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise UndecodableEvent("received: the moment has no time zone")
    return at


def _channel(text: str) -> Channel:
    match text:
        case "webhook" | "poll":
            return text
        case _:
            raise UndecodableEvent(f"channel: {text!r} is not known here")


def _key_id(text: str) -> str:
    if text != PLAIN and str(UUID(text)) != text:
        raise UndecodableEvent(f"key_id: {text!r} is not written as key ids are")
    return text


def _encoding(text: str) -> Encoding:
    match text:
        case "identity" | "deflate":
            return text
        case _:
            raise UndecodableEvent(f"encoding: {text!r} is not known here")

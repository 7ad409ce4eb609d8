"""One delivery as it was received: bytes untouched in the value, what is known about them in the headers.

The raw topics are the evidence and the replay source. A raw record is not a CloudEvent: nothing has been understood
yet. It never carries a signature or a secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from contracts.errors import UndecodableEvent

PLAIN: Final = "plain"
"""The key id of a body that is not encrypted (only simulated sources, until the promises land)."""

Channel = Literal["webhook", "poll"]
RecordHeaders = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDelivery:
    """A delivery. `delivery` is the vendor's own id of it, where its protocol has one (`webhook-id`)."""

    raw_id: UUID
    vendor: str
    source: str
    received: datetime
    channel: Channel
    body: bytes
    delivery: str | None = None
    traceparent: str | None = None
    encoding: str = "identity"
    key_id: str = PLAIN


def headers_of(delivery: RawDelivery) -> RecordHeaders:
    """Return the record headers of `delivery`; its value is the body."""
    own = own_headers(
        str(delivery.raw_id), delivery.received, delivery=delivery.delivery, traceparent=delivery.traceparent
    )
    return own + shared_headers(
        vendor=delivery.vendor,
        source=delivery.source,
        channel=delivery.channel,
        encoding=delivery.encoding,
        key_id=delivery.key_id,
    )


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
    *, vendor: str, source: str, channel: Channel, encoding: str = "identity", key_id: str = PLAIN
) -> RecordHeaders:
    """Return the headers that all deliveries of a source share."""
    return [
        ("vendor", vendor.encode()),
        ("source", source.encode()),
        ("channel", channel.encode()),
        ("encoding", encoding.encode()),
        ("key_id", key_id.encode()),
    ]


def delivery_of(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> RawDelivery:
    """Return the delivery in one raw record.

    Raises:
        UndecodableEvent: a header is missing or wrong, or the body is encoded or encrypted in a way unknown here.
    """
    try:
        header = {name: raw.decode() for name, raw in headers}
        if header["encoding"] != "identity" or header["key_id"] != PLAIN:
            raise UndecodableEvent(f"encoding: {header['encoding']!r} with key {header['key_id']!r} is not known here")
        channel: Channel = "poll" if header["channel"] == "poll" else "webhook"
        return RawDelivery(
            raw_id=UUID(header["raw_id"]),
            vendor=header["vendor"],
            source=header["source"],
            received=datetime.fromisoformat(header["received"]),
            channel=channel,
            body=value or b"",
            delivery=header.get("delivery"),
            traceparent=header.get("traceparent"),
        )
    except KeyError as error:
        raise UndecodableEvent(f"{error.args[0]}: the header of the raw record is missing") from error
    except (UnicodeDecodeError, AttributeError) as error:
        raise UndecodableEvent("headers: not UTF-8 text") from error
    except ValueError as error:
        if isinstance(error, UndecodableEvent):
            raise
        raise UndecodableEvent(f"headers: {error}") from error

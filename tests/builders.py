"""Events as tests need them: only what a test is about is stated, the rest is ordinary."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from chassis.batch import Batch, decoded
from contracts import ids
from contracts.envelope import Envelope, decode, encode
from contracts.events import rmm
from contracts.events.client import ClientChanged
from contracts.events.event import Event
from contracts.raw import Channel, RawDelivery, delivery_of, headers_of

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SOURCE = "rmm/ninjaone/main"
ACME = ids.tenant_id("Acme Dental")
BIRCH = ids.tenant_id("Birch Law")


def event(
    content: Event,
    *,
    subject: str,
    at: datetime = NOON,
    received: datetime | None = None,
    source: str = SOURCE,
    tenant: UUID | None = ACME,
    sequence: int | None = None,
    traceparent: str | None = None,
    event_id: UUID | None = None,
) -> Envelope:
    """Return `content` in its envelope; said again with the same arguments it is the same event."""
    return Envelope(
        id=event_id or ids.event_id_of_fields(source, content.TYPE, at, subject, content.model_dump_json()),
        source=source,
        subject=subject,
        time=at,
        received=received or at + timedelta(seconds=2),
        data=content,
        tenant=tenant,
        sequence=sequence,
        traceparent=traceparent,
    )


def of_device(
    content: rmm.RmmEvent,
    *,
    at: datetime = NOON,
    received: datetime | None = None,
    source: str = SOURCE,
    tenant: UUID | None = ACME,
    event_id: UUID | None = None,
) -> Envelope:
    """Return an RMM event about its device."""
    return event(
        content, subject=content.device, at=at, received=received, source=source, tenant=tenant, event_id=event_id
    )


def client_changed(name: str, *, sequence: int, tenant: UUID = ACME, at: datetime = NOON) -> Envelope:
    """Return the record of a client."""
    changed = ClientChanged(name=name, zone="Europe/Berlin")
    return event(changed, subject=str(tenant), source="patchline/gateway", tenant=tenant, sequence=sequence, at=at)


@dataclass(frozen=True)
class KafkaRecord:
    """A record as the consumer hands it over."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    topic: str = "rmm.events"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    timestamp: int = field(default=0)


def record_of(envelope: Envelope, *, offset: int = 0, topic: str = "rmm.events") -> KafkaRecord:
    """Return the Kafka record that carries `envelope`."""
    message = encode(envelope)
    return KafkaRecord(value=message.value, headers=message.headers, topic=topic, offset=offset, key=message.key)


def batch_of(events: Sequence[Envelope], *, recorded_at: datetime = NOON + HOUR) -> Batch[Envelope]:
    """Return a batch as a consumer makes it of the records of `events`: encoded, then each decoded alone."""
    return decoded([record_of(each, offset=offset) for offset, each in enumerate(events)], decode, recorded_at)


def delivery(
    body: object,
    *,
    vendor: str = "ninjaone",
    source: str | None = None,
    received: datetime = NOON,
    channel: Channel = "webhook",
    raw_id: UUID | None = None,
    webhook_id: str | None = None,
) -> RawDelivery:
    """Return a delivery of `body`: bytes as they are, anything else as JSON."""
    return RawDelivery(
        raw_id=raw_id or ids.new_raw_id(),
        vendor=vendor,
        source=source or f"rmm/{vendor}/main",
        received=received,
        channel=channel,
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        delivery=webhook_id,
    )


def raw_batch_of(deliveries: Sequence[RawDelivery], *, recorded_at: datetime = NOON + HOUR) -> Batch[RawDelivery]:
    """Return a batch as a consumer makes it of raw records."""
    records = [
        KafkaRecord(value=each.body, headers=headers_of(each), topic="rmm.raw", offset=offset)
        for offset, each in enumerate(deliveries)
    ]
    return decoded(records, delivery_of, recorded_at)


def ninjaone_activity(
    code: str,
    *,
    number: int = 9004411,
    at: datetime = NOON,
    device: Mapping[str, object] | None = None,
    **changed: object,
) -> dict[str, object]:
    """Return an activity as NinjaOne's webhook sends it with expand=[device, organization]; `None` leaves a field out.

    Field names are the vendor's, values invented. `device` changes fields of the expanded device.
    """
    expanded: dict[str, object] = {
        "id": 4821,
        "organizationId": 17,
        "locationId": 21,
        "nodeClass": "WINDOWS_SERVER",
        "approvalStatus": "APPROVED",
        "offline": False,
        "displayName": "ACME-DC01",
        "systemName": "acme-dc01.acme.example",
        "references": {"organization": {"id": 17, "name": "Acme"}, "location": {"id": 21, "name": "HQ"}},
        **(device or {}),
    }
    body: dict[str, object] = {
        "id": number,
        "activityTime": at.timestamp() + 0.25,
        "deviceId": 4821,
        "seriesUid": "0b7b5f6e-3f0b-4f3b-9f44-2f6d1b9a7f10",
        "activityType": "PATCH_MANAGEMENT",
        "statusCode": code,
        "message": "Failed to install KB5050000",
        "data": {"message": {"code": "something", "params": {"start_date": 1767225600250}}},
        "device": {name: value for name, value in expanded.items() if value is not None},
        **changed,
    }
    return {name: value for name, value in body.items() if value is not None}


def rising(numbers: Sequence[int | None]) -> bool:
    """Return whether every event was numbered, each higher than the one before."""
    known = [each for each in numbers if each is not None]
    return len(known) == len(numbers) and all(one < following for one, following in pairwise(known))

"""The messages of the AsyncAPI document: events with their headers and schemas, raw deliveries, dead letters."""

import inspect
import json
from pathlib import Path
from typing import Any, Final

from contracts.envelope import NULL_VALUE, SCHEMA_PREFIX
from contracts.events.event import Event
from contracts.topics import Lane

KAFKA_BINDINGS: Final = "0.5.0"
RAW_DELIVERY: Final = "raw.delivery"
DEAD_LETTER: Final = "dead.letter"
_EXAMPLES: Final = Path(__file__).parent / "examples"

Part = dict[str, Any]

_MOMENT: Final = {"type": "string", "format": "date-time"}
_ID: Final = {"type": "string", "format": "uuid"}
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "string", "pattern": "^[0-9]+$"}
_TRACE: Final = {"type": "string", "description": "W3C trace context."}


def _of(kind: Part, description: str) -> Part:
    return {**kind, "description": description}


HEADERS: Final[Part] = {
    "type": "object",
    "description": "Attributes of a CloudEvent. Header values are UTF-8 bytes.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_receivedtime"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "content-type": {"type": "string", "const": "application/json"},
        "ce_id": _of(_ID, "Derived, not random: a repeat has the same id. Count distinct ids, never records."),
        "ce_source": _of(_TEXT, "Who says so: rmm/<vendor>/<name>, psa/<vendor>/<name>, or one of our services."),
        "ce_type": _of(_TEXT, "What happened, with its major version."),
        "ce_subject": _of(_TEXT, "What it happened to."),
        "ce_time": _of(_MOMENT, "When it happened, by the source's clock."),
        "ce_receivedtime": _of(_MOMENT, "When we received the delivery that it came with, or follows from."),
        "ce_dataschema": _of(_TEXT, "Which schema the value keeps."),
        "ce_tenantid": _of(_ID, "Whose it is: the client's id. Filter by it; the name is on the topic clients."),
        "ce_sequence": _of(_NUMBER, "Grows per key; not without gaps. Present where the channel says so."),
        "ce_causationid": _of(_ID, "The event that this one follows from."),
        "ce_correlationid": _of(_TEXT, "Ties together what belongs to the same trouble."),
        "ce_traceparent": _TRACE,
        "traceparent": _TRACE,
        "ce_lane": {
            "type": "string",
            "enum": [Lane.BULK.value],
            "description": "Present if it came with a resync, a first import or a replay. Says nothing about truth.",
        },
        "ce_mergedinto": _of(_ID, "Of asset.removed.v1: the asset that its device is now, by a merge or unmerge."),
        "replay_group": _of(_TEXT, "Present if it was replayed to one consumer group. Every other reader skips it."),
        "dlq_replay_of": _of(_TEXT, "The dead letter that was replayed."),
    },
    "additionalProperties": False,
}
_RAW_HEADERS: Final[Part] = {
    "type": "object",
    "required": ["raw_id", "received", "vendor", "source", "channel", "encoding", "key_id"],
    "properties": {
        "raw_id": _of(_ID, "A UUIDv7, minted at the door: what `patchline journey` takes."),
        "received": _of(_MOMENT, "When the door had it."),
        "vendor": _TEXT,
        "source": _TEXT,
        "channel": {"type": "string", "enum": ["webhook", "poll"]},
        "encoding": {"type": "string", "enum": ["identity", "deflate"], "description": "How it was packed first."},
        "key_id": _of(_TEXT, "The data key that sealed the body."),
        "delivery": _of(_TEXT, "The sender's own id of the delivery, where its protocol has one."),
        "blob": _of(_TEXT, "SHA-256 under which a body is kept that is too large for a record."),
        "traceparent": _TRACE,
        "replay_group": _of(_TEXT, "Present if it was replayed to one consumer group."),
        "dlq_replay_of": _of(_TEXT, "The dead letter that was replayed."),
    },
    "additionalProperties": False,
}
_DEAD_LETTER_HEADERS: Final[Part] = {
    "type": "object",
    "description": "The record's own headers, and why and where it was refused.",
    "required": ["dlq_id", "dlq_reason", "dlq_group", "dlq_topic", "dlq_partition", "dlq_offset", "dlq_at"],
    "properties": {
        "dlq_id": _of(_ID, "Derived from group and place: a letter that is written twice has the same id."),
        "dlq_reason": _of(_TEXT, "One line for people; never a value of the payload."),
        "dlq_group": _of(_TEXT, "The consumer group that refused it."),
        "dlq_topic": _TEXT,
        "dlq_partition": _NUMBER,
        "dlq_offset": _NUMBER,
        "dlq_at": _MOMENT,
    },
}


def message_of(event: type[Event]) -> Part:
    """Return the message of one type: its headers, its payload by reference to its schema, its committed example."""
    text = inspect.cleandoc(event.__doc__ or "")
    return {
        "name": event.TYPE,
        "title": event.TYPE,
        "summary": text.split("\n\n")[0].replace("\n", " "),
        "description": text,
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": "#/components/schemas/cloudEventHeaders"}, _own_headers(event)]},
        "payload": _payload(event),
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": KAFKA_BINDINGS}},
        **_examples(event),
    }


def raw_delivery() -> Part:
    """Return the message of a delivery as it was received. It is no CloudEvent: nothing is understood yet."""
    return {
        "name": RAW_DELIVERY,
        "title": "A delivery as it came",
        "summary": "Sealed bytes; only the gateway has the keys. Never a signature or a secret.",
        "contentType": "application/octet-stream",
        "headers": _RAW_HEADERS,
        "payload": {"type": "string", "format": "binary", "description": "Version, nonce, AES-256-GCM ciphertext."},
    }


def dead_letter() -> Part:
    """Return the message of what could not be handled."""
    return {
        "name": DEAD_LETTER,
        "title": "What could not be handled",
        "summary": "The refused record, whole: its own key, headers and value.",
        "contentType": "application/octet-stream",
        "headers": _DEAD_LETTER_HEADERS,
        "payload": {"type": "string", "format": "binary", "description": "The value of the refused record."},
    }


def _own_headers(event: type[Event]) -> Part:
    own = {"ce_type": event.TYPE, "ce_dataschema": f"{SCHEMA_PREFIX}{event.TYPE}"}
    return {"type": "object", "properties": {name: {"type": "string", "const": text} for name, text in own.items()}}


def _payload(event: type[Event]) -> Part:
    if event.TYPE in NULL_VALUE:
        return {"type": "null", "description": "A null value: on a compacted topic it removes the record."}
    return {"$ref": f"schemas/{event.TYPE}.json"}


def _examples(event: type[Event]) -> Part:
    """Return the committed example; a type whose example is still to be written has none here."""
    file = _EXAMPLES / f"{event.TYPE}.json"
    if not file.exists():
        return {}
    example = json.loads(file.read_text())
    return {"examples": [{"name": event.TYPE, "headers": example["headers"], "payload": example["value"]}]}

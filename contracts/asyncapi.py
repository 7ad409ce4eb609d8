"""The published contract of the topics: an AsyncAPI 3 document, generated from `topics`, `channels` and the events.

Committed as contracts/asyncapi.json; `python -m contracts.schemas write` writes it, `check` compares it.
Source: AsyncAPI 3.0.0; Kafka bindings 0.5.0; CloudEvents Kafka protocol binding 1.0.2.
"""

import json
from pathlib import Path
from typing import Any, Final

from contracts import channels, topics
from contracts.asyncapi_messages import DEAD_LETTER, HEADERS, RAW_DELIVERY, dead_letter, message_of, raw_delivery
from contracts.events import ALL
from contracts.topics import Topic

FILE: Final = Path(__file__).with_name("asyncapi.json")
KAFKA_BINDINGS: Final = "0.5.0"
DEAD_LETTERS: Final = "dead-letters"

Part = dict[str, Any]

_ABOUT: Final = """
    What Patchline publishes on Kafka, for anyone who subscribes. Every record of an event is a CloudEvent 1.0 in
    Kafka's binary mode: attributes in `ce_` headers, JSON in the value, one JSON Schema per type. Types end in a major
    version; within one only optional fields are added. How to read them: docs/analysts.md.
"""


def document() -> Part:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:patchline:contract:topics",
        "info": {
            "title": "Patchline: topics",
            "version": "1.0.0",
            "description": " ".join(_ABOUT.split()),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:19092",
                "protocol": "kafka",
                "description": "What `patchline up` starts. Elsewhere: your cluster's bootstrap servers.",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in topics.DECLARED} | {DEAD_LETTERS: _dead_letters()},
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": {"cloudEventHeaders": HEADERS}},
    }


def written() -> str:
    """Return the committed form of the document."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def problems() -> list[str]:
    """Return what is wrong: an event that travels nowhere, a topic that nobody describes, a stale document."""
    found = [
        f"{event.TYPE}: contracts/channels.py names no topic for it" for event in ALL if not channels.topics_of(event)
    ]
    found += [
        f"{topic.name}: contracts/channels.py does not say what it is about"
        for topic in topics.DECLARED
        if topic not in channels.ABOUT
    ]
    if found:
        return found
    if not FILE.exists() or FILE.read_text() != written():
        return [f"{FILE.name}: differs from topics and events; run: python -m contracts.schemas write"]
    return []


def _messages() -> Part:
    ours = {event.TYPE: message_of(event) for event in ALL}
    return ours | {RAW_DELIVERY: raw_delivery(), DEAD_LETTER: dead_letter()}


def _names_of(topic: Topic) -> list[str]:
    if topic in channels.UNUSED:
        return []
    return [RAW_DELIVERY] if topic in channels.RAW else [event.TYPE for event in channels.events_of(topic)]


def _channel(topic: Topic) -> Part:
    text = [channels.ABOUT[topic]]
    if topic in channels.UNUSED:
        text.append("Declared; nothing is written there in this release.")
    text += [f"Key: {topic.key}.", f"Order: {channels.order_of(topic)}", f"Kept: {_kept(topic)}"]
    if topic.has_dead_letters:
        text.append(f"What a reader of ours cannot handle goes to `{topic.dead_letters}`.")
    return {
        "address": topic.name,
        "title": topic.name,
        "summary": channels.ABOUT[topic],
        "description": "\n\n".join(text),
        "servers": [{"$ref": "#/servers/local"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names_of(topic)},
        "bindings": {"kafka": _kafka(topic)},
        "x-key": topic.key,
        "x-order": channels.order_of(topic),
    }


def _kept(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "compacted: the last record of each key, for ever."
    return f"{topic.retention_ms // topics.DAY_MS} days."


def _kafka(topic: Topic) -> Part:
    """Return the bindings of a channel. Replicas are a cluster's own: production demands three."""
    settings: Part = {"cleanup.policy": [topic.cleanup]}
    if topic.cleanup == "delete":
        settings["retention.ms"] = topic.retention_ms
    if topic.max_bytes is not None:
        settings["max.message.bytes"] = topic.max_bytes
    return {"partitions": topic.partitions, "topicConfiguration": settings, "bindingVersion": KAFKA_BINDINGS}


def _dead_letters() -> Part:
    sources = [topic.name for topic in topics.DECLARED if topic.has_dead_letters]
    [shape, *_] = topics.dead_letter_topics()
    about = "What a consumer group of ours could not handle, whole, with the reason."
    return {
        "address": "{topic}.dlq",
        "title": "<topic>.dlq",
        "summary": about,
        "description": f"{about} Look with `patchline dlq list`, bring back with `patchline dlq replay`.",
        "servers": [{"$ref": "#/servers/local"}],
        "parameters": {"topic": {"enum": sources, "description": "The topic that the record came from."}},
        "messages": {DEAD_LETTER: {"$ref": f"#/components/messages/{DEAD_LETTER}"}},
        "bindings": {
            "kafka": {
                "partitions": shape.partitions,
                "topicConfiguration": {"cleanup.policy": [shape.cleanup], "retention.ms": shape.retention_ms},
                "bindingVersion": KAFKA_BINDINGS,
            }
        },
        "x-key": shape.key,
        "x-order": "Per source partition, as they were refused.",
    }


def _operations() -> Part:
    """Return who sends and who receives, by service. Analysts receive what they like: they are not listed."""
    result: Part = {}
    for topic in topics.DECLARED:
        if topic in channels.UNUSED:
            continue
        result[f"{topic.producer}.sends.{topic.name}"] = _operation(topic, "send", topic.producer)
        for consumer in channels.consumers_of(topic):
            result[f"{consumer}.receives.{topic.name}"] = _operation(topic, "receive", consumer)
    return result


def _operation(topic: Topic, action: str, service: str) -> Part:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{service} {action}s {topic.name}",
        "tags": [{"name": service}],
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _names_of(topic)],
    }

"""What the page shows, put together from the two committed documents and the schemas."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts import asyncapi
from patchline.contract.fields import Field, fields_of

Part = Mapping[str, Any]

OPENAPI: Final = asyncapi.FILE.with_name("openapi.json")
SCHEMAS: Final = asyncapi.FILE.with_name("schemas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One type of record."""

    name: str
    anchor: str
    summary: str
    paragraphs: tuple[str, ...]
    fields: tuple[Field, ...]
    headers: tuple[Field, ...]
    schema: str
    example_headers: str
    example_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One topic."""

    address: str
    anchor: str
    summary: str
    key: str
    order: str
    kept: str
    partitions: int
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a door."""

    status: str
    description: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One path and method."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    proofs: tuple[tuple[str, str], ...]
    body: str
    example: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The whole page."""

    about: str
    headers: tuple[Field, ...]
    channels: tuple[Channel, ...]
    messages: tuple[Message, ...]
    doors: tuple[Door, ...]
    types: tuple[str, ...]


def view() -> View:
    """Return what the page shows, from the files that are committed."""
    topics, doors = json.loads(asyncapi.FILE.read_text()), json.loads(OPENAPI.read_text())
    components = topics["components"]
    return View(
        about=topics["info"]["description"],
        headers=tuple(fields_of(components["schemas"]["cloudEventHeaders"])),
        channels=tuple(_channel(each, topics["operations"]) for each in topics["channels"].items()),
        messages=tuple(_message(each) for each in components["messages"].values()),
        doors=tuple(
            _door(method, path, page[method], doors)
            for path, page in doors["paths"].items()
            for method in ("post", "get")
            if method in page
        ),
        types=tuple(each for each in doors["components"]["schemas"] if "." in each),
    )


def anchor(kind: str, name: str) -> str:
    """Return the name of a place on the page."""
    return f"{kind}-{''.join(char if char.isalnum() else '-' for char in name)}"


def _channel(named: tuple[str, Part], operations: Part) -> Channel:
    name, channel = named
    ours = [each for each in operations.values() if each["channel"]["$ref"] == f"#/channels/{name}"]
    settings = channel["bindings"]["kafka"]["topicConfiguration"]
    return Channel(
        address=channel["title"],
        anchor=anchor("topic", name),
        summary=channel["summary"],
        key=channel["x-key"],
        order=channel["x-order"],
        kept=_kept(settings),
        partitions=channel["bindings"]["kafka"]["partitions"],
        senders=tuple(each["tags"][0]["name"] for each in ours if each["action"] == "send"),
        receivers=tuple(each["tags"][0]["name"] for each in ours if each["action"] == "receive"),
        messages=tuple((each, anchor("message", each)) for each in channel["messages"]),
    )


def _kept(settings: Part) -> str:
    if settings["cleanup.policy"] == ["compact"]:
        return "compacted: the last record of each key, for ever"
    return f"{settings['retention.ms'] // 86_400_000} days"


def _message(message: Part) -> Message:
    name = message["name"]
    file = SCHEMAS / f"{name}.json"
    own = message["headers"]
    example = (message.get("examples") or [{"headers": None, "payload": None}])[0]
    return Message(
        name=name,
        anchor=anchor("message", name),
        summary=message["summary"],
        paragraphs=_paragraphs(message),
        fields=tuple(fields_of(json.loads(file.read_text()))) if file.exists() else (),
        headers=() if "allOf" in own else tuple(fields_of(own)),
        schema=f"schemas/{file.name}" if file.exists() else "",
        example_headers=_text(example["headers"]),
        example_value=_text(example["payload"]) if example["headers"] else "",
    )


def _paragraphs(message: Part) -> tuple[str, ...]:
    """Return what is said beyond the summary."""
    said = str(message.get("description", "")).split("\n\n")[1:]
    return tuple(each.replace("\n", " ") for each in said)


def _door(method: str, path: str, operation: Part, document: Part) -> Door:
    components = document["components"]
    body = _referred(operation.get("requestBody"), components["requestBodies"])
    content: Part = next(iter(body.get("content", {}).values()), {})
    proofs = [next(iter(each)) for each in operation["security"]]
    return Door(
        method=method.upper(),
        path=path,
        anchor=anchor("door", f"{method}{path}"),
        summary=operation["summary"],
        description=operation.get("description", ""),
        proofs=tuple(_proof(components["securitySchemes"][each]) for each in proofs),
        body=body.get("description", ""),
        example=_text(content.get("example")),
        answers=tuple(_answer(*each) for each in operation["responses"].items()),
    )


def _proof(scheme: Part) -> tuple[str, str]:
    name = scheme["name"] if scheme["type"] == "apiKey" else "authorization: Basic"
    return str(name), str(scheme["description"])


def _referred(body: Part | None, bodies: Part) -> Part:
    if body is None:
        return {}
    found: Part = bodies[body["$ref"].rpartition("/")[2]]
    return found


def _answer(status: str, response: Part) -> Answer:
    content: Sequence[Part] = tuple(response["content"].values())
    return Answer(status=status, description=response["description"], example=_text(content[0].get("example")))


def _text(value: object) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def files() -> list[Path]:
    """Return what lies beside the page: the documents and the schemas, as they are committed."""
    return [asyncapi.FILE, OPENAPI, *sorted(SCHEMAS.glob("*.json"))]

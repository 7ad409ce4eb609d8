"""What the doors take and answer, declared once: an OpenAPI 3.1 document, committed as contracts/openapi.json.

The answers are the ones that the doors give (`answers`, `agent_answers`), so that a word that changes there changes
here. `python -m checks.openapi write` writes it, `make check` compares and validates it.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import contracts
from services.gateway.door.answers import Answer
from services.gateway.door.connectwise_callbacks import SIGNATURE_HEADER
from services.gateway.door.openapi_bodies import BODIES, SCHEMAS
from services.gateway.door.openapi_routes import DOORS, Part, Route
from services.gateway.registry.schemes import DEFAULT_HEADER, DEFAULT_HEADER_OF

FILE: Final = Path(contracts.__file__).with_name("openapi.json")
PROBLEM: Final = "application/problem+json"


def document() -> Part:
    """Return the whole document."""
    paths: dict[str, Part] = {}
    for route in DOORS:
        named = [each for each in _PLACE if f"{{{each['name']}}}" in route.path]
        paths.setdefault(route.path, {"parameters": named} if named else {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Patchline: doors",
            "version": "1.0.0",
            "summary": "Where RMMs, PSAs and agents deliver, and where each process says how it is.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:18080", "description": "What `patchline up` starts."}],
        "tags": [{"name": name} for name in ("webhooks", "approvals", "agents", "health")],
        "paths": paths | _health(),
        "components": {
            "securitySchemes": _PROOFS,
            "requestBodies": BODIES,
            "schemas": {"Problem": _PROBLEM_SCHEMA, "Accepted": _ACCEPTED_SCHEMA, **SCHEMAS},
        },
    }


def written() -> str:
    """Return the committed form of the document."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


_NAMED: Final = "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
_PLACE: Final[list[Part]] = [
    {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": pattern},
    }
    for name, pattern, description in (
        (
            "vendor",
            _NAMED,
            "The product, for example ninjaone, datto, request-tracker, glpi-agent; patchline for scripts.",
        ),
        ("source", _NAMED, "Your name for this account of it, as given to `patchline source add`."),
        ("token", "^[A-Za-z0-9_.-]{1,1024}$", "As it stands in the link."),
    )
]
_PROOFS: Final[Part] = {
    "standardWebhooks": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks 1.0.0: HMAC-SHA256 over webhook-id, webhook-timestamp and body; the "
        "timestamp at most 5 minutes off.",
    },
    "staticHeader": {
        "type": "apiKey",
        "in": "header",
        "name": DEFAULT_HEADER,
        "description": "A secret in a header, for RMMs that cannot sign. The header's name can be chosen.",
    },
    "hmacSha256": {
        "type": "apiKey",
        "in": "header",
        "name": DEFAULT_HEADER_OF["request-tracker"],
        "description": "HMAC-SHA256 over the body alone, in hex: what a scrip or a detector can make. The header's "
        "name can be chosen.",
    },
    "connectwiseCallback": {
        "type": "apiKey",
        "in": "header",
        "name": SIGNATURE_HEADER.decode(),
        "description": "Signed with ConnectWise's own key, fetched from a host that the source names.",
    },
    "agentPassword": {"type": "http", "scheme": "basic", "description": "User and password of the source's agents."},
}
_PROBLEM_SCHEMA: Final[Part] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do, for people."},
    },
}
_ACCEPTED_SCHEMA: Final[Part] = {
    "type": "object",
    "required": ["raw_id"],
    "properties": {
        "raw_id": {"type": "string", "format": "uuid", "description": "What `patchline journey` takes."},
    },
}


def _operation(route: Route) -> Part:
    body = {} if route.body is None else {"requestBody": route.body}
    return {
        "operationId": route.operation,
        "summary": route.summary,
        "description": route.description,
        "tags": [route.tag],
        "security": [{name: []} for name in route.proofs],
        **body,
        "responses": _responses(route.answers),
    }


def _responses(given: Iterable[Answer]) -> Part:
    return {str(each.start["status"]): _response(each) for each in sorted(given, key=lambda one: one.start["status"])}


def _response(answer: Answer) -> Part:
    headers = {name.decode(): value.decode() for name, value in answer.start["headers"]}
    kind = headers.pop("content-type")
    text = answer.body["body"].decode()
    if kind.startswith("text/"):
        return {"description": _SAID[kind.partition(";")[0]], "content": {kind.partition(";")[0]: _TEXT}}
    content = json.loads(text)
    if kind != PROBLEM:
        is_accepted = "raw_id" in content
        schema = {"$ref": "#/components/schemas/Accepted"} if is_accepted else {"type": "object"}
        described = "It is durable." if is_accepted else "As the agent understands it."
        return {"description": described, "content": {kind: {"schema": schema, "example": content}}}
    headers.pop("content-length")
    return {
        "description": content["detail"],
        "headers": {name: {"schema": {"type": "string", "const": value}} for name, value in sorted(headers.items())},
        "content": {kind: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": content}},
    }


_TEXT: Final[Part] = {"schema": {"type": "string"}}
_SAID: Final = {"text/plain": "The decoded token: the address is ours.", "text/html": "A page for a person."}


def _health() -> Part:
    """Return what every process answers on a port of its own, beside its work."""
    said: dict[str, tuple[str, str]] = {
        "/live": ("Whether its loops still turn", "A loop has not turned for a minute: start the process again."),
        "/ready": ("Whether what it needs is there", "Something that it needs is away: leave it alone for now."),
    }
    server = [{"url": "http://127.0.0.1:18101", "description": "PATCHLINE_HEALTH_PORT of each process."}]
    text = {"text/plain": {"schema": {"type": "string"}}}
    pages = {
        path: {
            "servers": server,
            "get": {
                "operationId": path[1:],
                "summary": summary,
                "tags": ["health"],
                "security": [],
                "responses": {
                    "200": {"description": "Yes.", "content": text},
                    "503": {"description": wrong, "content": text},
                },
            },
        }
        for path, (summary, wrong) in said.items()
    }
    metrics = {
        "operationId": "metrics",
        "summary": "Its metrics, for Prometheus",
        "tags": ["health"],
        "security": [],
        "responses": {"200": {"description": "Prometheus' text format.", "content": text}},
    }
    return pages | {"/metrics": {"servers": server, "get": metrics}}

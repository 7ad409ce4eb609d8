"""The bodies of the OpenAPI document: Patchline's own format from the models that read it, others as they are."""

from typing import Any, Final

from services.gateway.vendors.patchline import MODEL_BY_TYPE, MOST_EVENTS

Part = dict[str, Any]

_COMMON: Final[Part] = {
    "timestamp": {"type": "string", "format": "date-time", "description": "When it happened. Without it the receipt."},
    "id": {"type": "string", "description": "Your own id of the event: a repeat is recognised by it."},
}


def _events() -> dict[str, Part]:
    """Return the schema of each type of Patchline's own format; its data is the event that it becomes."""
    spellings: dict[str, list[str]] = {}
    for spelling, model in MODEL_BY_TYPE.items():
        spellings.setdefault(model.TYPE, []).append(spelling)
    return {
        type_: {
            "type": "object",
            "required": ["type", "data"],
            "properties": {
                "type": {"type": "string", "enum": sorted(names, key=len)},
                **_COMMON,
                "data": {"$ref": f"schemas/{type_}.json"},
            },
        }
        for type_, names in spellings.items()
    }


_BY_TYPE: Final = _events()
SCHEMAS: Final[Part] = {
    **_BY_TYPE,
    "Event": {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in _BY_TYPE]},
    "Events": {
        "type": "object",
        "required": ["events"],
        "properties": {
            "timestamp": _COMMON["timestamp"],
            "events": {"type": "array", "maxItems": MOST_EVENTS, "items": {"$ref": "#/components/schemas/Event"}},
        },
    },
}
_OWN: Final[Part] = {"schema": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Event", "Events")]}}
_EXAMPLE: Final[Part] = {
    "type": "patch.install_failed",
    "timestamp": "2026-11-10T18:02:11Z",
    "data": {
        "device": "front-desk-1",
        "organisation": "Acme Dental",
        "patch": {"patch": "KB5050009", "kb": "5050009", "severity": "critical"},
        "code": "0x80070643",
    },
}
_EXPOSURE: Final[Part] = {
    "type": "exposure.found",
    "timestamp": "2026-11-20T08:00:00Z",
    "data": {"login": "robin@acme.example", "breach": "Forum 2026", "form": "plaintext", "secret": "invented-Secret-1"},
}
BODIES: Final[Part] = {
    "Rmm": {
        "required": True,
        "description": "What the RMM sends. Below: Patchline's own format, for templates that you type yourself.",
        "content": {"application/json": {**_OWN, "example": _EXAMPLE}, "*/*": {"schema": {}}},
    },
    "Psa": {
        "required": True,
        "description": "What the PSA, or our scrip or detector in it, sends: docs/psa/webhooks.md.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    "Exposures": {
        "required": True,
        "description": "What the feed sends: docs/exposures. Below: Patchline's own format. The secret is not kept.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": _EXPOSURE}, "*/*": {"schema": {}}},
    },
    "Approval": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["token", "decision"],
                    "properties": {
                        "token": {"type": "string"},
                        "decision": {"type": "string", "enum": ["approve", "refuse"]},
                    },
                }
            }
        },
    },
    "Inventory": {
        "required": True,
        "description": "XML or JSON, plain, zlib or gzip; told apart by its first bytes, not by its Content-Type.",
        "content": {
            kind: {"schema": {}}
            for kind in (
                "application/xml",
                "application/json",
                "application/x-compress-zlib",
                "application/x-compress-gzip",
            )
        },
    },
}
EXPOSURES: Final[Part] = {"$ref": "#/components/requestBodies/Exposures"}
APPROVAL_FORM: Final[Part] = {"$ref": "#/components/requestBodies/Approval"}
OWN_FORMAT: Final[Part] = {"$ref": "#/components/requestBodies/Rmm"}
TICKET_HINT: Final[Part] = {"$ref": "#/components/requestBodies/Psa"}
INVENTORY: Final[Part] = {"$ref": "#/components/requestBodies/Inventory"}

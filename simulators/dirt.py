"""What really arrives at a public address besides good webhooks: bodies that no program should have sent."""

import json
from typing import Any, Final, NamedTuple

_DEEP: Final = 5_000


class Ugly(NamedTuple):
    """A body, what is wrong with it, and how it declares itself."""

    name: str
    body: bytes
    content_type: str | None = "application/json"


def ugly_bodies(good: dict[str, Any], *, moment_field: str, kind_field: str) -> tuple[Ugly, ...]:
    """Return bodies that can never be understood, most of them made of one that could be.

    `moment_field` is the field of `good` that says when it happened, `kind_field` the one that says what.
    """
    written = json.dumps(good, separators=(",", ":"))
    return (
        Ugly("a proxy's error page", b"<html><head><title>502 Bad Gateway</title></head></html>", "text/html"),
        Ugly("nothing at all", b""),
        Ugly("cut off in the middle", written[: len(written) * 2 // 3].encode()),
        Ugly("a JSON string of JSON", json.dumps(written).encode()),
        Ugly("a list", json.dumps([good]).encode()),
        Ugly("a moment that is a word", json.dumps(good | {moment_field: "yesterday"}).encode()),
        Ugly("an impossible date", json.dumps(good | {moment_field: "2025-02-30T25:61:00Z"}).encode()),
        Ugly("a moment beyond all calendars", _with_number(good, moment_field, "1e300")),
        Ugly("a number of 400 digits", _with_number(good, moment_field, "9" * 400)),
        Ugly("an object where a word belongs", json.dumps(good | {kind_field: {"name": "scan"}}).encode()),
        Ugly("a NUL in a name", json.dumps(good | {kind_field: "scan\x00completed"}).encode()),
        Ugly("nested too deep", b'{"a":' * _DEEP + b"1" + b"}" * _DEEP),
        Ugly("a tab inside a Windows path", written.replace("{", '{"path":"C:\temp\\\\patch.log",', 1).encode()),
        Ugly("not UTF-8", written.replace("{", '{"user":"J\u00f6rg",', 1).encode("latin-1")),
    )


def ugly_templates(good: bytes) -> tuple[Ugly, ...]:
    """Return `good`, a filled-in template of Datto's, so that nothing says which alert or device it is about."""
    head, device, tail = good.partition(b'"deviceUid":"')
    return (
        Ugly("a template without a device", head + device + b"[device_uid]" + tail[tail.index(b'"') :]),
        Ugly("a template cut off before its device", head),
        Ugly("a template that somebody put in another order", good.replace(b'"schema":', b'"end":', 1)),
    )


def _with_number(good: dict[str, Any], field: str, number: str) -> bytes:
    return json.dumps(good | {field: "@"}).replace('"@"', number).encode()

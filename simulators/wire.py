"""Whole HTTP calls and answers, for the simulated APIs: each is an ASGI app that reads all and then answers at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from chassis.health import Receive, Scope, Send

_LARGEST_BODY_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A whole HTTP request; `path` is what is left below the instance's own."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


async def call_of(scope: Scope, receive: Receive) -> Call:
    """Read one request to its end."""
    return Call(
        method=scope["method"],
        path=scope["path"],
        query=flat(scope["query_string"]),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=await _body(receive),
    )


async def give(answer: Answer, send: Send) -> None:
    """Send one answer as JSON."""
    written = b"" if answer.status == 204 else json.dumps(answer.body, separators=(",", ":")).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(written)).encode())]
    head = head if written else []  # RFC 9110 section 8.6: no length where there is no content
    head += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": written})


def flat(encoded: bytes) -> dict[str, str]:
    """Return the fields of a query or a form; of one given twice, the last."""
    return {name: values[-1] for name, values in parse_qs(encoded.decode("latin-1")).items()}


def number(text: str | None, default: int) -> int:
    """Return a number of a query; `default` where it is none."""
    return int(text) if text is not None and text.isdecimal() else default


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more and sum(map(len, parts)) <= _LARGEST_BODY_BYTES:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)

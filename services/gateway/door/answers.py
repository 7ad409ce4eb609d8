"""What the door answers: 202 with the raw id, or an RFC 9457 problem that names what to do."""

import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer as its two ASGI messages."""

    start: Message
    body: Message


def answer(status: int, body: bytes, content_type: bytes, **headers: str) -> Answer:
    """Return an answer; `headers` by their names with `_` for `-`."""
    fields = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": status, "headers": fields}
    return Answer(start, {"type": "http.response.body", "body": body})


def problem(status: int, title: str, detail: str, **headers: str) -> Answer:
    """Return a problem of the type `about:blank`. Source: RFC 9457 sections 3 and 4.2.1."""
    body = json.dumps({"title": title, "status": status, "detail": detail}).encode()
    return answer(status, body, b"application/problem+json", **headers)


NOT_FOUND: Final = problem(
    404,
    "Not Found",
    "Deliver to /webhooks/rmm/{vendor}/{source}, /webhooks/psa/{vendor}/{source} or "
    "/webhooks/exposure/{vendor}/{source}.",
)
WRONG_METHOD: Final = problem(405, "Method Not Allowed", "Deliver with POST.", allow="POST")
NOT_BELIEVED: Final = problem(
    401,
    "Unauthorized",
    "The source is not known, its secret or signature is wrong, or the timestamp is more than 5 minutes off. Check the "
    "URL and the sender's clock, or give the sender a new secret: patchline source rotate VENDOR SOURCE.",
    www_authenticate="Signature",
)
TOO_SLOW: Final = problem(408, "Request Timeout", "Send the whole body within 10 seconds.", connection="close")
NOT_DURABLE: Final = problem(
    503, "Service Unavailable", "The delivery could not be stored in time. Send it again.", retry_after="5"
)
NOT_READY: Final = problem(
    503, "Service Unavailable", "The sources are not loaded yet. Send it again.", retry_after="5"
)

NO_KEY: Final = "no_key"
"""What became of a delivery whose source's key cannot be had now."""

_ACCEPTED_START: Final = answer(202, b"x" * 49, b"application/json").start


def accepted(raw_id: str) -> Answer:
    """Return the answer to a delivery that is durable, with the id under which it is kept."""
    body = b'{"raw_id":"%b"}' % raw_id.encode()
    return Answer(_ACCEPTED_START, {"type": "http.response.body", "body": body})


@cache
def too_large(largest_bytes: int) -> Answer:
    """Return the answer to a body over what its route takes."""
    return problem(413, "Content Too Large", f"Deliver at most {largest_bytes >> 20} MiB at once.")


def not_kept(outcome: str) -> Answer:
    """Return the answer to a delivery that is nowhere."""
    return NOT_READY if outcome == NO_KEY else NOT_DURABLE

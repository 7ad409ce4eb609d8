"""What stands between HTTP and the records of a sandbox ConnectWise PSA: logins, pages, faults, whole answers."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from chassis.health import Receive, Scope, Send
from simulators.connectwise_conditions import Row, Unreadable, ordered, parsed, projected
from simulators.connectwise_records import Wrong

LARGEST_PAGE: Final = 1000
USUAL_PAGE: Final = 25
LARGEST_BODY_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A whole HTTP request; `path` is what is left below the codebase."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_write(self) -> bool:
        """Return whether it is more than a question."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}

    def fields(self) -> Row:
        """Return the object in the body.

        Raises:
            Wrong: there is none.
        """
        found = self.document()
        if not isinstance(found, dict):
            raise Wrong(400, "InvalidObject", "an object is wanted")
        return found

    def document(self) -> Any:
        """Return what the body is.

        Raises:
            Wrong: it is no JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Wrong(400, "InvalidJson", "the body is no JSON") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. One that `is_lost` is cut off before its end."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    is_lost: bool = False


@dataclass(slots=True)
class Faults:
    """How often what goes wrong with the next calls; `AFTER` in a name means that the write was done.

    `limited`: any call gets 429; `broken_before`, `broken_after`: a write gets 500; `lost_after`: a write's answer is
    cut off; `broken_reads`: a read gets 503.
    """

    limited: int = 0
    retry_after_seconds: int = 1
    broken_before: int = 0
    broken_after: int = 0
    lost_after: int = 0
    broken_reads: int = 0

    def before(self, call: Call) -> Answer | None:
        """Return what comes instead of an answer; `None`: the call goes on."""
        if self.limited > 0:
            self.limited -= 1
            return Answer(429, None, {"retry-after": str(self.retry_after_seconds)})
        if call.is_write and self.broken_before > 0:
            self.broken_before -= 1
            return _broken(500)
        if not call.is_write and self.broken_reads > 0:
            self.broken_reads -= 1
            return _broken(503)
        return None

    def after(self, call: Call, answer: Answer) -> Answer:
        """Return what becomes of the answer to a call that was carried out."""
        if call.is_write and answer.status < 300:
            if self.broken_after > 0:
                self.broken_after -= 1
                return _broken(500)
            if self.lost_after > 0:
                self.lost_after -= 1
                return Answer(answer.status, answer.body, answer.headers, is_lost=True)
        return answer


def page_of(rows: Sequence[Row], call: Call, url: str) -> Answer:
    """Return one page of the rows that a call asks for, with `Link` headers to the next and the last one.

    Raises:
        Wrong: its conditions or its page are none.
    """
    try:
        test = parsed(call.query.get("conditions", ""))
    except Unreadable as error:
        raise Wrong(400, "ConditionInvalid", f"conditions: {error}") from error
    found = ordered([row for row in rows if test(row)], call.query.get("orderBy", ""))
    number, size = _positive(call, "page", 1), _positive(call, "pageSize", USUAL_PAGE)
    if size > LARGEST_PAGE:
        raise Wrong(400, "InvalidPageSize", f"pageSize may be {LARGEST_PAGE} at most")
    last = max(-(-len(found) // size), 1)
    shown = found[(number - 1) * size : number * size]
    links = [("next", number + 1), ("last", last)] if number < last else []
    link = ", ".join(f'<{url}?{urlencode({**call.query, "page": page})}>; rel="{rel}"' for rel, page in links)
    body = [projected(row, call.query.get("fields", "")) for row in shown]
    return Answer(200, body, {"link": link} if link else {})


def login_of(call: Call) -> tuple[str, str, str] | None:
    """Return company, public and private key of the Basic login `company+public:private`; `None`: there is none."""
    kind, _, coded = call.headers.get("authorization", "").partition(" ")
    try:
        name, _, private = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    company, plus, public = name.partition("+")
    return (company, public, private) if kind.lower() == "basic" and plus else None


async def read(scope: Scope, receive: Receive) -> Call:
    """Return the call that an ASGI server received."""
    parts: list[bytes] = []
    more = True
    while more and sum(map(len, parts)) <= LARGEST_BODY_BYTES:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Call(
        method=scope["method"],
        path=scope["path"],
        query={name: values[-1] for name, values in query.items()},
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(parts),
    )


async def write(send: Send, answer: Answer) -> None:
    """Send an answer; of a lost one half, after which the server can only hang up."""
    written = b"" if answer.status == 204 else json.dumps(answer.body, separators=(",", ":")).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(written)).encode())]
    head += [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    shown = written[: len(written) // 2] if answer.is_lost else written
    await send({"type": "http.response.body", "body": shown, "more_body": answer.is_lost})


def _broken(status: int) -> Answer:
    return Answer(status, {"code": "Unexpected", "message": "An unexpected error occurred.", "errors": None})


def _positive(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise Wrong(400, "InvalidParameter", f"{name} must be a positive number")
    return int(text)

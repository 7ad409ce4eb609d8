"""Answers that a program does not expect: whole HTTP messages, each well formed and wrong. Pure."""

import json
from typing import Final

_ERROR_TEXT: Final = b'{"error": {"code": "temporarilyUnavailable", "msg": "the proxy says so"}}'
_PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to go on.</body></html>"


def said(
    status: str, body: bytes = _ERROR_TEXT, kind: str = "application/json", *, retry_after: str | None = None
) -> bytes:
    """Return an answer with that status line, which says in JSON that there is an error unless it has another body."""
    asked = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{asked}\r\n"
    return head.encode() + body


def page() -> bytes:
    """Return what somebody answers who stands between: a page to sign in, and that all is well."""
    return said("200 OK", _PAGE, "text/html")


def half(body: bytes) -> bytes:
    """Return an answer that is whole by its length, and whose JSON is not."""
    return said("200 OK", body[: len(body) // 2])


def of_other_types(body: bytes) -> bytes:
    """Return an answer with the names of `body`, in which no value is of the type that it was."""
    try:
        return said("200 OK", json.dumps(_other(json.loads(body))).encode())
    except ValueError:
        return said("200 OK", b"7")


def _other(value: object) -> object:
    match value:
        case dict():
            return {key: _other(each) for key, each in value.items()}
        case str():
            return [7]
        case list():
            return "a list"
        case _:
            return {"seven": 7}

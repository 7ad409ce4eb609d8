"""A Roundup that answers what a script says: shapes of its answers, and the adapter connected to them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from chassis.http import Policy
from services.ticketing.adapters.roundup import Login, Roundup, Words, connect
from services.ticketing.records import Draft, Note, TicketRef

DRAFT = Draft(key="pl-x-g1", title="T", text="body", company="ACME", severity="critical", marker="pl-x-g1/1")
NOTE = Note(marker="pl-x-g1/2", text="more")
OPEN, CLOSED = TicketRef(id="7", is_open=True), TicketRef(id="7", is_open=False)
ETAG = {"etag": '"abc-gzip"'}


def refusal(status: int, text: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"status": status, "msg": text}})


def made(number: str) -> httpx.Response:
    return httpx.Response(201, json={"data": {"id": number, "link": f"https://desk.example/rest/data/x/{number}"}})


def element(*, status: str | None = "unread", messages: tuple[str, ...] = ("1",), **fields: object) -> httpx.Response:
    attributes: dict[str, Any] = {
        "correlation_key": "pl-x-g1",
        "client": "ACME",
        "status": None if status is None else {"id": "1", "name": status},
        "messages": [{"id": each} for each in messages],
    }
    return httpx.Response(200, json={"data": {"id": "7", "attributes": attributes | fields}}, headers=ETAG)


def changed() -> httpx.Response:
    """Return what Roundup answers to a change: the issue's number, and what it was set to."""
    return httpx.Response(200, json={"data": {"id": "7", "type": "issue", "attribute": {"messages": ["1", "2"]}}})


def page(*issues: dict[str, object]) -> httpx.Response:
    return httpx.Response(200, json={"data": {"collection": list(issues), "@total_size": len(issues)}})


class Script:
    """Answers each route with its next answer, the last one for ever, and keeps the requests."""

    def __init__(self, **answers: httpx.Response | list[httpx.Response]) -> None:
        self._answers = {route: each if isinstance(each, list) else [each] for route, each in answers.items()}
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        left = self._answers[route(request)]
        return left.pop(0) if len(left) > 1 else left[0]

    def bodies(self, method: str) -> list[dict[str, Any]]:
        return [json.loads(each.content) for each in self.requests if each.method == method]


def route(request: httpx.Request) -> str:
    """Return the name of the answers that this request gets."""
    match request.method, request.url.path.removeprefix("/desk/rest/data/").split("/"):
        case "GET", ["issue"]:
            return "find"
        case "GET", ["msg"]:
            return "find_message"
        case "GET", ["issue", _]:
            return "element"
        case "POST", ["msg"]:
            return "message"
        case "POST", ["issue", "@poe"]:
            return "reserve"
        case "POST", ["issue", *_]:
            return "create"
        case "PATCH", ["issue", _]:
            return "patch"
        case other:
            raise AssertionError(f"no such route: {other}")


@asynccontextmanager
async def tracker(script: Script, words: Words | None = None) -> AsyncIterator[Roundup]:
    connected = connect(
        "https://desk.example/desk/",
        login=Login("patchline", SecretStr("s3cret")),
        policy=Policy(attempts=1, calls_per_second=1000),
        words=words or Words(),
        transport=httpx.MockTransport(script),
    )
    try:
        yield connected
    finally:
        await connected.close()

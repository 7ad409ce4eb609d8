"""A Request Tracker that answers as a test says: recorded shapes of answers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from chassis.http import Policy
from services.ticketing.adapters.request_tracker import Names, RequestTracker, connect
from services.ticketing.records import Draft, Note, TicketRef

KEY = "pl-x-g1"
DRAFT = Draft(key=KEY, title="T", text="body", company="ACME", severity="critical", marker=f"{KEY}/1/open/e")
NOTE = Note(marker=f"{KEY}/2/append/e", text="more")
CLOSING = Note(marker=f"{KEY}/3/resolve/e", text="done")
OPEN, CLOSED = TicketRef(id="7", is_open=True), TicketRef(id="7", is_open=False)
NAMES = Names(queue="Patching")
CLOSED_STATUSES = frozenset({"resolved", "rejected"})


def custom(**values: list[str]) -> list[dict[str, object]]:
    return [{"id": "2", "name": name, "type": "customfield", "values": each} for name, each in values.items()]


def ticket(*, status: str = "open", number: int = 7, etag: str = '"41"', **fields: Any) -> httpx.Response:
    shown = {
        "id": number,
        "Status": status,
        "Subject": "T",
        "Queue": {"id": "3", "type": "queue"},
        "CustomFields": custom(CorrelationKey=[KEY], Client=["ACME"]),
        "_hyperlinks": [{"ref": "self", "id": number}, {"ref": "history"}],
    }
    return httpx.Response(200, json=shown | fields, headers={"etag": etag})


def listed(*items: object) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "count": len(items), "total": None, "pages": 0.0})


def said(number: int, marker: str) -> dict[str, object]:
    return {"id": str(number), "Type": "Comment", "Data": f"[{marker}]\n", "Creator": {"id": "patchline"}}


def status_set(number: int, status: str) -> dict[str, object]:
    return {"id": number, "Type": "Status", "Data": None, "NewValue": status, "Creator": {"id": "patchline"}}


QUEUE = httpx.Response(
    200, json={"id": 3, "TicketCustomFields": [{"id": "2", "name": n} for n in ("CorrelationKey", "Client")]}
)
FOUND = listed({"id": "7", "Status": "new", "CustomFields": custom(CorrelationKey=[KEY])})
MADE = httpx.Response(201, json={"id": "7", "type": "ticket", "_url": "http://elsewhere.example/REST/2.0/ticket/7"})
SAID = httpx.Response(201, json=["Comments added"])


class Script:
    """Answers each route with its next answer, the last one for ever, and keeps the requests."""

    def __init__(self, **answers: httpx.Response | list[httpx.Response]) -> None:
        healthy: dict[str, Any] = {"queue": QUEUE, "tickets": FOUND, "element": ticket(), "comment": SAID}
        self._answers: dict[str, list[httpx.Response]] = {
            route: each if isinstance(each, list) else [each] for route, each in (healthy | answers).items()
        }
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        left = self._answers[_route(request)]
        return left.pop(0) if len(left) > 1 else left[0]

    def sent(self, route: str) -> list[httpx.Request]:
        return [each for each in self.requests if _route(each) == route]

    def bodies(self, route: str) -> list[dict[str, Any]]:
        return [json.loads(each.content) for each in self.sent(route)]


def _route(request: httpx.Request) -> str:
    match request.method, request.url.path.removeprefix("/rt/REST/2.0/").split("/"):
        case "GET", ["ticket", _]:
            return "element"
        case "GET", [("queue" | "tickets" | "transactions") as route, *_]:
            return route
        case "POST", ["ticket"]:
            return "create"
        case "POST", ["ticket", _, ("comment" | "correspond") as route]:
            return route
        case "PUT", ["ticket", _]:
            return "put"
        case other:
            raise AssertionError(f"no such route: {other}")


@asynccontextmanager
async def tracker(script: Script, names: Names = NAMES) -> AsyncIterator[RequestTracker]:
    connected = connect(
        "https://desk.example/rt/",
        token=SecretStr("1-14-s3cret"),
        policy=Policy(attempts=1, calls_per_second=1000),
        names=names,
        transport=httpx.MockTransport(script),
    )
    try:
        yield connected
    finally:
        await connected.close()

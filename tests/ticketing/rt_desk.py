"""A real Request Tracker through a technician's eyes, and ticketing beside it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from pydantic import SecretStr

from chassis.http import Policy
from patchline.local.request_tracker import QUEUE
from patchline.local.request_tracker import RequestTracker as LocalRequestTracker
from services.ticketing.adapters import request_tracker as adapter
from services.ticketing.adapters.request_tracker import Names, RequestTracker
from tests.parts import Database
from tests.ticketing.desk import POLICY, AnyRoom, Issue, pooled

NAMES = Names(queue=QUEUE)


class RtDesk:
    """A technician with the rights of one."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    @classmethod
    @contextmanager
    def of(cls, local: LocalRequestTracker) -> "Iterator[Self]":
        headers = {"Authorization": f"token {local.technician_token}"}
        with httpx.Client(base_url=f"{local.url}REST/2.0/", headers=headers, trust_env=False, timeout=20) as client:
            yield cls(client)

    def numbers(self, key: str) -> list[str]:
        """Return the tickets that carry `key`."""
        asked = {"query": f"CF.{{CorrelationKey}} = '{key}'", "orderby": "id"}
        return [str(each["id"]) for each in self.get("tickets", asked)["items"]]

    def issue(self, key: str) -> Issue:
        """Return the only ticket that carries `key`."""
        [number] = self.numbers(key)
        return self.issue_of(number)

    def issue_of(self, number: str) -> Issue:
        shown = self.get(f"ticket/{number}")
        asked = {"fields": "Content", "per_page": "100", "orderby": "id"}
        parts = self.get(f"ticket/{number}/attachments", asked)["items"]
        values = {each["name"]: each["values"] for each in shown["CustomFields"]}
        return Issue(
            number=number,
            title=shown["Subject"],
            client="".join(values["Client"]),
            status=shown["Status"],
            notes=[each["Content"] for each in parts if each["Content"]],
        )

    def edit(self, number: str, **fields: object) -> None:
        """Change a ticket."""
        change = {name.capitalize() if name.islower() else name: value for name, value in fields.items()}
        answer = self.client.put(f"ticket/{number}", json=change)
        assert answer.status_code == 200, answer.text
        assert "Denied" not in answer.text

    def say(self, number: str, text: str, *, status: str | None = None, **more: object) -> None:
        """Write a comment on a ticket, as a person does."""
        said = {"Content": text, "ContentType": "text/plain"} | ({"Status": status} if status else {}) | more
        answer = self.client.post(f"ticket/{number}/comment", json=said)
        assert answer.status_code == 201, answer.text

    def superseders(self, number: str) -> list[str]:
        """Return the tickets that a ticket refers to."""
        return [str(each["id"]) for each in self.get(f"ticket/{number}")["_hyperlinks"] if each["ref"] == "refers-to"]

    def delete(self, number: str) -> None:
        self.edit(number, status="deleted")

    def create(self, key: str, **more: object) -> str:
        made = {"Queue": QUEUE, "Subject": "planted", "CustomFields": {"CorrelationKey": key, "Client": "x"}} | more
        answer = self.client.post("ticket", json=made)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class RtRoom(AnyRoom):
    """Ticketing beside Request Tracker."""

    local: LocalRequestTracker = field(kw_only=True)

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database, local: LocalRequestTracker) -> "AsyncIterator[Self]":
        async with pooled(database) as (pool, dsn):
            yield cls(pool=pool, dsn=dsn, local=local)

    def tracker(
        self,
        *,
        names: Names = NAMES,
        url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        token: str | None = None,
        policy: Policy = POLICY,
    ) -> RequestTracker:
        return connected(self.local, names=names, url=url, transport=transport, token=token, policy=policy)


def connected(
    local: LocalRequestTracker,
    *,
    names: Names = NAMES,
    url: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    token: str | None = None,
    policy: Policy = POLICY,
) -> RequestTracker:
    """Return the adapter on a real Request Tracker, as our own user."""
    secret = SecretStr(token or local.token)
    return adapter.connect(url or local.url, token=secret, policy=policy, names=names, transport=transport)


class Meddling(httpx.AsyncHTTPTransport):
    """Lets a person in just before a request of that method is sent."""

    def __init__(self, method: str, *persons: Any) -> None:
        super().__init__()
        self._method = method
        self.left = list(persons)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == self._method and self.left:
            await asyncio.to_thread(self.left.pop(0))
        return await super().handle_async_request(request)

"""The simulated NinjaOne API: OAuth2, paging and rows in the vendor's wire format, and the ways in which it fails.

One app serves several instances, each below its own path (`/main`, `/branch`), as the vendor's regions are separate.
`/_day` is the simulator's own door: POST chooses the day, PUT moves an instance through it or makes it fail.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from chassis.health import Receive, Scope, Send
from simulators.day import Day, day
from simulators.fleet import SOURCES, Source
from simulators.ninjaone_rows import Row, View
from simulators.script import NOW
from simulators.wire import Answer, Call, call_of, flat, give, number

CLIENT_ID: Final = "patchline-demo"
CLIENT_SECRET: Final = "simulated-client-secret"
TOKEN_SECONDS: Final = 3600
SILENCE_SECONDS: Final = 5.0
"""How long a silent instance lets its caller wait, until what stands before it gives up."""

RETRY_AFTER_SECONDS: Final = 1
_LARGEST_PAGE: Final = 1000

Mood = Literal["usual", "busy", "broken", "silent"]
"""How an instance answers: as it should; every third call 429; always 500; not at all."""


class Setting(BaseModel):
    """What `PUT /_day` sets of one instance."""

    source: str
    moment: AwareDatetime | None = None
    mood: Mood | None = None


class Casting(BaseModel):
    """Which day `POST /_day` makes all instances play, from its end."""

    seed: int
    devices: int = Field(ge=10, le=100_000)


class Instance:
    """One NinjaOne instance: its devices at its present moment, its tokens, its cursors and its mood."""

    def __init__(self, whole: Day, source: Source) -> None:
        """Show how the day ended, in its usual mood, until it is set otherwise."""
        self._day = whole
        self._source = source
        self._view = View(whole, source, NOW)
        self._mood: Mood = "usual"
        self._tokens: set[str] = set()
        self._cursors: dict[str, list[Row]] = {}
        self._calls = 0

    def set(self, setting: Setting) -> None:
        """Move through the day, or change the mood."""
        if setting.moment is not None:
            self._view = View(self._day, self._source, setting.moment)
            self._cursors.clear()
        if setting.mood is not None:
            self._mood = setting.mood

    async def answer(self, call: Call) -> Answer:
        """Answer one call of the API, or fail as the mood says."""
        self._calls += 1
        match self._mood:
            case "silent":
                await asyncio.sleep(SILENCE_SECONDS)
                return _error(504, "gateway timeout")
            case "broken":
                return _error(500, "internal error")
            case "busy" if self._calls % 3 == 0:
                return Answer(429, {"resultCode": "TOO_MANY_REQUESTS"}, {"retry-after": str(RETRY_AFTER_SECONDS)})
            case _:
                return self._answer(call)

    def token(self, form: Mapping[str, str]) -> Answer:
        """Give a token for the client's credentials. Source: RFC 6749 sections 4.4 and 5."""
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type"})
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return Answer(401, {"error": "invalid_client"})
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        scope = form.get("scope", "monitoring")
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": scope})

    def _answer(self, call: Call) -> Answer:
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
            return _error(401, "token is missing or expired")
        if call.method != "GET":
            return _error(405, "method not allowed")
        match call.path:
            case "/v2/devices-detailed":
                return self._devices(call.query)
            case "/v2/queries/os-patches":
                return self._page(call.query, self._view.missing(software=False))
            case "/v2/queries/software-patches":
                return self._page(call.query, self._view.missing(software=True))
            case "/v2/queries/os-patch-installs":
                return self._page(call.query, self._view.attempts(software=False))
            case "/v2/queries/software-patch-installs":
                return self._page(call.query, self._view.attempts(software=True))
            case "/v2/queries/device-health":
                return self._page(call.query, self._view.health())
            case _:
                return _error(404, "no such resource")

    def _devices(self, query: Mapping[str, str]) -> Answer:
        after, size = number(query.get("after"), 0), number(query.get("pageSize"), _LARGEST_PAGE)
        later = [row for row in self._view.devices() if row["id"] > after]
        return Answer(200, later[:size])

    def _page(self, query: Mapping[str, str], rows: list[Row]) -> Answer:
        """Return one page; a cursor names what is left, and its last page is empty."""
        size = min(number(query.get("pageSize"), _LARGEST_PAGE), _LARGEST_PAGE)
        name = query.get("cursor") or secrets.token_hex(8)
        if "cursor" in query and name not in self._cursors:
            return _error(400, "the cursor has expired")
        left = self._cursors.get(name, [row for row in rows if _wanted(row, query)])
        page, self._cursors[name] = left[:size], left[size:]
        cursor = {"name": name, "offset": 0, "count": len(page), "expires": TOKEN_SECONDS}
        return Answer(200, {"cursor": cursor, "results": page})


class Api:
    """The ASGI app of all simulated instances."""

    def __init__(self, whole: Day) -> None:
        """Serve every source of the fleet that has an API."""
        self.instances = _instances(whole)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await give(await self.answer(await call_of(scope, receive)), send)

    async def answer(self, call: Call) -> Answer:
        """Answer one call: of an instance, or at the simulator's own door."""
        if call.path == "/_day":
            return self._managed(call)
        _, name, *rest = call.path.split("/")
        instance, inner = self.instances.get(name), "/" + "/".join(rest)
        if instance is None:
            return _error(404, "no such instance")
        if call.method == "POST" and inner in {"/ws/oauth/token", "/oauth/token", "/v2/oauth/token"}:
            return instance.token(flat(call.body))
        return await instance.answer(replace(call, path=inner))

    def _managed(self, call: Call) -> Answer:
        """Answer at the simulator's own door."""
        try:
            match call.method:
                case "POST":
                    casting = Casting.model_validate_json(call.body)
                    self.instances = _instances(day(seed=casting.seed, devices=casting.devices))
                case "PUT":
                    setting = Setting.model_validate_json(call.body)
                    self.instances[setting.source].set(setting)
                case _:
                    return _error(405, "method not allowed")
        except (ValidationError, KeyError) as error:
            return _error(400, type(error).__name__)
        return Answer(200, {"instances": sorted(self.instances)})


def _instances(whole: Day) -> dict[str, Instance]:
    return {source.name: Instance(whole, source) for source in SOURCES if source.polls and source.vendor == "ninjaone"}


def _wanted(row: Row, query: Mapping[str, str]) -> bool:
    """Return whether the filters `status`, `installedAfter` and `installedBefore` let a row through."""
    installed_at: Any = row.get("installedAt")
    after, before = _moment(query.get("installedAfter")), _moment(query.get("installedBefore"))
    return (
        query.get("status", row.get("status")) == row.get("status")
        and (after is None or (installed_at is not None and installed_at > after))
        and (before is None or (installed_at is not None and installed_at < before))
    )


def _moment(text: str | None) -> float | None:
    """Return a filter's moment: epoch seconds, or an ISO date."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _error(status: int, message: str) -> Answer:
    return Answer(status, {"resultCode": "FAILURE", "errorMessage": message})

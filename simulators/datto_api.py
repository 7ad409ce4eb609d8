"""The simulated Datto RMM API: password grant, pages, rows in the vendor's wire format, and the ways in which it fails.

One app serves several accounts, each below its own path, as the vendor's platforms are separate. `/_day` is the
simulator's own door: POST chooses the day, PUT moves an account through it or makes it fail.
"""

import asyncio
import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from chassis.health import Receive, Scope, Send
from simulators.datto_rows import DattoView, Row
from simulators.day import Day, day
from simulators.fleet import SOURCES, Source
from simulators.script import NOW
from simulators.wire import Answer, Call, call_of, flat, give, number

CLIENT_ID: Final = "SIMULATEDAPIKEY0000000000000000"
CLIENT_SECRET: Final = "simulated-api-secret"
TOKEN_SECONDS: Final = 360_000
SILENCE_SECONDS: Final = 5.0
RETRY_AFTER_SECONDS: Final = 1
WINDOW_SECONDS: Final = 60
LIMIT: Final = 600
CUT_OFF: Final = 0.9
_LARGEST_PAGE: Final = 250
_SHORT_LIVED_CALLS: Final = 3
_BASIC: Final = "Basic " + base64.b64encode(b"public-client:public").decode()

Mood = Literal["usual", "busy", "crowded", "blocked", "forgetful", "broken", "silent"]
"""How an account answers: as it should; every third call 429; others have used up its calls; 403 to everything; each
token serves three calls; always 500; not at all."""


class Setting(BaseModel):
    """What `PUT /_day` sets of one account."""

    source: str
    moment: AwareDatetime | None = None
    mood: Mood | None = None


class Casting(BaseModel):
    """Which day `POST /_day` makes all accounts play, from its end."""

    seed: int
    devices: int = Field(ge=10, le=100_000)


class Account:
    """One Datto RMM account: its devices at its present moment, its tokens and its mood."""

    def __init__(self, whole: Day, source: Source) -> None:
        """Show how the day ended, in its usual mood, until it is set otherwise."""
        self._day = whole
        self._source = source
        self._view = DattoView(whole, source, NOW)
        self._mood: Mood = "usual"
        self._calls_left_by_token: dict[str, int] = {}
        self._calls = 0
        self._looks = 0

    def set(self, setting: Setting) -> None:
        """Move through the day, or change the mood."""
        if setting.moment is not None:
            self._view = DattoView(self._day, self._source, setting.moment)
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
                return _error(500, "Internal Server Error")
            case "blocked":
                return Answer(403, {"message": "Forbidden"}, {"retry-after": "300"})
            case "busy" if self._calls % 3 == 0:
                return Answer(429, {"message": "Too Many Requests"}, {"retry-after": str(RETRY_AFTER_SECONDS)})
            case _:
                return self._answer(call)

    def token(self, call: Call) -> Answer:
        """Give a token for an API key and its secret. Source: RFC 6749 sections 4.3 and 5."""
        form = flat(call.body)
        if call.headers.get("authorization") != _BASIC:
            return Answer(401, {"error": "unauthorized"})
        if form.get("grant_type") != "password":
            return Answer(400, {"error": "unsupported_grant_type"})
        if (form.get("username"), form.get("password")) != (CLIENT_ID, CLIENT_SECRET):
            return Answer(400, {"error": "invalid_grant", "error_description": "Bad credentials"})
        token = secrets.token_urlsafe(24)
        self._calls_left_by_token[token] = _SHORT_LIVED_CALLS if self._mood == "forgetful" else 2**31
        return Answer(
            200, {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS, "scope": "read"}
        )

    def _answer(self, call: Call) -> Answer:
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        if self._calls_left_by_token.get(token, 0) <= 0:
            return Answer(401, {"error": "invalid_token"})
        self._calls_left_by_token[token] -= 1
        if call.method != "GET":
            return _error(405, "Method Not Allowed")
        match call.path:
            case "/api/v2/system/request_rate":
                return self._rate()
            case "/api/v2/account/devices":
                return self._page(call, "devices", self._view.devices())
            case "/api/v2/account/alerts/open":
                return self._page(call, "alerts", self._view.open_alerts())
            case "/api/v2/account/alerts/resolved":
                return self._page(call, "alerts", self._view.resolved_alerts())
            case _:
                return _error(404, "Not Found")

    def _rate(self) -> Answer:
        """Tell how many calls the account has used; a crowded one is at its limit every other time."""
        self._looks += 1
        is_full = self._mood == "crowded" and self._looks % 2 == 1
        return Answer(
            200,
            {
                "accountUid": self._source.name,
                "slidingTimeWindowSizeSeconds": WINDOW_SECONDS,
                "accountCount": LIMIT if is_full else min(self._calls, LIMIT // 2),
                "accountRateLimit": LIMIT,
                "accountCutOffRatio": CUT_OFF,
            },
        )

    def _page(self, call: Call, name: str, rows: Sequence[Row]) -> Answer:
        """Return one page, and the whole address of the next as the vendor writes it."""
        size = max(1, min(number(call.query.get("max"), _LARGEST_PAGE), _LARGEST_PAGE))
        page = number(call.query.get("page"), 0)
        found = list(rows[page * size : (page + 1) * size])
        has_more = (page + 1) * size < len(rows)
        address = f"http://{call.headers.get('host', '127.0.0.1')}/{self._source.name}{call.path}"
        following = f"{address}?{urlencode({'max': size, 'page': page + 1})}"
        details = {
            "count": len(found),
            "totalCount": len(rows),
            "prevPageUrl": None,
            "nextPageUrl": following if has_more else None,
        }
        return Answer(200, {"pageDetails": details, name: found})


class Api:
    """The ASGI app of all simulated accounts."""

    def __init__(self, whole: Day, sources: Sequence[Source] = SOURCES) -> None:
        """Serve each of `sources` that is a Datto RMM account."""
        self._sources = [source for source in sources if source.polls and source.vendor == "datto"]
        self.instances = self._accounts(whole)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await give(await self.answer(await call_of(scope, receive)), send)

    def _accounts(self, whole: Day) -> dict[str, Account]:
        return {source.name: Account(whole, source) for source in self._sources}

    async def answer(self, call: Call) -> Answer:
        """Answer one call: of an instance, or at the simulator's own door."""
        if call.path == "/_day":
            return self._managed(call)
        _, name, *rest = call.path.split("/")
        account, inner = self.instances.get(name), "/" + "/".join(rest)
        if account is None:
            return _error(404, "no such account")
        if call.method == "POST" and inner == "/auth/oauth/token":
            return account.token(call)
        return await account.answer(replace(call, path=inner))

    def _managed(self, call: Call) -> Answer:
        """Answer at the simulator's own door."""
        try:
            match call.method:
                case "POST":
                    casting = Casting.model_validate_json(call.body)
                    self.instances = self._accounts(day(seed=casting.seed, devices=casting.devices))
                case "PUT":
                    setting = Setting.model_validate_json(call.body)
                    self.instances[setting.source].set(setting)
                case _:
                    return _error(405, "method not allowed")
        except (ValidationError, KeyError) as error:
            return _error(400, type(error).__name__)
        return Answer(200, {"instances": sorted(self.instances)})


def _error(status: int, message: str) -> Answer:
    return Answer(status, {"status": status, "message": message})

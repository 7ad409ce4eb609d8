"""A simulated Have I Been Pwned, API v3: domain search, stealer logs, a plan with its own pace, and its refusals.

Source: Have I Been Pwned API v3: headers (`hibp-api-key` is 32 hex digits), answers, 401, 403, 404, 429.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from chassis.health import Receive, Scope, Send
from simulators.wire import Answer, Call, call_of, give

API_KEY: Final = "0123456789abcdef0123456789abcdef"
_KEY: Final = re.compile(r"[0-9a-f]{32}")
_WINDOW_SECONDS: Final = 60.0

Row = dict[str, object]
Trouble = Literal["forbidden", "broken", "garbled"]
"""403; 503; 200 with something else than is documented."""


def breach(name: str, *, added: str, **changes: object) -> Row:
    """Return one breach as the API tells it."""
    row: Row = {
        "Name": name,
        "Title": name,
        "Domain": f"{name.lower()}.example",
        "BreachDate": added[:10],
        "AddedDate": added,
        "ModifiedDate": added,
        "PwnCount": 1000,
        "Description": "An <em>invented</em> breach.",
        "LogoPath": "https://logos.example/Generic.png",
        "DataClasses": ["Email addresses", "Passwords"],
        "IsVerified": True,
        "IsFabricated": False,
        "IsSensitive": False,
        "IsRetired": False,
        "IsSpamList": False,
        "IsMalware": False,
        "IsStealerLog": False,
        "IsSubscriptionFree": False,
    }
    return row | changes


class Hibp:
    """One subscription and its verified domains."""

    def __init__(self, *, uptime: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet; the plan's pace is counted by `uptime`, in seconds."""
        self.breaches: list[Row] = []
        self.accounts: dict[str, dict[str, list[str]]] = {}
        """Names of breaches by alias, by verified domain."""
        self.stealer_logs: dict[str, dict[str, list[str]]] = {}
        """Websites by alias, by domain."""
        self.rpm = 10
        self.includes_stealer_logs = True
        self.calls: list[Call] = []
        self.failing: dict[str, list[Trouble]] = {}
        """What becomes of the next calls, by a word in their path."""
        self._uptime = uptime
        self._answered: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await give(self.answer(await call_of(scope, receive)), send)

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        self.calls.append(call)
        if not call.headers.get("user-agent"):
            return _no(403, "No user agent has been specified in the request.")
        what, _, named = call.path.removeprefix("/api/v3/").partition("/")
        match self._trouble(call.path):
            case "forbidden":
                return _no(403, "The domain is not verified.")
            case "broken":
                return _no(503, "Service unavailable.")
            case "garbled":
                return Answer(200, ["not", {"what": "is documented"}])
        if what == "latestbreach":
            return Answer(200, self.breaches[-1]) if self.breaches else _no(404, "")
        if what == "breaches":
            return Answer(200, self.breaches)
        return self._keyed(call, what, named)

    def _keyed(self, call: Call, what: str, named: str) -> Answer:
        key = call.headers.get("hibp-api-key", "")
        if not _KEY.fullmatch(key) or key != API_KEY:
            return _no(401, "Access denied due to invalid hibp-api-key.")
        if (wait := self._too_often()) > 0:
            seconds = int(wait) + 1
            return Answer(429, _said(429, f"Rate limit is exceeded. Try again in {seconds} seconds."), _after(seconds))
        match what:
            case "subscription":
                return Answer(200, self._plan())
            case "subscribeddomains":
                rows = [{"DomainName": each, "BreachCount": len(found)} for each, found in self.accounts.items()]
                return Answer(200, rows) if rows else _no(404, "")
            case "breacheddomain":
                return self._of_domain(self.accounts, named)
            case "stealerlogsbyemaildomain" if self.includes_stealer_logs:
                return self._of_domain(self.stealer_logs, named)
            case _:
                return _no(403, "The subscription does not include it.")

    def _of_domain(self, known: Mapping[str, Mapping[str, Sequence[str]]], domain: str) -> Answer:
        if domain not in self.accounts:
            return _no(403, "The domain is not verified.")
        found = known.get(domain)
        return Answer(200, dict(found)) if found else _no(404, "")

    def _plan(self) -> Row:
        return {
            "SubscriptionName": "Core 1",
            "Description": "An invented plan.",
            "SubscribedUntil": "2027-01-01T00:00:00",
            "Rpm": self.rpm,
            "DomainSearchMaxBreachedAccounts": 100,
            "IncludesStealerLogs": self.includes_stealer_logs,
        }

    def _too_often(self) -> float:
        """Return for how many seconds the plan allows no further call; else count this one."""
        now = self._uptime()
        self._answered = [at for at in self._answered if at > now - _WINDOW_SECONDS]
        if len(self._answered) >= self.rpm:
            return self._answered[0] + _WINDOW_SECONDS - now
        self._answered.append(now)
        return 0.0

    def _trouble(self, path: str) -> Trouble | None:
        for word, troubles in self.failing.items():
            if word in path and troubles:
                return troubles.pop(0)
        return None


def _after(seconds: int) -> dict[str, str]:
    return {"retry-after": str(seconds)}


def _said(status: int, message: str) -> Row:
    return {"statusCode": status, "message": message}


def _no(status: int, message: str) -> Answer:
    return Answer(status, _said(status, message))

"""Simulated tenants of Microsoft Entra ID Protection: risk detections and alerts over Graph, one request a second.

One app answers for Graph and for the token endpoint. A call too many gets 429 without `Retry-After`.
Source: Microsoft Graph v1.0, riskDetection, alert, errors; throttling limits of identityProtection.
"""

import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from chassis.health import Receive, Scope, Send
from simulators.wire import Answer, Call, call_of, flat, give, number

CLIENT_ID: Final = "3c0b3b52-77c4-4b0e-8a0e-6a3c2f0e51aa"
CLIENT_SECRET: Final = "simulated-graph-secret"
_TOKEN_SECONDS: Final = 3599
_TOKEN: Final = re.compile(r"/([0-9a-f-]{36})/oauth2/v2\.0/token")
_DETECTIONS: Final = "/v1.0/identityProtection/riskDetections"
_ALERTS: Final = "/v1.0/security/alerts_v2"
_FILTER: Final = re.compile(r"riskEventType eq '(\w+)' and detectedDateTime ge (\S+)")
_DENIED: Final = "You cannot perform the requested operation, required scopes are missing in the token."

Row = dict[str, Any]
Trouble = Literal["limited", "forbidden", "broken", "garbled", "elsewhere", "echoed"]
"""429; 403; 503; 200 with something else; a next page on another host; 400 that repeats what was sent."""


def detection(login: str, *, at: datetime, **changes: object) -> Row:
    """Return one risk detection as Graph tells it."""
    moment = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    row: Row = {
        "id": secrets.token_hex(32),
        "requestId": None,
        "correlationId": None,
        "riskEventType": "leakedCredentials",
        "riskState": "atRisk",
        "riskLevel": "high",
        "riskDetail": "none",
        "source": "IdentityProtection",
        "detectionTimingType": "offline",
        "activity": "user",
        "tokenIssuerType": "AzureAD",
        "ipAddress": None,
        "location": None,
        "activityDateTime": moment,
        "detectedDateTime": moment,
        "lastUpdatedDateTime": moment,
        "userId": secrets.token_hex(4) + "-2222-4333-8444-555555555555",
        "userDisplayName": "Somebody",
        "userPrincipalName": login,
        "additionalInfo": "[]",
    }
    return row | changes


def alert(*logins: str, title: str, at: datetime) -> Row:
    """Return one alert that names users as evidence."""
    evidence = [
        {
            "@odata.type": "#microsoft.graph.security.userEvidence",
            "userAccount": {
                "accountName": login.partition("@")[0],
                "azureAdUserId": secrets.token_hex(4) + "-2222-4333-8444-555555555555",
                "userPrincipalName": login,
            },
        }
        for login in logins
    ]
    return {
        "id": f"da{secrets.token_hex(8)}_-961444813",
        "title": title,
        "serviceSource": "azureAdIdentityProtection",
        "status": "new",
        "classification": None,
        "createdDateTime": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "evidence": evidence,
    }


class GraphRisks:
    """Tenants by id, and what is known of each."""

    def __init__(
        self, *tenants: str, url: str = "http://127.0.0.1", uptime: Callable[[], float] = time.monotonic
    ) -> None:
        """Know the tenants that let the application in. Links lead to `url`; the limit is counted by `uptime`."""
        self.detections: dict[str, list[Row]] = {each: [] for each in tenants}
        self.alerts: dict[str, list[Row]] = {each: [] for each in tenants}
        self.calls: list[Call] = []
        self.page = 500
        self.interval_seconds = 1.0
        self.failing: dict[str, list[Trouble]] = {}
        """What becomes of the next calls, by tenant."""
        self._url = url
        self._uptime = uptime
        self._tokens: dict[str, str] = {}
        self._last: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await give(self.answer(await call_of(scope, receive)), send)

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        self.calls.append(call)
        if (asked := _TOKEN.fullmatch(call.path)) is not None:
            return self._token(asked[1], call)
        tenant = self._tokens.get(call.headers.get("authorization", "").removeprefix("Bearer "))
        if tenant is None:
            return _error(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        trouble = self.failing.get(tenant, [])
        if trouble and trouble[0] != "elsewhere":
            return _refusal(trouble.pop(0), call)
        if call.path.startswith("/v1.0/identityProtection/") and self._is_too_soon(tenant):
            return _error(429, "TooManyRequests", "Too Many Requests")
        return self._read(tenant, call)

    def forget_tokens(self) -> None:
        """End all tokens."""
        self._tokens.clear()

    def _token(self, tenant: str, call: Call) -> Answer:
        form = flat(call.body)
        if tenant not in self.detections:
            return _no_login("invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.", 400)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return _no_login("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        token = secrets.token_urlsafe(24)
        self._tokens[token] = tenant
        return Answer(200, {"token_type": "Bearer", "expires_in": _TOKEN_SECONDS, "access_token": token})

    def _is_too_soon(self, tenant: str) -> bool:
        now = self._uptime()
        is_too_soon = now - self._last.get(tenant, float("-inf")) < self.interval_seconds
        self._last[tenant] = self._last[tenant] if is_too_soon else now
        return is_too_soon

    def _read(self, tenant: str, call: Call) -> Answer:
        if call.path == _DETECTIONS:
            return self._listed(tenant, call)
        for known, path in ((self.detections, _DETECTIONS), (self.alerts, _ALERTS)):
            if call.path.startswith(f"{path}/"):
                found = [each for each in known[tenant] if each["id"] == call.path.removeprefix(f"{path}/")]
                return Answer(200, found[0]) if found else _error(404, "NotFound", "The resource is not there.")
        return _error(404, "ResourceNotFound", "Resource not found for the segment.")

    def _listed(self, tenant: str, call: Call) -> Answer:
        asked = _FILTER.fullmatch(call.query.get("$filter", ""))
        if asked is None:
            return _error(400, "BadRequest", "Invalid filter clause.")
        since = datetime.fromisoformat(asked[2])
        rows = [
            row
            for row in self.detections[tenant]
            if row["riskEventType"] == asked[1] and datetime.fromisoformat(row["detectedDateTime"]) >= since
        ]
        start, size = number(call.query.get("$skiptoken"), 0), min(number(call.query.get("$top"), 20), self.page)
        body: Row = {
            "@odata.context": f"{self._url}/v1.0/$metadata#riskDetections",
            "value": rows[start : start + size],
        }
        if start + size < len(rows):
            query = "&".join(f"{quote(key)}={quote(each)}" for key, each in call.query.items() if key != "$skiptoken")
            host = "https://elsewhere.example" if "elsewhere" in self.failing.get(tenant, []) else self._url
            body["@odata.nextLink"] = f"{host}{_DETECTIONS}?{query}&$skiptoken={start + size}"
        return Answer(200, body)


def _refusal(trouble: Trouble, call: Call) -> Answer:
    match trouble:
        case "limited":
            return _error(429, "TooManyRequests", "Too Many Requests")
        case "forbidden":
            return _error(403, "Forbidden", _DENIED)
        case "garbled":
            return Answer(200, ["not", "what is documented"])
        case "echoed":
            return _error(400, "BadRequest", f"Invalid value: {call.headers.get('authorization')} {call.query}")
        case _:
            return _error(503, "ServiceUnavailable", "The service is temporarily unavailable.")


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message, "innerError": {"request-id": "-"}}})


def _no_login(error: str, description: str, status: int) -> Answer:
    return Answer(status, {"error": error, "error_description": description})

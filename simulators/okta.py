"""A simulated Okta organisation: the parts of its Management API that our connector calls, and its sign-in.

Every answer tells how many calls are left, as Okta's do; "too many" tells a moment, and no `Retry-After`.
Source: Okta Management API and Authentication API, requests, answers and error codes.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import format_datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.assertions import claims_of
from simulators.identities import Clock, Person, Provider, Route, Trouble, millis, now, routed
from simulators.wire import Answer, Call, flat, number

TOKEN: Final = "00simulatedOktaToken"
CLIENT_ID: Final = "0oasimulatedServiceApp"
KEY_ID: Final = "simulated-key"
TOKEN_SECONDS: Final = 3600
LEAST: Final = frozenset(
    {"okta.users.manage", "okta.users.read", "okta.roles.read", "okta.groups.read", "okta.sessions.manage"}
)
"""The scopes that docs/directories/okta.md asks for; an API token has its owner's."""

CALLS_A_MINUTE: Final = 600
_PROVIDERS: Final = {
    "cloud": {"type": "OKTA", "name": "OKTA"},
    "synced": {"type": "ACTIVE_DIRECTORY", "name": "client.example"},
    "federated": {"type": "FEDERATION", "name": "FEDERATION"},
    "guest": {"type": "FEDERATION", "name": "FEDERATION"},
}
_SUMMARIES: Final = {
    "E0000004": "Authentication failed",
    "E0000006": "You do not have permission to perform the requested action",
    "E0000007": "Not found: Resource not found (User)",
    "E0000009": "Internal Server Error",
    "E0000011": "Invalid token provided",
    "E0000014": "Update of credentials failed",
    "E0000022": "The endpoint does not support the provided HTTP method",
    "E0000047": "API call exceeded rate limit due to too many requests.",
}


def okta_id(login: str) -> str:
    """Return an id as Okta gives them to users."""
    return "00u" + uuid5(NAMESPACE_URL, login).hex[:17]


class Okta(Provider):
    """One organisation."""

    def __init__(
        self, people: Sequence[Person], *, owner: Person, url: str = "https://acme.okta.com", clock: Clock = now
    ) -> None:
        """Know `people`; the API token is `owner`'s. Links lead to `url`."""
        super().__init__(people, clock=clock)
        self.owner = owner
        self.scopes = set(LEAST)
        self.page = 200
        self.key: rsa.RSAPublicKey | None = None
        self.statuses: dict[str, str] = {}
        """By id, where it is not what follows from being enabled."""
        self.role_groups: dict[str, str] = {}
        """The role of a group."""
        self._url = url
        self._tokens: dict[str, set[str]] = {}

    def respond(self, call: Call) -> Answer:
        """Answer one call."""
        if call.path == "/oauth2/v1/token":
            return self._token(flat(call.body))
        if call.path == "/api/v1/authn":
            return self._authn(call)
        scopes = self._scopes_of(call)
        if scopes is None:
            return self._error(401, "E0000011")
        found = routed(_ROUTES, call)
        if found is None:
            return self._error(405, "E0000022")
        route, named = found
        if route.needs not in scopes:
            return self._error(403, "E0000006")
        if named and route.path.startswith("api/v1/users/") and named[0] not in self.people:
            return self._error(404, "E0000007")
        answer = route.answer(self, call, *named)
        return Answer(answer.status, answer.body, {**self._limits(CALLS_A_MINUTE - 1), **answer.headers})

    def refusal(self, trouble: Trouble, call: Call) -> Answer:
        """Say no as Okta does."""
        match trouble:
            case "limited":
                answer = self._error(429, "E0000047")
                date = format_datetime(self.clock().astimezone(UTC), usegmt=True)
                return Answer(429, answer.body, {**self._limits(0, seconds=5), "date": date})
            case "forbidden":
                return self._error(403, "E0000006")
            case "echoed":
                return self._error(400, "E0000001", f"Api validation failed: {call.body.decode()}")
            case _:
                return self._error(503, "E0000009")

    def users(self, call: Call) -> Answer:
        """Return a page of users, without those that were deactivated."""
        shown = [each for each in map(self.seen, self.people) if each is not None]
        return self.page_of(call, [self._row(each) for each in shown if self._status(each) != "DEPROVISIONED"])

    def user(self, _: Call, identity: str) -> Answer:
        """Return one user."""
        found = self.seen(identity)
        return self._error(404, "E0000007") if found is None else Answer(200, self._row(found))

    def me(self, _: Call) -> Answer:
        """Return whose API token it is."""
        return Answer(200, self._row(self.owner))

    def update(self, call: Call, identity: str) -> Answer:
        """Change what the body names of a user; here that is the password."""
        whose = self.people[identity]
        password = json.loads(call.body)["credentials"]["password"]["value"]
        if not 8 <= len(password) <= 72:
            return self._error(400, "E0000001", "Api validation failed: password")
        whose.where = "cloud"  # whoever calls this for a federated user has moved them to Okta
        self.set_password(whose, password, must_change=False)
        return Answer(200, self._row(whose))

    def end(self, call: Call, identity: str) -> Answer:
        """End a user's sessions, and their tokens where that is asked for."""
        whose = self.people[identity]
        self.end_sessions(whose)
        if call.query.get("oauthTokens") == "true":
            whose.doors.clear()
        return Answer(204, None)

    def roles(self, call: Call, identity: str) -> Answer:
        """Return the roles of a user, also those through groups."""
        whose = self.people[identity]
        through = {self.role_groups[each] for each in whose.groups if each in self.role_groups}
        rows = [_role(each, "USER") for each in sorted(whose.roles)] + [
            _role(each, "GROUP") for each in sorted(through)
        ]
        return self.page_of(call, rows)

    def factors(self, call: Call, identity: str) -> Answer:
        """Return the factors of a user."""
        whose = self.people[identity]
        kinds = [*(["push"] if whose.second_factor else []), "email"]
        rows = [{"id": f"opf{each}", "factorType": each, "provider": "OKTA", "status": "ACTIVE"} for each in kinds]
        return self.page_of(call, rows)

    def groups_of(self, call: Call, identity: str) -> Answer:
        """Return the groups of a user."""
        return self.page_of(call, [_group(each) for each in sorted(self.people[identity].groups)])

    def assignees(self, call: Call) -> Answer:
        """Return who has a role; this list alone is paged in its body."""
        with_role = [
            each.id
            for each in self.people.values()
            if each.roles or any(name in self.role_groups for name in each.groups)
        ]
        start = number(call.query.get("after"), 0)
        rows = [{"id": each, "orn": f"orn:okta:directory:00o1:users:{each}"} for each in with_role]
        links: dict[str, Any] = {}
        if start + self.page < len(rows):
            links["next"] = {"href": f"{self._url}{call.path}?after={start + self.page}&limit={self.page}"}
        return Answer(200, {"value": rows[start : start + self.page], "_links": links})

    def groups(self, call: Call) -> Answer:
        """Return the groups whose names begin so."""
        names = {name for each in self.people.values() for name in each.groups}
        asked = call.query.get("q", "").lower()
        return self.page_of(call, [_group(each) for each in sorted(names) if each.lower().startswith(asked)])

    def members(self, call: Call, group: str) -> Answer:
        """Return who is in a group."""
        found = [each for each in self.people.values() if group in (_group(name)["id"] for name in each.groups)]
        return self.page_of(call, [self._row(each) for each in found])

    def page_of(self, call: Call, rows: Sequence[Mapping[str, Any]]) -> Answer:
        """Return a page; where the next one is stands in `Link`."""
        start, size = number(call.query.get("after"), 0), min(number(call.query.get("limit"), 200), self.page)
        link = f'<{self._url}{call.path}?limit={size}>; rel="self"'
        if start + size < len(rows):
            link += f', <{self._url}{call.path}?after={start + size}&limit={size}>; rel="next"'
        return Answer(200, list(rows[start : start + size]), {"link": link})

    def _row(self, whose: Person) -> dict[str, Any]:
        first, _, last = whose.name.partition(" ")
        profile = {"login": whose.login, "email": whose.login, "firstName": first, "lastName": last}
        return {
            "id": whose.id,
            "status": self._status(whose),
            "created": millis(whose.created_at),
            "lastLogin": millis(whose.used_at) if whose.used_at is not None else None,
            "passwordChanged": millis(whose.changed_at),
            "profile": {
                **profile,
                "secondEmail": f"{first.lower()}@home.example" if whose.recovery else None,
                "managerId": whose.manager,
            },
            "credentials": {"provider": _PROVIDERS[whose.where]},
            "_links": {"self": {"href": f"{self._url}/api/v1/users/{whose.id}"}},
        }

    def _status(self, whose: Person) -> str:
        return self.statuses.get(whose.id, "ACTIVE" if whose.enabled else "SUSPENDED")

    def _authn(self, call: Call) -> Answer:
        body = json.loads(call.body)
        if self.signed_in(body.get("username", ""), body.get("password", "")) is None:
            return self._error(401, "E0000004")
        return Answer(200, {"status": "SUCCESS", "sessionToken": secrets.token_urlsafe(16)})

    def _token(self, form: Mapping[str, str]) -> Answer:
        audience = f"{self._url}/oauth2/v1/token"
        claims = claims_of(form.get("client_assertion", ""), self.key, audience=audience) if self.key else None
        if claims is None or claims["iss"] != CLIENT_ID or claims.get("kid") != KEY_ID:
            return Answer(401, {"error": "invalid_client", "error_description": "The client_assertion is invalid."})
        token = secrets.token_urlsafe(24)
        self._tokens[token] = set(form.get("scope", "").split()) & self.scopes
        scope = " ".join(sorted(self._tokens[token]))
        return Answer(200, {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": token, "scope": scope})

    def _scopes_of(self, call: Call) -> set[str] | None:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme == "SSWS":
            return self.scopes if secrets.compare_digest(token, TOKEN) else None
        return self._tokens.get(token)

    def _limits(self, left: int, *, seconds: int = 60) -> dict[str, str]:
        resets = int(self.clock().timestamp()) + seconds
        return {
            "x-rate-limit-limit": str(CALLS_A_MINUTE),
            "x-rate-limit-remaining": str(left),
            "x-rate-limit-reset": str(resets),
        }

    def _error(self, status: int, code: str, summary: str | None = None) -> Answer:
        body = {
            "errorCode": code,
            "errorSummary": summary or _SUMMARIES[code],
            "errorLink": code,
            "errorId": "oae" + secrets.token_urlsafe(12),
            "errorCauses": [],
        }
        return Answer(status, body)


def _role(name: str, through: str) -> dict[str, Any]:
    return {"id": f"ra1{name}", "label": name.title(), "type": name, "status": "ACTIVE", "assignmentType": through}


def _group(name: str) -> dict[str, Any]:
    return {"id": "00g" + uuid5(NAMESPACE_URL, name).hex[:17], "type": "OKTA_GROUP", "profile": {"name": name}}


_ROUTES: Final = (
    Route("GET", "api/v1/users", "okta.users.read", Okta.users),
    Route("GET", "api/v1/users/me", "okta.users.read", Okta.me),
    Route("GET", "api/v1/users/*", "okta.users.read", Okta.user),
    Route("POST", "api/v1/users/*", "okta.users.manage", Okta.update),
    Route("DELETE", "api/v1/users/*/sessions", "okta.sessions.manage", Okta.end),
    Route("GET", "api/v1/users/*/roles", "okta.roles.read", Okta.roles),
    Route("GET", "api/v1/users/*/factors", "okta.users.read", Okta.factors),
    Route("GET", "api/v1/users/*/groups", "okta.users.read", Okta.groups_of),
    Route("GET", "api/v1/iam/assignees/users", "okta.roles.read", Okta.assignees),
    Route("GET", "api/v1/groups", "okta.groups.read", Okta.groups),
    Route("GET", "api/v1/groups/*/users", "okta.groups.read", Okta.members),
)

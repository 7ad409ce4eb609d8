"""A simulated Google Workspace: its token endpoint and the parts of the Admin SDK that our connector calls.

Google has no address where a password could be tried; the simulator's own is `POST /_idp/sign_in`. It says "too often"
with 403, and shows a change of password in its audit logs only, and only after a while.
Source: Admin SDK, Directory API v1 and Reports API v1; Google Identity, "Using OAuth 2.0 for server to server".
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.assertions import claims_of
from simulators.google_rows import SUPER_ADMIN, Row, activity_row, role_id, user_row
from simulators.identities import DOOR, Clock, Person, Provider, Route, Trouble, now, routed
from simulators.wire import Answer, Call, flat, number

SERVICE_ACCOUNT: Final = "patchline@simulated.iam.gserviceaccount.com"
KEY_ID: Final = "simulated-google-key"
AUDIENCE: Final = "https://oauth2.googleapis.com/token"
TOKEN_SECONDS: Final = 3599
_SCOPE: Final = "https://www.googleapis.com/auth/"
LEAST: Final = frozenset(
    {
        "admin.directory.user",
        "admin.directory.user.security",
        "admin.directory.rolemanagement.readonly",
        "admin.directory.group.readonly",
        "admin.directory.domain.readonly",
        "admin.reports.audit.readonly",
    }
)
"""The scopes that docs/directories/google.md asks for."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A change of a password in the audit logs, and when it appears there."""

    application: str
    whose: str
    at: datetime
    shown_at: datetime


class Google(Provider):
    """One customer."""

    def __init__(
        self,
        people: Sequence[Person],
        *,
        subject: Person,
        key: rsa.RSAPublicKey,
        domains: Mapping[str, bool],
        audience: str = AUDIENCE,
        clock: Clock = now,
    ) -> None:
        """Know `people`; the service account acts for `subject`, with the key that belongs to `key`."""
        super().__init__([*people, subject], clock=clock)
        self.subject = subject
        self.scopes = set(LEAST)
        self.page = 500
        self.log_delay = timedelta(0)
        self.application_passwords: dict[str, list[int]] = {}
        self.group_roles: dict[str, str] = {}
        """The role of a group, by the group's address."""
        self._key = key
        self._domains = dict(domains)
        self._audience = audience
        self._tokens: dict[str, set[str]] = {}
        self._logged: list[Logged] = []

    def respond(self, call: Call) -> Answer:
        """Answer one call."""
        if call.path == "/token":
            return self._token(flat(call.body))
        if call.path == f"{DOOR}/sign_in":
            body = json.loads(call.body)
            return Answer(200 if self.signed_in(body["login"], body["password"]) else 401, {})
        granted = self._tokens.get(call.headers.get("authorization", "").removeprefix("Bearer "))
        if granted is None:
            return _error(401, "authError", "Invalid Credentials")
        found = routed(_ROUTES, call)
        if found is None:
            return _error(404, "notFound", "Not Found")
        route, named = found
        if route.needs not in granted:
            return _error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        if named and route.path.startswith("admin/directory/v1/users/"):
            whose = self.people.get(named[0]) or self.by_login(named[0])
            if whose is None:
                return _error(404, "notFound", "Resource Not Found: userKey")
            named = [whose.id, *named[1:]]
        return route.answer(self, call, *named)

    def refusal(self, trouble: Trouble, call: Call) -> Answer:
        """Say no as Google does."""
        match trouble:
            case "limited":
                return _error(403, "quotaExceeded", "Quota exceeded for quota metric 'Queries'.")
            case "forbidden":
                return _error(403, "forbidden", "Not Authorized to access this resource/api")
            case "echoed":
                return _error(400, "invalid", f"Invalid Input: {call.body.decode()}")
            case _:
                return _error(503, "backendError", "Service unavailable. Please try again")

    def person_changes_password(self, identity: str, password: str) -> None:
        """Let somebody change their own password."""
        whose = self.people[identity]
        self.set_password(whose, password, must_change=False)
        self._log("user_accounts", whose)

    def users(self, call: Call) -> Answer:
        """Return a page of users."""
        rows = [user_row(each) for each in map(self.seen, self.people) if each is not None]
        return self.page_of(call, "users", rows)

    def user(self, _: Call, identity: str) -> Answer:
        """Return one user."""
        found = self.seen(identity)
        return _error(404, "notFound", "Resource Not Found: userKey") if found is None else Answer(200, user_row(found))

    def update(self, call: Call, identity: str) -> Answer:
        """Change what the body names of a user; here that is the password."""
        whose, body = self.people[identity], json.loads(call.body)
        if SUPER_ADMIN in whose.roles and SUPER_ADMIN not in self.subject.roles:
            return _error(403, "forbidden", "Not Authorized to access this resource/api")
        if not 8 <= len(body["password"]) <= 100:
            return _error(400, "invalid", "Invalid Password")
        self.set_password(whose, body["password"], must_change=body.get("changePasswordAtNextLogin", False))
        self._log("admin", whose)
        return Answer(200, user_row(whose))

    def sign_out(self, _: Call, identity: str) -> Answer:
        """End a user's sessions."""
        self.end_sessions(self.people[identity])
        return Answer(204, None)

    def asps(self, call: Call, identity: str) -> Answer:
        """Return a user's application passwords."""
        rows = [
            {"codeId": each, "name": "Mail", "userKey": identity}
            for each in self.application_passwords.get(identity, ())
        ]
        return self.page_of(call, "items", rows)

    def end_asp(self, _: Call, identity: str, code: str) -> Answer:
        """End one of them."""
        self.application_passwords[identity].remove(int(code))
        return Answer(204, None)

    def tokens(self, call: Call, identity: str) -> Answer:
        """Return the programs that a user let in."""
        rows = [
            {"clientId": each, "displayText": each, "userKey": identity} for each in sorted(self.people[identity].doors)
        ]
        return self.page_of(call, "items", rows)

    def end_token(self, _: Call, identity: str, client: str) -> Answer:
        """Let one of them in no more."""
        self.people[identity].doors.discard(client)
        return Answer(204, None)

    def roles(self, call: Call, _: str) -> Answer:
        """Return the roles that there are."""
        rows = [
            {"roleId": role_id(each), "roleName": each, "isSuperAdminRole": each == SUPER_ADMIN}
            for each in self._roles()
        ]
        return self.page_of(call, "items", rows)

    def role_assignments(self, call: Call, _: str) -> Answer:
        """Return who has a role."""
        users = [(each.id, role, "user") for each in self.people.values() for role in sorted(each.roles)]
        groups = [(group, role, "group") for group, role in self.group_roles.items()]
        rows = [
            {"roleId": role_id(role), "assignedTo": who, "assigneeType": kind, "scopeType": "CUSTOMER"}
            for who, role, kind in users + groups
        ]
        return self.page_of(call, "items", rows)

    def groups(self, call: Call) -> Answer:
        """Return the groups of a user."""
        whose = self.people[call.query["userKey"]]
        return self.page_of(
            call, "groups", [{"id": each, "email": each, "name": each} for each in sorted(whose.groups)]
        )

    def members(self, call: Call, group: str) -> Answer:
        """Return who is in a group."""
        inside = [each for each in self.people.values() if group in each.groups]
        if not inside:
            return _error(404, "notFound", "Resource Not Found: groupKey")
        rows = [{"id": each.id, "email": each.login, "role": "MEMBER", "type": "USER"} for each in inside]
        return self.page_of(call, "members", rows)

    def domains(self, call: Call, _: str) -> Answer:
        """Return the customer's domains."""
        rows = [{"domainName": name, "verified": is_verified} for name, is_verified in self._domains.items()]
        return self.page_of(call, "domains", rows)

    def activities(self, call: Call, who: str, application: str) -> Answer:
        """Return entries of an audit log, newest first, as far as they have appeared there."""
        asked = call.query.get("filters", "").removeprefix("USER_EMAIL==")
        rows: list[Row] = []
        for each in sorted(self._logged, key=lambda one: one.at, reverse=True):
            whose = self.people[each.whose]
            is_asked = who in {"all", whose.id} and asked in {"", whose.login}
            if each.application == application and is_asked and each.shown_at <= self.clock():
                actor = self.subject.login if application == "admin" else whose.login
                rows.append(activity_row(application, call.query["eventName"], whose, actor=actor, at=each.at))
        return self.page_of(call, "items", rows)

    def page_of(self, call: Call, key: str, rows: Sequence[Mapping[str, Any]]) -> Answer:
        """Return a page; an empty list is left out, as Google does."""
        start, size = number(call.query.get("pageToken"), 0), min(number(call.query.get("maxResults"), 100), self.page)
        body: dict[str, object] = {"kind": "admin#directory#list", "etag": '"simulated"'}
        if page := list(rows[start : start + size]):
            body[key] = page
        if start + size < len(rows):
            body["nextPageToken"] = str(start + size)
        return Answer(200, body)

    def _roles(self) -> list[str]:
        return sorted({role for each in self.people.values() for role in each.roles} | set(self.group_roles.values()))

    def _log(self, application: str, whose: Person) -> None:
        self._logged.append(Logged(application, whose.id, whose.changed_at, self.clock() + self.log_delay))

    def _token(self, form: Mapping[str, str]) -> Answer:
        claims = claims_of(form.get("assertion", ""), self._key, audience=self._audience)
        if claims is None or claims["iss"] != SERVICE_ACCOUNT or claims.get("kid") != KEY_ID:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        if claims.get("sub") != self.subject.login:
            return Answer(401, {"error": "unauthorized_client", "error_description": "Client is unauthorized."})
        asked = {each.removeprefix(_SCOPE) for each in str(claims["scope"]).split()}
        if asked - self.scopes:
            return Answer(401, {"error": "unauthorized_client", "error_description": "Client is unauthorized."})
        token = secrets.token_urlsafe(24)
        self._tokens[token] = asked
        return Answer(200, {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"})


def _error(status: int, reason: str, message: str) -> Answer:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return Answer(status, {"error": {"code": status, "message": message, "errors": errors}})


_USER: Final = "admin/directory/v1/users/*"
_ROUTES: Final = (
    Route("GET", "admin/directory/v1/users", "admin.directory.user", Google.users),
    Route("GET", _USER, "admin.directory.user", Google.user),
    Route("PUT", _USER, "admin.directory.user", Google.update),
    Route("POST", f"{_USER}/signOut", "admin.directory.user.security", Google.sign_out),
    Route("GET", f"{_USER}/asps", "admin.directory.user.security", Google.asps),
    Route("DELETE", f"{_USER}/asps/*", "admin.directory.user.security", Google.end_asp),
    Route("GET", f"{_USER}/tokens", "admin.directory.user.security", Google.tokens),
    Route("DELETE", f"{_USER}/tokens/*", "admin.directory.user.security", Google.end_token),
    Route("GET", "admin/directory/v1/customer/*/roles", "admin.directory.rolemanagement.readonly", Google.roles),
    Route(
        "GET",
        "admin/directory/v1/customer/*/roleassignments",
        "admin.directory.rolemanagement.readonly",
        Google.role_assignments,
    ),
    Route("GET", "admin/directory/v1/customer/*/domains", "admin.directory.domain.readonly", Google.domains),
    Route("GET", "admin/directory/v1/groups", "admin.directory.group.readonly", Google.groups),
    Route("GET", "admin/directory/v1/groups/*/members", "admin.directory.group.readonly", Google.members),
    Route("GET", "admin/reports/v1/activity/users/*/applications/*", "admin.reports.audit.readonly", Google.activities),
)

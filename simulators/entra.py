"""A simulated Microsoft Entra ID: its token endpoint and the parts of Microsoft Graph v1.0 that our connector calls.

One app answers for both hosts, as their paths differ. What the application may do is its permissions, as in a tenant.
Source: Microsoft Graph v1.0, requests, answers and errors.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from simulators import entra_login
from simulators.entra_login import Login
from simulators.entra_rows import ROLE_IDS, Row, group_id, method_rows, registration_row, user_row
from simulators.identities import Clock, Person, Provider, Route, Trouble, now, routed, stamp
from simulators.wire import Answer, Call, number

LEAST: Final = frozenset(
    {
        "AuditLog.Read.All",
        "Domain.Read.All",
        "GroupMember.Read.All",
        "PrivilegedEligibilitySchedule.Read.AzureADGroup",
        "RoleManagement.Read.Directory",
        "User-PasswordProfile.ReadWrite.All",
        "User.Read.All",
        "User.RevokeSessions.All",
        "UserAuthenticationMethod.Read.All",
    }
)
"""The permissions that docs/directories/entra.md asks for."""

DENIED: Final = "Insufficient privileges to complete the operation."
ON_PREMISES: Final = "Unable to update the specified properties for on-premises mastered Directory Sync objects."
_PIM: Final = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."
_NOT_PREMIUM: Final = "Neither tenant is B2C or tenant doesn't have premium license"
_GONE: Final = "Resource does not exist or one of its queried reference-property objects are not present."


class Entra(Provider):
    """One tenant."""

    def __init__(
        self,
        people: Sequence[Person],
        *,
        domains: Mapping[str, str],
        graph_url: str = "https://graph.microsoft.com",
        login_url: str = "https://login.microsoftonline.com",
        clock: Clock = now,
    ) -> None:
        """Know `people`; `domains` are `Managed`, `Federated` or `Unverified`. Links lead to `graph_url`."""
        super().__init__(people, clock=clock)
        self.login = Login(self, login_url)
        self.permissions = set(LEAST)
        self.resets_privileged = False
        self.is_premium = True
        self.page = 100
        self.role_groups: dict[str, set[str]] = {}
        """Roles by the name of the role-assignable group that has them."""
        self.owners: dict[str, set[str]] = {}
        """Ids of owners by group."""
        self.eligible_members: dict[str, set[str]] = {}
        """Ids of who may join, by group."""
        self._domains = dict(domains)
        self._url = graph_url

    def respond(self, call: Call) -> Answer:
        """Answer one call."""
        if call.path == entra_login.PATH:
            return self.login.answer(call)
        if not self.login.is_open_to(call):
            return self._error(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        found = routed(_ROUTES, call)
        if found is None:
            return self._error(404, "Request_ResourceNotFound", "Resource not found for the segment.")
        route, named = found
        if route.needs not in self.permissions:
            return self._error(403, "Authorization_RequestDenied", DENIED)
        if named and route.path.startswith("v1.0/users/") and named[0] not in self.people:
            return self._error(404, "Request_ResourceNotFound", _GONE)
        return route.answer(self, call, *named)

    def refusal(self, trouble: Trouble, call: Call) -> Answer:
        """Say no as Graph does."""
        match trouble:
            case "limited":
                answer = self._error(429, "TooManyRequests", "Too many requests.")
                return Answer(429, answer.body, {"retry-after": "3"})
            case "forbidden":
                return self._error(403, "Authorization_RequestDenied", DENIED)
            case "echoed":
                return self._error(400, "Request_BadRequest", f"Invalid value: {call.body.decode()}")
            case _:
                return self._error(503, "serviceNotAvailable", "The service is temporarily unavailable.")

    def users(self, call: Call) -> Answer:
        """Return a page of users."""
        return self.page_of(call, [self._user(each, call) for each in map(self.seen, self.people) if each is not None])

    def user(self, call: Call, identity: str) -> Answer:
        """Return one user."""
        found = self.seen(identity)
        return (
            self._error(404, "Request_ResourceNotFound", _GONE)
            if found is None
            else Answer(200, self._user(found, call))
        )

    def memberships(self, call: Call, identity: str) -> Answer:
        """Return the groups of a user."""
        return self.page_of(call, _groups(self.people[identity].groups))

    def methods(self, call: Call, identity: str) -> Answer:
        """Return what a user has registered."""
        return self.page_of(call, method_rows(self.people[identity]))

    def mailbox(self, _: Call, identity: str) -> Answer:
        """Return what a mailbox is for."""
        return Answer(200, {"userPurpose": self.people[identity].purpose})

    def password(self, call: Call, identity: str) -> Answer:
        """Set a password."""
        whose = self.people[identity]
        if whose.where in {"synced", "federated"}:
            return self._error(400, "Request_BadRequest", ON_PREMISES)
        through_groups = {role for name in whose.groups for role in self.role_groups.get(name, ())}
        if (whose.roles | through_groups) and not self.resets_privileged:
            return self._error(403, "Authorization_RequestDenied", DENIED)
        profile = json.loads(call.body)["passwordProfile"]
        if not 8 <= len(profile["password"]) <= 256:
            return self._error(400, "Request_BadRequest", "The specified password does not comply with requirements.")
        self.set_password(whose, profile["password"], must_change=profile.get("forceChangePasswordNextSignIn", True))
        return Answer(204, None)

    def revoke(self, _: Call, identity: str) -> Answer:
        """End a user's sessions."""
        self.end_sessions(self.people[identity])
        return Answer(200, {"@odata.context": f"{self._url}/v1.0/$metadata#Edm.Boolean", "value": True})

    def domains(self, call: Call) -> Answer:
        """Return the tenant's domains."""
        rows = [
            {"id": name, "isVerified": kind != "Unverified", "authenticationType": kind}
            for name, kind in self._domains.items()
        ]
        return self.page_of(call, rows)

    def registrations(self, call: Call) -> Answer:
        """Return the report of what people have registered."""
        if not self.is_premium:
            return self._error(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", _NOT_PREMIUM)
        return self.page_of(call, [registration_row(each) for each in self.people.values()])

    def registration(self, _: Call, identity: str) -> Answer:
        """Return what one person has registered."""
        if not self.is_premium:
            return self._error(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", _NOT_PREMIUM)
        found = self.people.get(identity)
        if found is None:
            return self._error(404, "Request_ResourceNotFound", _GONE)
        return Answer(200, registration_row(found))

    def role_definitions(self, call: Call) -> Answer:
        """Return the roles that there are."""
        return self.page_of(call, [{"id": each, "displayName": name} for name, each in ROLE_IDS.items()])

    def role_assignments(self, call: Call) -> Answer:
        """Return who has a role."""
        pairs = [(each.id, role) for each in self.people.values() for role in sorted(each.roles)]
        pairs += [(group_id(name), role) for name, roles in self.role_groups.items() for role in sorted(roles)]
        return self.page_of(call, _assigned(pairs))

    def eligible_roles(self, call: Call) -> Answer:
        """Return who can take a role."""
        if not self.is_premium:
            return self._error(400, "AadPremiumLicenseRequired", _PIM)
        pairs = [(each.id, role) for each in self.people.values() for role in sorted(each.eligible)]
        return self.page_of(call, _assigned(pairs))

    def eligible_groups(self, call: Call) -> Answer:
        """Return who can become a member of the group that the filter names."""
        if not self.is_premium:
            return self._error(400, "AadPremiumLicenseRequired", _PIM)
        named = ((group_id(name), ids) for name, ids in self.eligible_members.items())
        asked = call.query.get("$filter", "")
        rows = [
            {"principalId": each, "accessId": "member", "groupId": group}
            for group, ids in named
            if group in asked
            for each in sorted(ids)
        ]
        return self.page_of(call, rows)

    def groups(self, call: Call) -> Answer:
        """Return role-assignable groups, or those with a name."""
        asked = call.query.get("$filter", "")
        if asked == "isAssignableToRole eq true":
            return self.page_of(call, _groups(self.role_groups))
        names = {name for each in self.people.values() for name in each.groups}
        return self.page_of(call, _groups(each for each in names if asked == f"displayName eq '{each}'"))

    def members(self, call: Call, group: str) -> Answer:
        """Return who is in a group."""
        rows = [{"id": each.id} for each in self.people.values() if group in map(group_id, each.groups)]
        return self.page_of(call, rows)

    def group_owners(self, call: Call, group: str) -> Answer:
        """Return who may let others into a group."""
        found = ((group_id(name), ids) for name, ids in self.owners.items())
        return self.page_of(call, [{"id": each} for one, ids in found if one == group for each in sorted(ids)])

    def page_of(self, call: Call, rows: Sequence[Mapping[str, Any]]) -> Answer:
        """Return a page; the next one's address carries the whole query."""
        start, size = number(call.query.get("$skiptoken"), 0), min(number(call.query.get("$top"), 100), self.page)
        context = f"{self._url}{call.path.replace('/v1.0/', '/v1.0/$metadata#', 1)}"
        body: dict[str, object] = {"@odata.context": context, "value": list(rows[start : start + size])}
        if start + size < len(rows):
            query = "&".join(f"{key}={value}" for key, value in call.query.items() if key != "$skiptoken")
            body["@odata.nextLink"] = f"{self._url}{call.path}?{query}&$skiptoken={start + size}".replace(" ", "%20")
        return Answer(200, body)

    def _user(self, whose: Person, call: Call) -> Row:
        chosen = call.query.get("$select", "").split(",")
        row = {key: value for key, value in user_row(whose).items() if key in {"id", *chosen}}
        if "manager" in call.query.get("$expand", "") and whose.manager is not None:
            row["manager"] = {"@odata.type": "#microsoft.graph.user", "id": whose.manager}
        return row

    def _error(self, status: int, code: str, message: str) -> Answer:
        inner = {"date": stamp(self.clock())[:-1], "request-id": secrets.token_hex(16), "client-request-id": "-"}
        return Answer(status, {"error": {"code": code, "message": message, "innerError": inner}})


def _assigned(pairs: Sequence[tuple[str, str]]) -> list[Row]:
    return [{"principalId": who, "roleDefinitionId": ROLE_IDS[role], "directoryScopeId": "/"} for who, role in pairs]


def _groups(names: Iterable[str]) -> list[Row]:
    return [{"id": group_id(each), "displayName": each} for each in sorted(names)]


_PIM_GROUPS: Final = "v1.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"
_REPORT: Final = "v1.0/reports/authenticationMethods/userRegistrationDetails"
_ROLES: Final = "v1.0/roleManagement/directory"
_ROUTES: Final = (
    Route("GET", "v1.0/users", "User.Read.All", Entra.users),
    Route("GET", "v1.0/users/*", "User.Read.All", Entra.user),
    Route("PATCH", "v1.0/users/*", "User-PasswordProfile.ReadWrite.All", Entra.password),
    Route("POST", "v1.0/users/*/revokeSignInSessions", "User.RevokeSessions.All", Entra.revoke),
    Route("GET", "v1.0/users/*/transitiveMemberOf", "GroupMember.Read.All", Entra.memberships),
    Route("GET", "v1.0/users/*/authentication/methods", "UserAuthenticationMethod.Read.All", Entra.methods),
    Route("GET", "v1.0/users/*/mailboxSettings", "MailboxSettings.Read", Entra.mailbox),
    Route("GET", "v1.0/domains", "Domain.Read.All", Entra.domains),
    Route("GET", _REPORT, "AuditLog.Read.All", Entra.registrations),
    Route("GET", f"{_REPORT}/*", "AuditLog.Read.All", Entra.registration),
    Route("GET", f"{_ROLES}/roleDefinitions", "RoleManagement.Read.Directory", Entra.role_definitions),
    Route("GET", f"{_ROLES}/roleAssignments", "RoleManagement.Read.Directory", Entra.role_assignments),
    Route("GET", f"{_ROLES}/roleEligibilityScheduleInstances", "RoleManagement.Read.Directory", Entra.eligible_roles),
    Route("GET", _PIM_GROUPS, "PrivilegedEligibilitySchedule.Read.AzureADGroup", Entra.eligible_groups),
    Route("GET", "v1.0/groups", "GroupMember.Read.All", Entra.groups),
    Route("GET", "v1.0/groups/*/transitiveMembers", "GroupMember.Read.All", Entra.members),
    Route("GET", "v1.0/groups/*/owners", "GroupMember.Read.All", Entra.group_owners),
)

"""People as Google's Directory and Reports APIs write them. Source: Admin SDK, users, activities, roles, groups."""

from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from simulators.identities import Person, millis

Row = dict[str, Any]

CUSTOMER: Final = "C03simul8"
SUPER_ADMIN: Final = "_SEED_ADMIN_ROLE"


def google_id(login: str) -> str:
    """Return an id as Google gives them: 21 digits."""
    return "1" + str(uuid5(NAMESPACE_URL, login).int)[:20]


def role_id(name: str) -> str:
    """Return the id of a role."""
    return str(uuid5(NAMESPACE_URL, name).int)[:17]


def user_row(whose: Person) -> Row:
    """Return a user, as `projection=full` shows them."""
    first, _, last = whose.name.partition(" ")
    return {
        "kind": "admin#directory#user",
        "id": whose.id,
        "etag": f'"{uuid5(NAMESPACE_URL, repr(vars(whose)))}"',
        "primaryEmail": whose.login,
        "name": {"givenName": first, "familyName": last, "fullName": whose.name},
        "isAdmin": SUPER_ADMIN in whose.roles,
        "isDelegatedAdmin": bool(whose.roles - {SUPER_ADMIN}),
        "lastLoginTime": millis(whose.used_at) if whose.used_at is not None else "1970-01-01T00:00:00.000Z",
        "creationTime": millis(whose.created_at),
        "agreedToTerms": True,
        "suspended": not whose.enabled,
        "archived": False,
        "changePasswordAtNextLogin": whose.must_change,
        "ipWhitelisted": False,
        "emails": [{"address": whose.login, "primary": True}],
        **({"aliases": list(whose.aliases)} if whose.aliases else {}),
        **({"relations": [{"value": whose.manager, "type": "manager"}]} if whose.manager is not None else {}),
        "customerId": CUSTOMER,
        "orgUnitPath": whose.unit,
        "isMailboxSetup": True,
        "isEnrolledIn2Sv": whose.second_factor,
        "isEnforcedIn2Sv": False,
        "includeInGlobalAddressList": True,
        **({"recoveryEmail": "somebody@home.example"} if whose.recovery else {}),
    }


def activity_row(application: str, event: str, whose: Person, *, actor: str, at: datetime) -> Row:
    """Return an entry of an audit log about somebody's password."""
    by_admin = application == "admin"
    kind, parameters = (
        "USER_SETTINGS" if by_admin else "password_change",
        [{"name": "USER_EMAIL", "value": whose.login}],
    )
    return {
        "kind": "admin#reports#activity",
        "id": {
            "time": millis(at),
            "uniqueQualifier": "-1",
            "applicationName": application,
            "customerId": CUSTOMER,
        },
        "actor": {"callerType": "USER", "email": actor, **({} if by_admin else {"profileId": whose.id})},
        "events": [{"type": kind, "name": event, **({"parameters": parameters} if by_admin else {})}],
    }

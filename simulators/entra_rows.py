"""People as Microsoft Graph writes them. Source: Microsoft Graph v1.0, user, userRegistrationDetails, methods."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from simulators.identities import Person, stamp

Row = dict[str, Any]

ROLE_IDS: Final[Mapping[str, str]] = {
    "Global Administrator": "62e90394-69f5-4237-9190-012177145e10",
    "Privileged Role Administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "User Administrator": "fe930be7-5e62-47db-91af-98c3a49a38b1",
    "Helpdesk Administrator": "729827e3-9c14-49f7-bb1b-9608f156bbb8",
    "Directory Synchronization Accounts": "d29b2b05-8046-44ba-8758-1e26182fcf32",
}
"""The ids of built-in roles, the same in every tenant. Source: Microsoft Learn, "Microsoft Entra built-in roles"."""

_METHODS: Final = "#microsoft.graph."


def group_id(name: str) -> str:
    """Return the id of a group."""
    return str(uuid5(NAMESPACE_URL, name))


def user_row(whose: Person) -> Row:
    """Return a user with every field that can be selected."""
    local, _, domain = whose.login.partition("@")
    is_guest = whose.where == "guest"
    return {
        "id": whose.id,
        "userPrincipalName": f"{local}_{domain}#EXT#@tenant.onmicrosoft.com" if is_guest else whose.login,
        "displayName": whose.name,
        "mail": whose.login,
        "proxyAddresses": [f"SMTP:{whose.login}", *(f"smtp:{each}" for each in whose.aliases)],
        "accountEnabled": whose.enabled,
        "userType": "Guest" if is_guest else "Member",
        "externalUserState": "Accepted" if is_guest else None,
        "passwordPolicies": "DisablePasswordExpiration" if whose.never_expires else None,
        "onPremisesSyncEnabled": True if whose.where == "synced" else None,
        "createdDateTime": stamp(whose.created_at),
        "lastPasswordChangeDateTime": stamp(whose.changed_at),
        "signInSessionsValidFromDateTime": stamp(whose.sessions_from),
        "signInActivity": {"lastSignInDateTime": stamp(whose.used_at)} if whose.used_at is not None else None,
    }


def registration_row(whose: Person) -> Row:
    """Return a row of the report of what people have registered."""
    methods = [*(["microsoftAuthenticatorPush"] if whose.second_factor else []), *(["email"] if whose.recovery else [])]
    return {
        "id": whose.id,
        "userPrincipalName": whose.login,
        "userDisplayName": whose.name,
        "isAdmin": bool(whose.roles),
        "isSsprRegistered": whose.recovery,
        "isSsprEnabled": whose.recovery,
        "isSsprCapable": whose.recovery,
        "isMfaRegistered": whose.second_factor,
        "isMfaCapable": whose.second_factor,
        "isPasswordlessCapable": False,
        "methodsRegistered": methods,
        "userType": "guest" if whose.where == "guest" else "member",
    }


def method_rows(whose: Person) -> list[Row]:
    """Return the methods that somebody has registered; a password is one of them."""
    kinds = [
        "passwordAuthenticationMethod",
        *(["microsoftAuthenticatorAuthenticationMethod"] if whose.second_factor else []),
        *(["emailAuthenticationMethod"] if whose.recovery else []),
    ]
    return [{"@odata.type": _METHODS + each, "id": group_id(whose.id + each)} for each in kinds]

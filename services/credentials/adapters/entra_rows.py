"""What Microsoft Graph returns of users, methods and domains, and the account that it makes.

Source: Microsoft Graph v1.0, resources user, userRegistrationDetails, domain, authenticationMethod.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import AwareDatetime, Field

from services.credentials.adapters.cloud import Row
from services.credentials.records import Account, Authority, Mark

FIELDS: Final = (
    "id,userPrincipalName,displayName,mail,proxyAddresses,accountEnabled,userType,externalUserState,passwordPolicies,"
    "onPremisesSyncEnabled,createdDateTime,lastPasswordChangeDateTime,signInSessionsValidFromDateTime"
)
"""Graph returns most of these only where they are asked for."""

SYNC_ROLE: Final = "Directory Synchronization Accounts"
_SYNC_LOGINS: Final = ("sync_", "adtoaadsyncserviceaccount")
_GUEST: Final = "#ext#@"
_OUT_OF_BAND: Final = frozenset(
    {
        "#microsoft.graph.fido2AuthenticationMethod",
        "#microsoft.graph.hardwareOathAuthenticationMethod",
        "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod",
        "#microsoft.graph.phoneAuthenticationMethod",
        "#microsoft.graph.platformCredentialAuthenticationMethod",
        "#microsoft.graph.softwareOathAuthenticationMethod",
        "#microsoft.graph.windowsHelloForBusinessAuthenticationMethod",
    }
)
"""Methods that are a second factor. A password, an e-mail address and a temporary pass are none."""


class Reference(Row):
    """Something with an id."""

    id: str


class Named(Reference):
    """Something with an id and a name."""

    display_name: str | None = None


class SignInActivity(Row):
    """When somebody signed in, for tenants with a premium licence."""

    last_sign_in_date_time: AwareDatetime | None = None
    last_non_interactive_sign_in_date_time: AwareDatetime | None = None


class User(Reference):
    """One user."""

    user_principal_name: str | None = None
    display_name: str | None = None
    mail: str | None = None
    proxy_addresses: tuple[str, ...] = ()
    account_enabled: bool | None = None
    user_type: str | None = None
    external_user_state: str | None = None
    password_policies: str | None = None
    on_premises_sync_enabled: bool | None = None
    created_date_time: AwareDatetime | None = None
    last_password_change_date_time: AwareDatetime | None = None
    sign_in_sessions_valid_from_date_time: AwareDatetime | None = None
    sign_in_activity: SignInActivity | None = None
    manager: Reference | None = None


class Registration(Reference):
    """What a user has registered to sign in with, from the report."""

    is_mfa_registered: bool | None = None
    is_sspr_capable: bool | None = None
    is_passwordless_capable: bool | None = None


class Method(Row):
    """One registered method."""

    type: str = Field(alias="@odata.type")


class Domain(Reference):
    """One domain of the tenant."""

    is_verified: bool = False
    authentication_type: str | None = None


class MailboxSettings(Row):
    """What a mailbox is for: `user`, `shared`, `room`, `equipment`."""

    user_purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Powers:
    """Roles and groups by the id of who has them, or can take them."""

    has: Mapping[str, Sequence[str]] = field(default_factory=dict)
    can_take: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What else was read of one user; `mfa` is fresher than the report's word."""

    powers: Powers
    federated: frozenset[str]
    registration: Registration | None = None
    mfa: bool | None = None
    purpose: str | None = None


def account_of(user: User, seen: Seen) -> Account:
    """Return the account that a user is."""
    registered = seen.registration
    mfa = seen.mfa if seen.mfa is not None or registered is None else registered.is_mfa_registered
    return Account(
        object_id=user.id,
        logins=_logins(user),
        name=user.display_name or user.user_principal_name or user.id,
        authority=authority(user, seen.federated),
        enabled=user.account_enabled is not False,
        mail=user.mail,
        marks=_marks(user, seen),
        privileges=tuple(seen.powers.has.get(user.id, ())),
        eligible=tuple(seen.powers.can_take.get(user.id, ())),
        groups=tuple(seen.powers.groups.get(user.id, ())),
        password_changed_at=user.last_password_change_date_time,
        sessions_valid_from=user.sign_in_sessions_valid_from_date_time,
        created_at=user.created_date_time,
        last_used_at=_last_used_at(user.sign_in_activity),
        mfa=mfa,
        recovery=registered.is_sspr_capable if registered is not None else None,
        manager=user.manager.id if user.manager is not None else None,
    )


def authority(user: User, federated: frozenset[str]) -> Authority:
    """Return where the password of a user is decided.

    A synchronised user's is decided in Active Directory, also behind a federated domain: the next change there wins.
    Source: Microsoft Learn, "Implement password hash synchronization".
    """
    login = (user.user_principal_name or "").lower()
    if user.on_premises_sync_enabled:
        return Authority.SYNCED
    if is_guest(user) or login.rpartition("@")[2] in federated:
        return Authority.FEDERATED
    return Authority.CLOUD


def is_guest(user: User) -> bool:
    """Return whether somebody else's directory decides about the user."""
    return _GUEST in (user.user_principal_name or "").lower() or user.external_user_state is not None


def is_second_factor(method: Method) -> bool:
    """Return whether a method is a second factor."""
    return method.type in _OUT_OF_BAND


def _logins(user: User) -> tuple[str, ...]:
    addresses = (each.partition(":") for each in user.proxy_addresses)
    mails = (address for scheme, _, address in addresses if scheme.lower() == "smtp")
    return tuple(dict.fromkeys(each.lower() for each in (user.user_principal_name, user.mail, *mails) if each))


def _marks(user: User, seen: Seen) -> frozenset[Mark]:
    login = (user.user_principal_name or "").lower()
    roles = seen.powers.has.get(user.id, ())
    found = {
        Mark.EXTERNAL: is_guest(user),
        Mark.GUEST: (user.user_type or "").lower() == "guest",
        Mark.SYNC: login.startswith(_SYNC_LOGINS) or SYNC_ROLE in roles,
        Mark.NEVER_EXPIRES: "DisablePasswordExpiration" in (user.password_policies or ""),
        Mark.PASSWORDLESS: seen.registration is not None and bool(seen.registration.is_passwordless_capable),
        Mark.SHARED_MAILBOX: seen.purpose == "shared",
        Mark.RESOURCE: seen.purpose in {"room", "equipment"},
    }
    return frozenset(mark for mark, is_there in found.items() if is_there)


def _last_used_at(activity: SignInActivity | None) -> AwareDatetime | None:
    if activity is None:
        return None
    moments = (activity.last_sign_in_date_time, activity.last_non_interactive_sign_in_date_time)
    return max((each for each in moments if each is not None), default=None)

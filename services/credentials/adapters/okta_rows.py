"""What Okta returns of users, roles, factors and groups, and the account that it makes.

Source: Okta Management API, Users, User Factors, Role Assignments, Groups.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import AwareDatetime, Field

from services.credentials.adapters.cloud import Row
from services.credentials.records import Account, Authority, Mark

DISABLED: Final = frozenset({"STAGED", "SUSPENDED", "DEPROVISIONED"})
WITHOUT_PASSWORD: Final = frozenset({"STAGED", "PROVISIONED", "DEPROVISIONED"})
_AUTHORITIES: Final = {
    "OKTA": Authority.CLOUD,
    "IMPORT": Authority.CLOUD,
    "ACTIVE_DIRECTORY": Authority.SYNCED,
    "LDAP": Authority.SYNCED,
    "FEDERATION": Authority.FEDERATED,
    "SOCIAL": Authority.FEDERATED,
}
"""By type of provider. `IMPORT`: a hash that was brought along, checked by Okta itself."""

_RECOVERS: Final = frozenset({"sms", "call", "push", "token:software:totp", "signed_nonce"})
"""A code by mail is none: it may be in the mailbox that nobody can open without signing in."""

_NO_SECOND: Final = frozenset({"email", "question", "password"})


class Profile(Row):
    """The attributes of a user that matter here; a company has more."""

    login: str | None = None
    email: str | None = None
    second_email: str | None = None
    mobile_phone: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    manager_id: str | None = None


class Provider(Row):
    """Who checks a user's password."""

    type: str | None = None


class Credentials(Row):
    """How a user signs in."""

    provider: Provider | None = None


class OktaUser(Row):
    """One user."""

    id: str
    status: str | None = None
    created: AwareDatetime | None = None
    last_login: AwareDatetime | None = None
    password_changed: AwareDatetime | None = None
    profile: Profile = Field(default_factory=Profile)
    credentials: Credentials | None = None


class Role(Row):
    """A role that a user has, by themselves or through a group."""

    type: str | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """Return what the role is called: the vendor's type, or the label of one that the company made."""
        return (self.label if self.type == "CUSTOM" else self.type) or self.label or "role without a name"


class Factor(Row):
    """A factor that a user has enrolled."""

    factor_type: str
    status: str | None = None


class Assignee(Row):
    """Somebody who has a role."""

    id: str


class GroupProfile(Row):
    """What a group is called."""

    name: str


class OktaGroup(Row):
    """One group."""

    id: str
    profile: GroupProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else was read of one user; `factors` is `None` where they were not read."""

    roles: Collection[str] = ()
    groups: Collection[str] = ()
    factors: Sequence[Factor] | None = None


def account_of(user: OktaUser, beside: Beside) -> Account:
    """Return the account that a user is."""
    profile = user.profile
    names = " ".join(each for each in (profile.first_name, profile.last_name) if each)
    active = [each for each in beside.factors or () if each.status == "ACTIVE"]
    where = authority(user)
    return Account(
        object_id=user.id,
        logins=tuple(dict.fromkeys(each.lower() for each in (profile.login, profile.email) if each)),
        name=profile.display_name or names or profile.login or user.id,
        authority=where,
        enabled=user.status not in DISABLED,
        mail=profile.email,
        marks=frozenset({Mark.EXTERNAL} if where is Authority.FEDERATED else ()),
        privileges=tuple(sorted(set(beside.roles))),
        groups=tuple(sorted(set(beside.groups))),
        password_changed_at=user.password_changed,
        created_at=user.created,
        last_used_at=user.last_login,
        mfa=None if beside.factors is None else any(each.factor_type not in _NO_SECOND for each in active),
        recovery=_has_way_back(profile, beside.factors, active),
        manager=profile.manager_id,
    )


def authority(user: OktaUser) -> Authority:
    """Return where a user's password is decided; a provider that we do not know decides elsewhere."""
    provider = user.credentials.provider if user.credentials is not None else None
    return _AUTHORITIES.get(provider.type or "" if provider is not None else "", Authority.FEDERATED)


def _has_way_back(profile: Profile, factors: Sequence[Factor] | None, active: Sequence[Factor]) -> bool | None:
    """Return whether a user can come back without the mailbox that signing in opens; `None`: not known."""
    if profile.second_email:
        return True
    if factors is None:
        return None
    return any(each.factor_type in _RECOVERS for each in active)

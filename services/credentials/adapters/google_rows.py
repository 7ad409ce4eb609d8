"""What Google's Directory and Reports APIs return, and the account that it makes.

Source: Admin SDK, Directory API v1 (users, roles, roleAssignments, members, groups, asps, tokens), Reports API v1.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, Field

from services.credentials.adapters.cloud import Row
from services.credentials.records import Account, Authority

SUPER_ADMIN: Final = "Super Admin"
DELEGATED_ADMIN: Final = "Delegated Admin"
_NEVER: Final = 1970


class FullName(Row):
    """What somebody is called."""

    full_name: str | None = None


class Relation(Row):
    """Whom somebody belongs to."""

    type: str | None = None
    value: str | None = None


class GoogleUser(Row):
    """One user."""

    id: str
    primary_email: str
    name: FullName | None = None
    aliases: tuple[str, ...] = ()
    non_editable_aliases: tuple[str, ...] = ()
    suspended: bool = False
    archived: bool = False
    is_admin: bool = False
    is_delegated_admin: bool = False
    is_enrolled_in_2sv: bool | None = Field(default=None, alias="isEnrolledIn2Sv")
    is_mailbox_setup: bool | None = None
    change_password_at_next_login: bool | None = None
    org_unit_path: str = "/"
    recovery_email: str | None = None
    recovery_phone: str | None = None
    relations: tuple[Relation, ...] = ()
    creation_time: AwareDatetime | None = None
    last_login_time: AwareDatetime | None = None


class GoogleRole(Row):
    """A role of administrators."""

    role_id: str
    role_name: str | None = None
    is_super_admin_role: bool = False

    @property
    def title(self) -> str:
        """Return what the role is called."""
        return SUPER_ADMIN if self.is_super_admin_role else self.role_name or self.role_id


class RoleAssignment(Row):
    """A role of a user, a group or a program."""

    role_id: str
    assigned_to: str
    assignee_type: str | None = None


class Member(Row):
    """Somebody in a group; one that is no user has an id too."""

    id: str | None = None


class GoogleGroup(Row):
    """One group."""

    id: str | None = None
    email: str
    name: str | None = None


class GoogleDomain(Row):
    """One domain of the customer, or an alias of one."""

    domain_name: str | None = None
    domain_alias_name: str | None = None
    verified: bool = False
    domain_aliases: tuple["GoogleDomain", ...] = ()


class ApplicationPassword(Row):
    """A password for one program, beside the user's own."""

    code_id: int | str


class Granted(Row):
    """A program that a user let in."""

    client_id: str


class EventId(Row):
    """When something happened."""

    time: AwareDatetime


class Actor(Row):
    """Who did it."""

    email: str | None = None
    profile_id: str | None = None


class Parameter(Row):
    """A detail of an event."""

    name: str | None = None
    value: str | None = None


class Event(Row):
    """What happened."""

    name: str | None = None
    parameters: tuple[Parameter, ...] = ()


class Activity(Row):
    """An entry of an audit log."""

    id: EventId
    actor: Actor | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """When a password was changed last, by whom it belongs to and by an administrator, as far as the logs tell."""

    by_person: datetime | None = None
    by_admin: datetime | None = None

    def later(self, *, by_person: datetime | None = None, by_admin: datetime | None = None) -> "Changes":
        """Return these with newer ones, if they are newer."""
        return Changes(by_person=_later(self.by_person, by_person), by_admin=_later(self.by_admin, by_admin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What else was read of one user."""

    roles: Collection[str] = ()
    groups: Collection[str] = ()
    password_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Parts of the tree of organisational units whose passwords are decided elsewhere, as the operator said."""

    federated: tuple[str, ...] = ()
    synced: tuple[str, ...] = ()


def account_of(user: GoogleUser, beyond: Beyond, elsewhere: Elsewhere) -> Account:
    """Return the account that a user is."""
    logins = (user.primary_email, *user.aliases, *user.non_editable_aliases)
    used_at = user.last_login_time
    return Account(
        object_id=user.id,
        logins=tuple(dict.fromkeys(each.lower() for each in logins)),
        name=(user.name.full_name if user.name is not None else None) or user.primary_email,
        authority=authority(user, elsewhere),
        enabled=not (user.suspended or user.archived),
        mail=None if user.is_mailbox_setup is False else user.primary_email,
        privileges=_privileges(user, beyond.roles),
        groups=tuple(sorted(set(beyond.groups))),
        password_changed_at=beyond.password_changed_at,
        created_at=user.creation_time,
        last_used_at=used_at if used_at is not None and used_at.year > _NEVER else None,
        mfa=user.is_enrolled_in_2sv,
        recovery=bool(user.recovery_email or user.recovery_phone),
        manager=next((each.value for each in user.relations if each.type == "manager"), None),
    )


def authority(user: GoogleUser, elsewhere: Elsewhere) -> Authority:
    """Return where a user's password is decided. Super administrators sign in at Google itself, always.

    Source: Google Workspace Admin Help, "Set up SSO": super administrators are not sent to another provider.
    """
    if _lies_in(user.org_unit_path, elsewhere.synced):
        return Authority.SYNCED
    if not user.is_admin and _lies_in(user.org_unit_path, elsewhere.federated):
        return Authority.FEDERATED
    return Authority.CLOUD


def changes_in(activities: Iterable[Activity]) -> dict[str, Changes]:
    """Return the last changes of passwords, by id or mail address, lower case, of whose they are.

    What a person changes names them as the actor, what an administrator changes names them as `USER_EMAIL`.
    """
    found: dict[str, Changes] = {}
    for activity in activities:
        at = activity.id.time
        for event in activity.events:
            person = [activity.actor.profile_id, activity.actor.email] if activity.actor is not None else []
            if event.name == "CHANGE_PASSWORD":
                for each in event.parameters:
                    if each.name == "USER_EMAIL" and each.value:
                        found[each.value.lower()] = found.get(each.value.lower(), Changes()).later(by_admin=at)
            elif event.name == "password_edit":
                for whose in (each.lower() for each in person if each):
                    found[whose] = found.get(whose, Changes()).later(by_person=at)
    return found


def changed_at(user: GoogleUser, changes: Iterable[Changes]) -> datetime | None:
    """Return when a user's password was changed last; `None`: the logs do not tell, or not yet.

    Who has to choose a new password has one that an administrator set. As long as the logs show only an older choice of
    their own, that change is still on its way into them.
    """
    whole = Changes()
    for each in changes:
        whole = whole.later(by_person=each.by_person, by_admin=each.by_admin)
    by_person, by_admin = whole.by_person, whole.by_admin
    is_late = by_admin is None or (by_person is not None and by_person > by_admin)
    if user.change_password_at_next_login and is_late:
        return None
    return _later(by_person, by_admin)


def _privileges(user: GoogleUser, roles: Collection[str]) -> tuple[str, ...]:
    found = {*roles, *([SUPER_ADMIN] if user.is_admin else [])}
    return tuple(sorted(found or ({DELEGATED_ADMIN} if user.is_delegated_admin else found)))


def _lies_in(path: str, units: tuple[str, ...]) -> bool:
    return any(unit in {"/", path} or path.startswith(unit.rstrip("/") + "/") for unit in units)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)

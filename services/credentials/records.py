"""What the rooms of this service hand to each other: accounts as directories show them, identities as we know them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.events.credential import AccountKind
from contracts.events.event import Event


class Authority(StrEnum):
    """Where an account's password is decided. Only there can it be made invalid."""

    CLOUD = "cloud"
    SYNCED = "synced"
    ON_PREM = "on_prem"
    FEDERATED = "federated"


class Mark(StrEnum):
    """What an adapter sees at an account and `rules_identity` weighs; each adapter's page says which it can see."""

    SERVICE_NAME = "service_name"
    MANAGED_SERVICE = "managed_service"
    NEVER_EXPIRES = "never_expires"
    SYNC = "sync"
    SHARED_MAILBOX = "shared_mailbox"
    RESOURCE = "resource"
    GUEST = "guest"
    SMARTCARD = "smartcard"
    ADMIN_COUNT = "admin_count"
    PROTECTED_USERS = "protected_users"
    BUILT_IN = "built_in"
    PASSWORDLESS = "passwordless"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account as a directory shows it now. `object_id` never changes; logins do.

    `None` for `mfa` and `recovery`: the directory cannot tell. `privileges` are roles and groups that give power,
    `eligible` those that the account can take by itself; every other group it is in, nested ones too where the
    directory tells, is in `groups`, by name: a client may say that one gives power. `password_changed_at` is the
    directory's own clock.
    """

    object_id: str
    logins: tuple[str, ...]
    name: str
    authority: Authority
    enabled: bool
    mail: str | None = None
    marks: frozenset[Mark] = frozenset()
    privileges: tuple[str, ...] = ()
    eligible: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    password_changed_at: datetime | None = None
    sessions_valid_from: datetime | None = None
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    mfa: bool | None = None
    recovery: bool | None = None
    manager: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An account as we know it: who it belongs to, what kind it is and why, and when it was read."""

    tenant: UUID
    directory: str
    account: Account
    kind: AccountKind
    kind_why: str
    privileged: bool
    read_at: datetime

    @property
    def object_id(self) -> str:
        """Return the directory's immutable id."""
        return self.account.object_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What made us act, and how it can be followed."""

    id: UUID
    received_at: datetime
    traceparent: str | None = None
    correlation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened, for `telling.tell`: an event on the topic and an entry in the client's audit.

    `key` is the case's id, or the subject of what is about no case.
    `evidence` goes into the audit alone; never a secret.
    """

    tenant: UUID
    key: str
    event: Event
    at: datetime
    cause: Cause
    by: str = "patchline"
    evidence: Sequence[tuple[str, str]] = field(default=())

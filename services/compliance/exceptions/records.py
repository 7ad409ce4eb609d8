"""Exceptions as decisions see them: who may have one until when, and what was granted. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Lane(StrEnum):
    """For what an exception is: `DEFERRAL`, it is patched later; `ISOLATED`, it can never be patched and is kept apart.

    Source: playbook steps 1 (deferrals) and 3 (isolated lane).
    """

    DEFERRAL = "deferral"
    ISOLATED = "isolated"


class ControlKind(StrEnum):
    """What a compensating control does. The first three are what an isolated machine needs. Source: playbook step 3."""

    SEGMENTATION = "segmentation"
    RESTRICTED_ACCESS = "restricted_access"
    MONITORING = "monitoring"
    WORKAROUND = "workaround"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Control:
    """A compensating control in the words of whoever asked for the exception."""

    kind: ControlKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks for. `title` and `machines` name the requirement and the machines for people.

    `renews` is the exception that this one goes on after, `renewal` the how manieth renewal it would be.
    """

    id: UUID
    tenant_id: UUID
    lane: Lane
    requirement_id: UUID | None
    title: str
    asset_ids: tuple[UUID, ...] | None
    machines: tuple[str, ...]
    reason: str
    controls: tuple[Control, ...]
    valid_from: datetime
    until: datetime
    renews: UUID | None
    renewal: int
    requested_at: datetime
    requested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerKey:
    """A client's owner, whose signature counts until the enrolment is revoked."""

    id: UUID
    name: str
    public_key: bytes
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signoff:
    """What the command line brought: a text that is said to be signed, and its signature. Not believed yet."""

    id: UUID
    exception_id: UUID
    tenant_id: UUID
    statement: str
    signature: bytes
    brought_at: datetime


class Chapter(StrEnum):
    """What becomes of a request, each once. After `REFUSED`, `LAPSED`, `EXPIRED` and `REVOKED` it is over."""

    REQUESTED = "requested"
    REFUSED = "refused"
    LAPSED = "lapsed"
    GRANTED = "granted"
    RENEWED = "renewed"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An exception that the client's owner signed.

    `requirement_id` `None`: every requirement of the machines (the isolated lane alone); `asset_ids` `None`: every
    machine of the client. It holds from `valid_from`, up to and without `until` or the moment of its revocation.
    `renewal`: the how manieth renewal it is.
    """

    id: UUID
    tenant_id: UUID
    requirement_id: UUID | None
    asset_ids: frozenset[UUID] | None
    valid_from: datetime
    until: datetime
    revoked_at: datetime | None = None
    lane: Lane = Lane.DEFERRAL
    renewal: int = 0

    @property
    def ends_at(self) -> datetime:
        """When it ends: at its expiry, or sooner when it was revoked."""
        return self.until if self.revoked_at is None else min(self.until, self.revoked_at)

    def covers(self, asset_id: UUID, requirement_id: UUID) -> bool:
        """Return whether it is about this obligation, at whatever time."""
        is_machine = self.asset_ids is None or asset_id in self.asset_ids
        return is_machine and (self.requirement_id is None or requirement_id == self.requirement_id)

    def holds_at(self, at: datetime) -> bool:
        """Return whether it is valid at this moment."""
        return self.valid_from <= at < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Updates (`patches`, as the catalog names releases) that the service level leaves out for a while.

    The security clock runs on: figures are shown with and without it. `ended_at`: a person ended it sooner.
    Source: service definition, service level.
    """

    id: UUID
    tenant_id: UUID
    patches: tuple[str, ...]
    reason: str
    approver: str
    valid_from: datetime
    until: datetime
    recorded_at: datetime
    ended_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When it ends."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

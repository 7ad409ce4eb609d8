"""People as this service knows them: who may decide, what they were asked, and what they said."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.credentials.records import Cause, Fact


class RequestState(StrEnum):
    """How a question about a case stands. `EXPIRED` and `WITHDRAWN`: ask again."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    """For what somebody is enrolled: to decide about resets, or as a client's owner, to sign for that client."""

    APPROVER = "approver"
    OWNER = "owner"


class Way(StrEnum):
    """How somebody decided: by the link that was mailed to them, or with their enrolled key."""

    LINK = "link"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """An enrolled person. `accounts`: folded names by which directories know them; `tenants` `None`: every client."""

    id: UUID
    name: str
    mail: str
    accounts: frozenset[str]
    tenants: frozenset[UUID] | None
    public_key: bytes
    enrolled_at: datetime
    enrolled_by: str
    revoked_at: datetime | None = None
    role: Role = Role.APPROVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked about one case. `exposed` holds every name of the exposed account: logins, id, mail address."""

    tenant: UUID
    case: UUID
    login: str
    exposed: frozenset[str]
    why: str
    needed: int
    expires_at: datetime
    cause: Cause
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question that was asked."""

    id: UUID
    tenant: UUID
    case: UUID
    number: int
    login: str
    identity: str | None
    exposed: frozenset[str]
    why: str
    nonce: str
    needed: int
    asked_at: datetime
    expires_at: datetime
    state: RequestState
    cause: Cause


@dataclass(frozen=True, slots=True)
class Vote:
    """What one approver said about one request."""

    approver: UUID
    approve: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A vote as it comes in, with where it came from. `event` recognises a repeat; `evidence` is for the audit."""

    event: UUID
    request: UUID
    approver: UUID
    approve: bool
    way: Way
    cause: Cause
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the newest question about a case stands now. `by`: ids of those who agreed."""

    state: RequestState
    given: int
    needed: int
    expires_at: datetime
    by: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A question ended: the case can go on, or not. `why` in words for the case."""

    tenant: UUID
    case: UUID
    request: UUID
    state: RequestState
    why: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What became of ballots: those that count, what is to be told, which questions ended, why others do not count."""

    new: tuple[Ballot, ...] = ()
    facts: tuple[Fact, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    uncounted: tuple[tuple[UUID, str], ...] = ()
    repeated: frozenset[UUID] = frozenset()

"""The values that cases are made of: rules decide over them, the store keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.events.credential import AccountKind, CaseStep, Decision
from contracts.events.exposure import ExposureFound
from services.credentials.records import Cause, Identity


class Strength(StrEnum):
    """How well an exposure shows that a secret in use is in other hands."""

    WEAK = "weak"
    REAL = "real"


class Rule(StrEnum):
    """The rows of the decision table, by name; `rules_decision` says what each means."""

    FOREIGN = "foreign"
    AMBIGUOUS = "ambiguous"
    NOBODY = "nobody"
    DISABLED = "disabled"
    PROTECTED_KIND = "protected_kind"
    LAST_ADMIN = "last_admin"
    REMEDIATED = "remediated"
    WEAK = "weak"
    ELSEWHERE = "elsewhere"
    BREAKER = "breaker"
    COOLING = "cooling"
    TURNED_DOWN = "turned_down"
    FAILED = "failed"
    APPROVED = "approved"
    PRIVILEGED = "privileged"
    UNKNOWN_KIND = "unknown_kind"
    NAMED_BY_CLIENT = "named_by_client"
    NO_WAY_BACK = "no_way_back"
    NOT_ALLOWED = "not_allowed"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What all exposures of a case show together.

    A password that was changed after `at` is not the exposed one. `session`: a session was exposed too, which a new
    password alone does not end.
    """

    strength: Strength
    at: datetime
    session: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One exposure as it arrived. `source` is the feed's place at our door, such as `exposure/spycloud/main`."""

    tenant: UUID
    source: str
    found: ExposureFound
    occurred_at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the table says, which of its rows said so, and why in words."""

    decision: Decision
    rule: Rule
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whom a login belongs to. `identity` is `None` where nobody has it, or where that cannot be told.

    `domains` are those that the client's directories have proven as their own; empty: none is known. `accounts` are all
    that have the login, copies in other directories among them.
    """

    login: str
    identity: Identity | None
    ambiguous: bool = False
    domains: frozenset[str] = frozenset()
    accounts: tuple[Identity, ...] = ()


class StepState(StrEnum):
    """`PASSED`: gone on without it. `UNCERTAIN`: an act may have happened, nobody knows."""

    PENDING = "pending"
    LEASED = "leased"
    UNCERTAIN = "uncertain"
    PARKED = "parked"
    PASSED = "passed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One exposed person or account of a client; what each field means is said in `0001_case.sql`."""

    id: UUID
    tenant: UUID
    key: str
    number: int
    login: str
    directory: str | None
    object_id: str | None
    kind: AccountKind
    privileged: bool
    evidence: Evidence
    verdict: Verdict
    dry_run: bool
    feed: str
    source: str
    breach: str | None
    cause: Cause
    occurred_at: datetime
    opened_at: datetime
    exposures: int = 1
    approved: bool = False
    turned_down: bool = False
    failed: str | None = None
    retry_at: datetime | None = None
    told_by_hand: str | None = None
    ticket_key: str | None = None
    ticket_number: str | None = None
    ticket_closed_at: datetime | None = None
    password_before: datetime | None = None
    password_after: datetime | None = None
    reset_at: datetime | None = None
    closed_at: datetime | None = None
    proof: str | None = None

    @property
    def is_foreign(self) -> bool:
        """Return whether the login's domain is none of the client's."""
        return self.verdict.rule is Rule.FOREIGN


Steps = Mapping[CaseStep, StepState]
"""How far a case is: the steps that have a row, each with its state."""

"""What the guard hands to the other rooms: breakers, counts, permits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.events.credential import BreakerState, CaseStep
from services.credentials.guard.policy import GlobalPolicy, GuardPolicy
from services.credentials.records import Cause

EVERYONE: Final[UUID] = ids.EVERYONE
"""Stands where a client's id would, for what holds for all clients together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker as it stands. `moved_at` is `None` as long as it never moved; counts begin at `armed_at`, if any."""

    state: BreakerState = BreakerState.ARMED
    why: str = ""
    moved_by: str = ""
    moved_at: datetime | None = None
    armed_at: datetime | None = None
    moves: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a machine did in the last hour, since the breaker was armed: `acted` counts accounts.

    `persons` are the enabled persons of the client's directories; 0 where nobody counted them.
    """

    acted: int = 0
    privileged: int = 0
    finished: int = 0
    failed: int = 0
    persons: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What the feeds named in the last hour, since the breaker was armed, and what is usual.

    `usual_per_day` is the median of the days of the last 30 on which anybody was named; 0: there is none yet.
    `sources` named somebody within the hour, `known_sources` within 30 days.
    """

    accounts: int = 0
    privileged: int = 0
    sources: int = 0
    known_sources: int = 0
    usual_per_day: float = 0
    largest_delivery: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarding:
    """What holds for one client now. `version` 0: nobody described it yet, and the strictest policy holds."""

    policy: GuardPolicy
    version: int
    tenant: Breaker
    everyone: Breaker
    counts: Counts

    @property
    def held(self) -> str | None:
        """Return why nothing may be reset now, in words; `None`: no breaker stands in the way."""
        for breaker, whose in ((self.everyone, "the breaker for all clients"), (self.tenant, "the client's breaker")):
            if breaker.state is not BreakerState.ARMED:
                return f"{whose} is {breaker.state.value}: {breaker.why}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Everyone:
    """What holds for all clients together."""

    policy: GlobalPolicy
    breaker: Breaker
    counts: Counts
    tripped_clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One account that a feed named. `account` is its identity key or its login, `named` the delivery's logins."""

    tenant: UUID
    source: str
    account: str
    privileged: bool
    named: int
    received_at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A step of a case that writes in a directory, about to begin."""

    tenant: UUID
    case: UUID
    step: CaseStep
    privileged: bool
    cause: Cause


@dataclass(frozen=True, slots=True)
class Permit:
    """An act may begin, but not later than `until`: then it must be asked for again."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """An act must not begin. `why` is for people; it may begin once a person has armed the breaker again."""

    why: str


@dataclass(frozen=True, slots=True)
class Trip:
    """A reason to trip a breaker, in words, and how many accounts are not acted on because of it."""

    why: str
    held: int = 0

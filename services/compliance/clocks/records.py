"""What is kept of windows and deadlines, as values. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.events.event import OsFamily, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWindow:
    """One window of one client, in UTC; `end_at` itself is outside. `note` is what a change of the clocks did to it."""

    tenant_id: UUID
    name: str
    start_at: datetime
    end_at: datetime
    local: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRule:
    """A window of a client's policy, and up to when its occurrences are written down.

    `empty`: none is to come. `last_end_at` is when the last one that is written down ends.
    """

    tenant_id: UUID
    name: str
    digest: str
    zone: str
    tzdata: str
    spread_until: datetime
    empty: bool
    last_end_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tzdata:
    """A version of the tz data and since when the service reads it."""

    number: int
    version: str
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A zone is another one from `first_at` on; it was noticed at `noticed_at`, and `why` says it to people."""

    why: str
    first_at: datetime
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An obligation that was due at another moment until something moved it at `noticed_at`."""

    asset_id: UUID
    requirement_id: UUID
    tenant_id: UUID
    was_due_at: datetime
    due_at: datetime | None
    why: str
    noticed_at: datetime
    product: str
    train: str
    source: str | None
    device: str | None
    hostname: str | None
    os_family: OsFamily
    tier: Tier

"""The rows that evidence and decisions are kept in, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import State
from contracts.order import in_utc
from services.compliance.catalog.model import Requirement
from services.compliance.policy import ProofClass
from services.compliance.rules import Decision
from services.compliance.rules_assets import Asset
from services.compliance.rules_figures import Counted
from services.compliance.rules_fold import NO_SIGN, NO_WORD, DeviceRegisters, PatchRegisters
from services.compliance.rules_names import PatchName
from services.compliance.rules_views import LONGEST_SAW, Saying

LONGEST_WHY: Final = 2000
"""What an event's text takes, less some; only names at their longest come near."""

BY_WORD: Final = "attested"
"""How a person came to know, where a source has its method."""


class Device(NamedTuple):
    """What one source says of one device. `asset_id`: `None` while inventory has not told of it."""

    device_id: UUID
    tenant_id: UUID
    source: str
    device: str
    asset_id: UUID | None = None
    registers: DeviceRegisters = NO_SIGN


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A person's word that a machine has a release: who looked when, and the digest of what was shown for it."""

    id: UUID
    tenant_id: UUID
    asset_id: UUID
    requirement_id: UUID
    release: str
    attested_at: datetime
    attested_by: str
    reason: str
    evidence: str
    evidence_name: str

    @property
    def saying(self) -> Saying:
        """Return it as a witness's word."""
        return Saying(
            self.attested_at, str(self.id), self.attested_by, BY_WORD, f"attested {self.release}"[:LONGEST_SAW]
        )


class Evidence(NamedTuple):
    """What one source says of one patch on one device. `requirement_id`: `None` while it is parked."""

    device_id: UUID
    tenant_id: UUID
    name: PatchName
    requirement_id: UUID | None = None
    registers: PatchRegisters = NO_WORD

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the vendor calls it: its id, then its title."""
        title = self.registers.naming.title if self.registers.naming else None
        return (self.name.patch, title) if title else (self.name.patch,)


_ATTESTED: Final = ProofClass.ATTESTED
"""Named once: Python 3.11 looks a member of an enum up each time."""


class Obligation(NamedTuple):
    """One asset, one requirement, and how it stands. `moments` are written as ISO 8601.

    `rule` is the row by which it is due, `proof` the kind of evidence that verified it, `breached_at` the deadline that
    passed, where the client's policy tells of breaches.
    """

    asset_id: UUID
    requirement_id: UUID
    tenant_id: UUID
    product: str
    train: str
    os_family: OsFamily
    tier: Tier
    severity: Severity
    state: State
    why: str
    since_at: datetime
    release: str | None
    clock_started_at: datetime | None
    due_at: datetime | None
    next_change_at: datetime | None
    verified_at: datetime | None
    failures: int
    code: str | None
    moments: Mapping[str, str]
    rule: str | None = None
    proof: ProofClass | None = None
    breached_at: datetime | None = None

    @property
    def counted(self) -> Counted:
        """Return as what figures count it."""
        return Counted(self.tenant_id, self.os_family, self.tier, self.severity, self.state, self.proof is _ATTESTED)


def obligation(asset: Asset, requirement: Requirement, decision: Decision) -> Obligation:
    """Return the row of a decision."""
    return Obligation(
        asset.asset_id,
        requirement.id,
        asset.tenant_id,
        requirement.product.name,
        requirement.train,
        asset.os_family,
        asset.tier,
        decision.severity,
        decision.state,
        decision.why[:LONGEST_WHY],
        decision.since,
        decision.release,
        decision.clock_started_at,
        decision.due_at,
        decision.next_change_at,
        decision.verified_at,
        decision.failures,
        decision.code,
        {name: written(at) for name, at in decision.moments.items()},
        decision.rule,
        decision.proof,
        decision.breached_at,
    )


@lru_cache(maxsize=4096)
def written(at: datetime) -> str:
    """Return a moment in UTC as `isoformat` writes it. A release's and a scan's are the same for many obligations."""
    return to_json(in_utc(at))[1:-2].decode() + "+00:00"


_NEXT_CHANGE: Final = Obligation._fields.index("next_change_at")


def stands(before: Obligation, after: Obligation, now: datetime) -> bool:
    """Return whether nothing need be saved.

    Every scan puts off the moment at which it would be stale. A moment that was set too early is left: its timer finds
    the state as it was and sets the next one, which is once in two weeks instead of once a scan.
    """
    if after == before:
        return True
    earlier, later = before.next_change_at, after.next_change_at
    if earlier is None or later is None or not now < earlier <= later:
        return False
    return after[:_NEXT_CHANGE] == before[:_NEXT_CHANGE] and after[_NEXT_CHANGE + 1 :] == before[_NEXT_CHANGE + 1 :]

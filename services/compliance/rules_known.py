"""What one asset is judged by, and what comes of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import NamedTuple
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.compliance.catalog.model import Catalog
from services.compliance.exceptions.records import Granted
from services.compliance.policy import Policy
from services.compliance.rules_assets import Asset
from services.compliance.rules_cause import Part
from services.compliance.rules_figures import Moves
from services.compliance.rules_rows import Attestation, Device, Evidence, Obligation
from services.compliance.rules_uncatalogued import Failing
from services.compliance.rules_views import Saying


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that is known of one asset, or at least of the parts in the scope.

    `policy` and `zone` are its client's; `granted` and `attested` what was decided and said by people about it.
    `merged_into`: inventory says that it is this other asset; then it owes nothing of its own.
    """

    asset: Asset
    policy: Policy
    zone: tzinfo
    devices: Mapping[UUID, Device]
    evidence: Sequence[Evidence]
    obligations: Mapping[UUID, Obligation]
    failing: Mapping[UUID, Failing]
    granted: Sequence[Granted] = ()
    attested: Sequence[Attestation] = ()
    merged_into: UUID | None = None


class Transition(NamedTuple):
    """One line of history. `policy`: by which it was judged."""

    told: Envelope
    before: State | None
    after: Obligation
    caused_by: UUID | None
    policy: str


class Heard(NamedTuple):
    """One witness of one obligation."""

    obligation: Obligation
    saying: Saying


@dataclass(slots=True)
class Outcome:
    """What to save and tell. `events` are in the order in which subscribers must hear them.

    `decided` and `failing_now` say how it stands with those assets that a device came to just now. `judged` is how many
    obligations were decided, changed or not, and how many patches' evidence was looked at for it.
    """

    assets: list[Asset] = field(default_factory=list)
    resolved: list[Evidence] = field(default_factory=list)
    obligations: list[Obligation] = field(default_factory=list)
    withdrawn: list[Obligation] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    witnesses: list[Heard] = field(default_factory=list)
    failing: list[Failing] = field(default_factory=list)
    moves: Moves = field(default_factory=dict)
    events: list[Envelope] = field(default_factory=list)
    decided: dict[Part, Obligation] = field(default_factory=dict)
    failing_now: dict[Part, bool] = field(default_factory=dict)
    judged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What decisions are made with: the catalog, the policies and the present moment.

    `policy` is for clients who have none of their own.
    """

    catalog: Catalog
    policy: Policy
    now: datetime
    own: Mapping[UUID, Policy] = field(default_factory=dict)

    def policy_of(self, tenant_id: UUID) -> Policy:
        """Return the policy by which a client's obligations are judged."""
        return self.own.get(tenant_id, self.policy)

"""What one asset is judged by, and what comes of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.compliance.catalog.model import Catalog
from services.compliance.policy import Policy
from services.compliance.rules_assets import Asset
from services.compliance.rules_cause import Part
from services.compliance.rules_figures import Cell
from services.compliance.rules_rows import Device, Evidence, Obligation
from services.compliance.rules_uncatalogued import Failing
from services.compliance.rules_views import Saying


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that is known of one asset, or at least of the parts in the scope.

    `merged_into`: inventory says that it is this other asset; then it owes nothing of its own.
    """

    asset: Asset
    zone: tzinfo
    devices: Mapping[UUID, Device]
    evidence: Sequence[Evidence]
    obligations: Mapping[UUID, Obligation]
    failing: Mapping[UUID, Failing]
    merged_into: UUID | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of history."""

    told: Envelope
    before: State | None
    after: Obligation
    caused_by: UUID | None


@dataclass(frozen=True, slots=True)
class Heard:
    """One witness of one obligation."""

    obligation: Obligation
    saying: Saying


@dataclass(slots=True)
class Outcome:
    """What to save and tell. `events` are in the order in which subscribers must hear them.

    `decided` and `failing_now` say how it stands with those assets that a device came to just now.
    """

    assets: list[Asset] = field(default_factory=list)
    resolved: list[Evidence] = field(default_factory=list)
    obligations: list[Obligation] = field(default_factory=list)
    withdrawn: list[Obligation] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    witnesses: list[Heard] = field(default_factory=list)
    failing: list[Failing] = field(default_factory=list)
    touched: set[Cell] = field(default_factory=set)
    events: list[Envelope] = field(default_factory=list)
    decided: dict[Part, State] = field(default_factory=dict)
    failing_now: dict[Part, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What decisions are made with: the catalog, the policy and the present moment."""

    catalog: Catalog
    policy: Policy
    now: datetime

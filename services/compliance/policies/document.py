"""A client's policy file as it is read: what was agreed, in the client's and the regimes' own words.

`reading.py` reads it, `compile.py` makes of it what decisions need. docs/policies.md describes every field.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.events.event import OsFamily, Severity, Tier
from services.compliance.policies.parts import (
    Count,
    DeploymentRule,
    Due,
    Duration,
    MissedWindow,
    Part,
    Reason,
    RebootRule,
    Rings,
    Validity,
    WindowEntry,
    Word,
)
from services.compliance.policy import Category, Level, ProofClass, Starts

Measure = Literal["deployment", "verification"]


class RegimeEntry(Part):
    """A preset that the client follows. `accept_proposed`: it is a proposal, not in force, and that is known."""

    preset: Word
    accept_proposed: bool = False


class SlaRow(Part):
    """One row of the client's own table. A list that is left out means any; the first row that fits counts.

    `due: null`: agreed that no clock runs. `measure`: what the deadline promises, that the package was sent or that
    its installation is verified; the obligation's clock is the same.
    """

    tiers: tuple[Tier, ...] = ()
    severities: tuple[Severity, ...] = ()
    categories: tuple[Category, ...] = ()
    exposure: Literal["any", "exposed", "not_exposed"] = "any"
    ephi: bool | None = None
    due: Due | None
    clock_start: Starts = Starts.RELEASE
    measure: Measure = "verification"
    ends_with_day: bool = False


class ExceptionRules(Part):
    """Whether an obligation may be excepted, for how long, and how often anew."""

    allowed: bool = True
    longest: Due = "P90D"
    renewals: Count = 1
    warn_before: Due = "P14D"


class ServiceLevel(Part):
    """What is promised of a class of machines: the mean of the month's local days, F-STRICT at `at`, in percent."""

    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    at_least: Annotated[float, Field(gt=0, le=100)]
    formula: Literal["F-STRICT"] = "F-STRICT"
    average: Literal["month_of_days"] = "month_of_days"
    at: Literal["23:59"] = "23:59"


class ScopeRules(Part):
    """What is listed outside the population, each with its reason: trains, products, machines by name."""

    trains: dict[Word, Reason] = Field(
        default_factory=lambda: {
            "definitions": "definition updates are renewed several times a day and are not counted"
        }
    )
    products: dict[Word, Reason] = Field(default_factory=dict)
    machines: dict[Word, Reason] = Field(default_factory=dict)


class EvidencePart(Part):
    """What proves a release on one operating system, how many sources must agree, and how it is patched there."""

    accepts: frozenset[ProofClass] = frozenset(ProofClass)
    quorum: Annotated[int, Field(ge=1, le=3)] = 1
    patch_method: Word | None = None
    verified_by: Word | None = None

    @model_validator(mode="after")
    def _something(self) -> "EvidencePart":
        if not self.accepts:
            raise ValueError("accepts: with no proof at all nothing could ever be verified")
        return self


class TagRules(Part):
    """The client's own words for inventory's tags, beside the usual ones; compared without case."""

    exposed: frozenset[Word] = frozenset()
    not_exposed: frozenset[Word] = frozenset()
    isolated: frozenset[Word] = frozenset()
    business: dict[Word, Level] = Field(default_factory=dict)


class Entitlement(Part):
    """Extended support that was bought: until when `product` is supported."""

    product: Word
    supported_until: Validity
    note: Reason | None = None


class Monitor(Part):
    """One monitor of the service: on or off, and how long it may take to notice at most."""

    on: bool = False
    detect_within: Duration = "PT24H"


class OutOfDate(Monitor):
    """Tells of a device whose newest cumulative release is older than `after`."""

    after: Duration = "P45D"


class SilentSource(Monitor):
    """Tells of a source that reported nothing of this client for `after`."""

    after: Duration = "PT24H"


class Monitors(Part):
    """The monitors of the service document. All are off until a policy switches them on."""

    updates_failed: Monitor = Monitor()
    updates_installed: Monitor = Monitor()
    missing_service_pack: Monitor = Monitor()
    out_of_date: OutOfDate = OutOfDate()
    silent_source: SilentSource = SilentSource()


class Breaches(Part):
    """Whether an overdue obligation gets a ticket."""

    tickets: bool = True


class PolicyDocument(Part):
    """One client's policy. Only `client`, `zone` and `valid_from` must be said; of tiers not named, nothing is done.

    `valid_from` is a moment with its offset. `valid_until`: it ends by itself; the version before holds again.
    """

    client: Word
    title: Word | None = None
    valid_from: Validity
    valid_until: Validity | None = None
    zone: Word
    stale_after: Duration = "P14D"
    regimes: tuple[RegimeEntry, ...] = ()
    sla: tuple[SlaRow, ...] = ()
    windows: dict[Word, WindowEntry] = Field(default_factory=dict)
    deployment: dict[Tier, DeploymentRule] = Field(default_factory=dict)
    reboot: dict[Tier, RebootRule] = Field(default_factory=dict)
    missed_window: MissedWindow = MissedWindow()
    rings: Rings = Rings()
    exceptions: ExceptionRules = ExceptionRules()
    service_levels: tuple[ServiceLevel, ...] = ()
    scope: ScopeRules = ScopeRules()
    evidence: dict[OsFamily, EvidencePart] = Field(default_factory=dict)
    tags: TagRules = TagRules()
    entitlements: tuple[Entitlement, ...] = ()
    monitors: Monitors = Monitors()
    breaches: Breaches = Breaches()

    @model_validator(mode="after")
    def _consistent(self) -> "PolicyDocument":
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError("valid_until: it ends before it begins")
        named = {name for rule in self.deployment.values() for name in rule.windows}
        for rule in self.reboot.values():
            named |= set(getattr(rule, "windows", ()))
        if unknown := sorted(named - set(self.windows)):
            raise ValueError(f"windows: there is none called {', '.join(unknown)}")
        if not self.regimes and not self.sla:
            raise ValueError("say at least one of regimes and sla: without both no clock would ever run")
        return self

    def holds_at(self, at: datetime) -> bool:
        """Return whether `at` lies in its validity."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)

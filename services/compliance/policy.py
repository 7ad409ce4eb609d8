"""The policy as decisions see it: which clocks run for what, what proves, who is looked for. Pure.

The file that a service manager writes is read in `policies/`; presets are data there too. Both end as a `Policy`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from contracts.events.event import OsFamily, Severity, Tier
from services.compliance.subjects import NO_RISK, Category, Level, Risk, Subject, When

__all__ = ["NO_RISK", "Category", "Level", "Risk", "Subject", "When"]


@dataclass(frozen=True, slots=True)
class Hours:
    """Exact hours: 24 of them are 24 of them, whatever the clocks on the wall do."""

    hours: int


@dataclass(frozen=True, slots=True)
class Days:
    """Calendar days in the client's zone: the same time on the wall so many days later."""

    days: int


@dataclass(frozen=True, slots=True)
class Months:
    """Calendar months in the client's zone: the same day of the month, or its last where that month is shorter."""

    months: int


Term = Hours | Days | Months


class Starts(StrEnum):
    """What a clock counts from. Source: the regimes' own words (see `policies/presets`)."""

    RELEASE = "release"
    DETECTION = "detection"
    KEV_ADDED = "kev_added"
    APPROVAL = "approval"
    LATER_OF_RELEASE_AND_FIRST_SEEN = "later_of_release_and_first_seen"
    LATER_OF_RELEASE_AND_DETECTION = "later_of_release_and_detection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a table: what it is for, and until when. `within` is `None`: at the next upgrade, so no clock.

    `ends_with_day`: the deadline is the last second of its day in the client's zone. `extra` names further obligations
    (`forensic_triage`) that must be met before the patch is.
    """

    id: str
    when: When
    within: Term | None
    starts: Starts = Starts.RELEASE
    ends_with_day: bool = False
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A table of rules; the first that holds counts. No rule holds: this regime asks for nothing."""

    id: str
    rules: tuple[Rule, ...]

    def rule_for(self, subject: Subject) -> Rule | None:
        """Return the row for `subject`."""
        return next((rule for rule in self.rules if rule.when.holds(subject)), None)


class ProofClass(StrEnum):
    """What kind of evidence shows that a release is there. A deployer's own word is none of them."""

    BUILD = "build"
    BOOT = "boot"
    SECOND_SOURCE = "second_source"
    ATTESTED = "attested"


ALL_PROOFS: Final = frozenset({ProofClass.BUILD, ProofClass.BOOT, ProofClass.SECOND_SOURCE, ProofClass.ATTESTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRule:
    """Which evidence counts on an operating system, and how many sources must agree.

    `patch_method` and `verified_by` are the client's own words for how it is patched and what is looked at.
    """

    accepts: frozenset[ProofClass] = ALL_PROOFS
    quorum: int = 1
    patch_method: str | None = None
    verified_by: str | None = None


USUAL_EVIDENCE: Final = EvidenceRule()
RINGS: Final = ("canary", "pilot", "production")
"""In the order in which a release goes through them. Source: playbook step 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagWords:
    """Which of inventory's tags say what, compared without case. The client's own words may be added to these."""

    exposed: frozenset[str] = frozenset({"internet-facing", "exposed", "dmz"})
    not_exposed: frozenset[str] = frozenset({"internal"})
    isolated: frozenset[str] = frozenset({"isolated"})
    business: Mapping[str, Level] = field(
        default_factory=lambda: {f"impact:{level.value.replace('_', '-')}": level for level in Level}
    )
    rings: Mapping[str, str] = field(default_factory=lambda: {f"ring:{ring}": ring for ring in RINGS})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionTerms:
    """Whether an obligation may be excepted, for how long at most, how often anew, and when its end is announced."""

    allowed: bool = True
    longest: Term = Days(90)
    renewals: int = 1
    warn_before: Term = Days(14)


USUAL_EXCEPTIONS: Final = ExceptionTerms()


MOST_ANSWERS: Final = 20_000
"""So many subjects' rows are kept per policy: classes of machines times releases; scores that change daily add more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the rules that an obligation is judged by. A changed policy gets another id.

    The strictest regime counts. `out_of_scope` gives, by train, the reason why it is listed outside the population;
    `products_out` and `machines_out` by product and by hostname, both folded to lower case.
    `breach_tickets`: whether an overdue obligation is told as a breach; only a policy that a client agreed to says so.
    `supported_until`: by product, until when an entitlement (extended support) moves its end of service.
    """

    id: str
    regimes: tuple[Regime, ...]
    stale_after: timedelta
    out_of_scope: Mapping[str, str]
    tenant_id: UUID | None = None
    zone: str | None = None
    breach_tickets: bool = False
    evidence: Mapping[OsFamily, EvidenceRule] = field(default_factory=dict)
    tags: TagWords = field(default_factory=TagWords)
    supported_until: Mapping[str, datetime] = field(default_factory=dict)
    products_out: Mapping[str, str] = field(default_factory=dict)
    machines_out: Mapping[str, str] = field(default_factory=dict)
    exceptions: ExceptionTerms = USUAL_EXCEPTIONS
    _answers: dict[Subject, tuple[tuple[str, Rule], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def reason_outside(self, *, train: str, product: str, hostname: str | None) -> str | None:
        """Return why an obligation is listed outside the population; `None`: it is within. Names without case."""
        return (
            self.out_of_scope.get(train)
            or (self.products_out.get(product.casefold()) if self.products_out else None)
            or (self.machines_out.get(hostname.casefold()) if hostname and self.machines_out else None)
        )

    def rules_for(self, subject: Subject) -> tuple[tuple[str, Rule], ...]:
        """Return the row of each regime that asks for something, with the regime's id. Answers are kept: few differ."""
        answer = self._answers.get(subject)
        if answer is None:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            found = ((regime.id, regime.rule_for(subject)) for regime in self.regimes)
            answer = self._answers[subject] = tuple((id_, rule) for id_, rule in found if rule is not None)
        return answer

    def evidence_on(self, os_family: OsFamily) -> EvidenceRule:
        """Return which evidence counts there."""
        return self.evidence.get(os_family, USUAL_EVIDENCE)


def _row(tier: Tier, *terms: Term) -> tuple[Rule, ...]:
    order = (Severity.CRITICAL, Severity.HIGH, Severity.MODERATE, Severity.LOW, Severity.UNKNOWN)
    return tuple(
        Rule(
            id=f"{tier}/{severity}",
            when=When(tiers=frozenset({tier}), severities=frozenset({severity})),
            within=term,
        )
        for severity, term in zip(order, terms, strict=True)
    )


DEFAULT_1: Final = Policy(
    id="default-1",
    regimes=(
        Regime(
            id="default",
            rules=(
                *_row(Tier.SERVER, Hours(24), Days(7), Days(14), Days(30), Days(14)),
                *_row(Tier.WORKSTATION, Days(7), Days(7), Days(14), Days(30), Days(14)),
                *_row(Tier.KIOSK, Days(7), Days(7), Days(14), Days(30), Days(14)),
                *_row(Tier.DO_NOT_DISRUPT, Days(14), Days(30), Days(30), Days(30), Days(30)),
            ),
        ),
    ),
    stale_after=timedelta(days=14),
    out_of_scope={"definitions": "definition updates are renewed several times a day and are not counted"},
)
"""The built-in policy, for clients who have none of their own; docs/patch-state.md tells which cells a source gives.

Source: playbook step 1 (core servers, critical: 24 hours; workstations, high: 7 days; do not disrupt, routine: 30
days) and its FAQ (workstations, critical: 7 days). A scan is stale after two weeks: weekly discovery, missed once.
"""

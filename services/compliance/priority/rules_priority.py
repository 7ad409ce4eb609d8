"""How urgent a release is on one class of a client's machines: points from tags and feeds, tables, overrides. Pure.

A priority orders work; it moves no deadline and no state.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from contracts.events.event import Severity, Tier
from services.compliance.catalog.model import Catalog, Release, Requirement
from services.compliance.policy import Policy, TagWords
from services.compliance.priority.rules_trees import Tree, Verdict, verdict
from services.compliance.rules_tags import tagged
from services.compliance.subjects import Level, Risk

DEPLOYER: Final = "ssvc-deployer-1.0.0"
BOD_26_04: Final = "cisa-bod-26-04-1.0.0"
BOD_REGIME: Final = "cisa-bod-26-04"
"""The regime that makes the directive's own table lead."""

EPSS_BAND: Final = 10
"""A score that stays in the same tenth is no news: every score moves a little every day."""

MISSION: Final[Mapping[Level, str]] = {
    Level.LOW: "low",
    Level.MEDIUM: "medium",
    Level.HIGH: "high",
    Level.VERY_HIGH: "high",
}
"""The coordinator's table has three steps of impact, the deployer's has four. Ours: the two highest are one there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """A class of machines: alike in everything that is asked of them. `None`: no tag says so."""

    tier: Tier
    exposed: bool | None = None
    isolated: bool = False
    business: Level | None = None
    ephi: bool | None = None

    @property
    def key(self) -> str:
        """Return its name in tables and for people: what is not known is not in it."""
        exposure = {True: "exposed", False: "not-exposed", None: None}[self.exposed]
        ephi = {True: "ephi", False: "no-ephi", None: None}[self.ephi]
        words = (self.tier.value, exposure, "isolated" if self.isolated else None, self.business, ephi)
        return " ".join(str(word) for word in words if word is not None)


def machines_of(tier: Tier, tags: Sequence[str], *, ephi: bool | None, words: TagWords) -> Machines:
    """Return the class of a machine with these tags, in the words of its client's policy."""
    told = tagged(tags, words)
    return Machines(tier=tier, exposed=told.exposed, isolated=told.isolated, business=told.business, ephi=ephi)


def lacking(requirement: Requirement, newest: str, since: datetime | None) -> tuple[Release, ...]:
    """Return the releases that a machine lacks: from the one whose clock runs (`since`) to the `newest` one.

    What an older one fixes is fixed by the newest one, so it is as urgent as the worst of them.
    """
    top = next((each for each in requirement.releases if each.name == newest), None)
    if top is None:
        return ()
    start = top.released_at if since is None else min(since, top.released_at)
    return tuple(each for each in requirement.releases if start <= each.released_at <= top.released_at)


def cves_of(releases: Iterable[Release]) -> tuple[str, ...]:
    """Return every CVE that any of them fixes, sorted, each once."""
    return tuple(sorted({cve for each in releases for cve in each.cves}))


def points(machines: Machines, risk: Risk) -> dict[str, str | None]:
    """Return the value of every point that a table may ask for; `None`: nobody said.

    A CVE that a loaded KEV list lacks is not in KEV; without a CVE or a list nobody knows. What is in KEV is exploited.
    """
    listed = risk.kev_added_at is not None
    asked = bool(risk.cves) and any(label.split()[0] == "kev" for label in risk.versions)
    exposure = {True: "open", False: "controlled", None: None}[machines.exposed]
    if machines.isolated and machines.exposed is not True:
        exposure = "small"
    return {
        "exploitation": "active" if listed else risk.exploitation,
        "exposure": exposure,
        "automatable": _word(risk.automatable, yes="yes", no="no"),
        "technical_impact": _word(risk.technical_impact_total, yes="total", no="partial"),
        "human_impact": machines.business.value if machines.business else None,
        "mission_impact": MISSION[machines.business] if machines.business else None,
        "kev": "yes" if listed else "no" if asked else None,
        "exposed": _word(machines.exposed, yes="yes", no="no"),
    }


def _word(told: bool | None, *, yes: str, no: str) -> str | None:  # noqa: FBT001 - it is what is put into words
    return None if told is None else yes if told else no


def lead_of(policy: Policy) -> str:
    """Return the table that decides for a client: the directive's own where it is agreed on, else the deployer's."""
    has_bod = any(regime.id.startswith(BOD_REGIME) for regime in policy.regimes)
    return BOD_26_04 if has_bod else DEPLOYER


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person's word instead of a table's, for one requirement on a class of machines (`None`: on all of them).

    `outcome` `None` ends what was said before. It holds from `valid_from` up to and without `until`.
    """

    id: UUID
    requirement_id: UUID
    machines: str | None
    table: str
    outcome: str | None
    reason: str
    by: str
    valid_from: datetime
    until: datetime
    recorded_at: datetime


def override_for(
    overrides: Sequence[Override], requirement_id: UUID, machines: Machines, *, table: str, now: datetime
) -> Override | None:
    """Return the override that holds: of those in force the one that was recorded last, if it does not end another."""
    told = [
        each
        for each in overrides
        if each.requirement_id == requirement_id
        and each.machines in {None, machines.key}
        and each.table == table
        and each.valid_from <= now < each.until
    ]
    last = max(told, key=lambda each: (each.recorded_at, each.id), default=None)
    return last if last is not None and last.outcome is not None else None


def next_change_at(overrides: Iterable[Override], now: datetime) -> datetime | None:
    """Return when time alone may change which override holds."""
    return min((at for each in overrides for at in (each.valid_from, each.until) if at > now), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is decided for one release on one class of machines, and everything that it was decided by."""

    requirement_id: UUID
    product: str
    train: str
    release: str
    severity: Severity
    machines: Machines
    risk: Risk
    policy: str
    verdict: Verdict
    also: tuple[Verdict, ...]
    override: Override | None

    @property
    def outcome(self) -> str:
        """Return what holds."""
        told = self.override.outcome if self.override else None
        return told or self.verdict.outcome

    @property
    def decided_by(self) -> str:
        """Return who decided: a person, or the table."""
        return self.override.by if self.override else f"table {self.verdict.table}"

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all that could change the decision: the same digest is no news.

        Feeds' versions are kept with a decision and are not in it: a new version that says the same changes nothing.
        """
        risk = self.risk
        inputs = {
            "key": [str(self.requirement_id), self.release, self.machines.key],
            "severity": self.severity.value,
            "policy": self.policy,
            "verdicts": [asdict(each) for each in (self.verdict, *self.also)],
            "override": str(self.override.id) if self.override else None,
            "cves": list(risk.cves),
            "kev": risk.kev_added_at.isoformat() if risk.kev_added_at else None,
            "told": [risk.ransomware, risk.exploitation, risk.automatable, risk.technical_impact_total, risk.cvss],
            "epss": None if risk.epss is None else int(risk.epss * EPSS_BAND),
        }
        return sha256(json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What decisions are made with: a client's policy and overrides, catalog and tables, and the present moment."""

    tenant_id: UUID
    policy: Policy
    catalog: Catalog
    trees: Mapping[str, Tree]
    overrides: Sequence[Override]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What machines lack: the newest release of a requirement, and the risk of all that it brings."""

    requirement: Requirement
    release: Release
    risk: Risk


def judged(need: Need, machines: Machines, desk: Desk) -> Judged:
    """Return what the tables and, where one holds, an override say of a need on a class of machines."""
    lead, known = lead_of(desk.policy), points(machines, need.risk)
    said = {id_: verdict(tree, {name: known[name] for name in tree.points}) for id_, tree in desk.trees.items()}
    return Judged(
        requirement_id=need.requirement.id,
        product=need.requirement.product.name,
        train=need.requirement.train,
        release=need.release.name,
        severity=need.release.severity,
        machines=machines,
        risk=need.risk,
        policy=desk.policy.id,
        verdict=said[lead],
        also=tuple(each for id_, each in said.items() if id_ != lead),
        override=override_for(desk.overrides, need.requirement.id, machines, table=lead, now=desk.now),
    )

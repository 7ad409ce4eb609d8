"""What a rule of a policy is chosen by: the machine's class and tags, how bad a release is, and conditions. Pure."""

from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from contracts.events.event import Severity, Tier


class Category(StrEnum):
    """What a requirement is a fix of."""

    SYSTEM = "system"
    APPLICATION = "application"
    ONLINE_FACING = "online_facing"
    OFFICE_BROWSER = "office_browser"
    FIRMWARE = "firmware"
    LIFECYCLE = "lifecycle"


class Level(StrEnum):
    """How much the business would miss a machine, as its tags tell."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What is known of the vulnerabilities that a release fixes, the worst of each. `None`: nobody said.

    `versions` names what it was read from: feed and its version (for EPSS the model too).
    """

    kev_added_at: datetime | None = None
    ransomware: bool | None = None
    epss: float | None = None
    cvss: float | None = None
    exploitation: str | None = None
    automatable: bool | None = None
    technical_impact_total: bool | None = None
    cves: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


NO_RISK: Final = Risk()


class Subject(NamedTuple):
    """What a rule is chosen by: the machine's class and tags, and how bad the release is. Hashable, to keep answers.

    `exposed`: reachable from the internet; `None`: no tag says so.
    """

    tier: Tier
    severity: Severity
    category: Category = Category.SYSTEM
    exposed: bool | None = None
    business: Level | None = None
    ephi: bool | None = None
    risk: Risk = NO_RISK


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition on a subject: everything that is given must hold; `any_of`: at least one of these too.

    What nobody said of the subject meets no condition on it, unless `unknown_meets`: in a table whose strictest rows
    come first, the worst case counts then. `newest_cve_before`: the newest CVE was named in an earlier year.
    """

    tiers: frozenset[Tier] | None = None
    severities: frozenset[Severity] | None = None
    categories: frozenset[Category] | None = None
    business: frozenset[Level] | None = None
    exposed: bool | None = None
    ephi: bool | None = None
    kev: bool | None = None
    automatable: bool | None = None
    technical_impact_total: bool | None = None
    exploited: bool | None = None
    cvss_at_least: float | None = None
    epss_at_least: float | None = None
    newest_cve_before: int | None = None
    unknown_meets: bool = False
    any_of: tuple["When", ...] = ()

    def holds(self, subject: Subject) -> bool:
        """Return whether `subject` meets it."""
        risk = subject.risk
        wanted = (
            (self.exposed, subject.exposed),
            (self.ephi, subject.ephi),
            (self.kev, risk.kev_added_at is not None),
            (self.automatable, risk.automatable),
            (self.technical_impact_total, risk.technical_impact_total),
            (self.exploited, risk.kev_added_at is not None or risk.exploitation == "active"),
        )
        among = (
            (self.tiers, subject.tier),
            (self.severities, subject.severity),
            (self.categories, subject.category),
            (self.business, subject.business),
        )
        at_least = ((self.cvss_at_least, risk.cvss), (self.epss_at_least, risk.epss))
        return (
            all(want is None or want == found or (found is None and self.unknown_meets) for want, found in wanted)
            and all(allowed is None or found in allowed for allowed, found in among)
            and all(least is None or (found is not None and found >= least) for least, found in at_least)
            and (self.newest_cve_before is None or _newest_year(risk.cves) < self.newest_cve_before)
            and (not self.any_of or any(each.holds(subject) for each in self.any_of))
        )


def _newest_year(cves: tuple[str, ...]) -> int:
    """Return the year of the newest of these CVEs; without any, one that is never before another."""
    return max((int(cve.split("-")[1]) for cve in cves), default=MAXYEAR)

"""Whether a client's policy asks for a forensic triage before a release is deployed. Pure."""

from datetime import datetime
from typing import NamedTuple

from services.compliance.catalog.model import Release
from services.compliance.policy import Policy, Subject
from services.compliance.priority.rules_priority import Machines
from services.compliance.priority.rules_triage import EXTRA
from services.compliance.subjects import Risk


class Asked(NamedTuple):
    """The row that asks for it, and the moment from which its clocks are counted."""

    rule: str
    kev_added_at: datetime


def forensics(policy: Policy, machines: Machines, release: Release, risk: Risk) -> Asked | None:
    """Return which row asks for a triage of one release on one class of machines; `None`: none does.

    What is not released in a list of exploited vulnerabilities has no moment from which a clock could run.
    """
    if risk.kev_added_at is None:
        return None
    subject = Subject(
        tier=machines.tier,
        severity=release.severity,
        category=release.category,
        exposed=machines.exposed,
        business=machines.business,
        ephi=machines.ephi,
        risk=risk,
    )
    rules = (f"{regime}:{rule.id}" for regime, rule in policy.rules_for(subject) if EXTRA in rule.extra)
    rule = next(rules, None)
    return None if rule is None else Asked(rule, risk.kev_added_at)

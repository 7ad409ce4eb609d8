"""What is known of a release's vulnerabilities: the worst of each, and nothing that nobody said."""

from datetime import UTC, datetime

from contracts.events.event import Severity, Tier
from services.compliance.catalog.intelligence import NOTHING_KNOWN, Feed, Intelligence, Known
from services.compliance.subjects import NO_RISK, Category, Subject, When

ADDED = datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_worst_of_each_thing_counts_and_the_earliest_addition() -> None:
    known = Intelligence(
        [
            Known(cve="CVE-2026-1001", kev_added_at=LATER, epss=0.2),
            Known(cve="CVE-2026-1001", cvss=5.0, exploitation="poc", automatable=False),
            Known(cve="CVE-2026-1002", kev_added_at=ADDED, ransomware=True, epss=0.7),
            Known(cve="CVE-2026-1002", cvss=9.1, exploitation="none", automatable=True, technical_impact_total=False),
        ],
        versions={Feed.KEV: "1", Feed.EPSS: "m of 2026-02-02"},
    )

    risk = known.risk_of(("CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1003"))

    assert (risk.kev_added_at, risk.ransomware, risk.epss, risk.cvss) == (ADDED, True, 0.7, 9.1)
    assert (risk.exploitation, risk.automatable, risk.technical_impact_total) == ("poc", True, False)
    assert risk.versions == ("epss m of 2026-02-02", "kev 1")


def test_what_nobody_said_is_none_and_meets_no_condition() -> None:
    known = Intelligence([Known(cve="CVE-2026-1001", cvss=5.0)], versions={Feed.CVSS: "x"})

    risk = known.risk_of(("CVE-2026-1002",))

    assert (risk.kev_added_at, risk.cvss, risk.epss, risk.automatable) == (None, None, None, None)
    assert risk.versions == ("cvss x",)
    subject = Subject(tier=Tier.SERVER, severity=Severity.HIGH, category=Category.SYSTEM, risk=risk)
    assert not When(cvss_at_least=0.1).holds(subject)
    assert not When(automatable=False).holds(subject)


def test_a_release_without_vulnerabilities_has_no_risk_whatever_is_loaded() -> None:
    assert Intelligence([], versions={Feed.KEV: "1"}).risk_of(()) == NO_RISK
    assert NOTHING_KNOWN.risk_of(("CVE-2026-1001",)).versions == ()

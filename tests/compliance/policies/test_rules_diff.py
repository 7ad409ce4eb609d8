"""What another policy means is told cell by cell, for whom, and field by field."""

from contracts.events.event import Severity, Tier
from services.compliance.policies.compile import compiled
from services.compliance.policies.reading import policy_of
from services.compliance.policies.rules_diff import CellChange, changed_cells, changed_fields
from services.compliance.policy import DEFAULT_1, Policy
from services.compliance.zones import use_shipped_zones
from tests.compliance.policies.files import file_of

use_shipped_zones()


def policy(**fields: object) -> Policy:
    return compiled(*policy_of(file_of(**fields)))


def test_the_same_policy_changes_nothing() -> None:
    assert changed_cells(policy(), policy()) == []
    assert changed_cells(DEFAULT_1, DEFAULT_1) == []


def test_a_cell_that_differs_for_all_names_nobody() -> None:
    rows = [{"tiers": ["kiosk"], "severities": ["low"], "due": "P30D"}]
    shorter = [{"tiers": ["kiosk"], "severities": ["low"], "due": "PT48H", "clock_start": "detection"}]

    changes = changed_cells(policy(sla=rows), policy(sla=shorter))

    assert changes == [CellChange(Tier.KIOSK, Severity.LOW, None, "P30D from release", "PT48H from detection")]


def test_a_cell_that_differs_for_some_says_for_whom() -> None:
    rows = [{"tiers": ["kiosk"], "severities": ["low"], "due": "P30D"}]
    exposed = [{"tiers": ["kiosk"], "severities": ["low"], "exposure": "exposed", "due": "P7D"}, *rows]

    [change] = changed_cells(policy(sla=rows), policy(sla=exposed))

    assert (change.who, change.after) == ("exposed", "P7D from release")


def test_the_strictest_regime_is_what_counts() -> None:
    [one, *_] = [
        each
        for each in changed_cells(policy(), policy(regimes=[{"preset": "msp-playbook"}, {"preset": "pci-4.0.1-6.3.3"}]))
        if each.tier is Tier.KIOSK
    ]

    assert (one.severity, one.before, one.after) == (Severity.CRITICAL, "no clock", "P1M from release")


def test_fields_are_named_by_their_path() -> None:
    before = {"zone": "UTC", "exceptions": {"allowed": True, "renewals": 1}, "sla": [1]}
    after = {"zone": "UTC", "exceptions": {"allowed": False, "renewals": 1}, "sla": [2], "title": "new"}

    assert changed_fields(before, after) == ["exceptions.allowed", "sla", "title"]

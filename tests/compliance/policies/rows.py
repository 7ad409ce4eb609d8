"""Rows of presets, by their names."""

from datetime import UTC, datetime

from contracts.events.event import Severity, Tier
from services.compliance.policies import preset
from services.compliance.policies.compile import regime_of
from services.compliance.policies.preset import Preset
from services.compliance.policy import Rule
from services.compliance.subjects import Category, Risk, Subject

KEV = datetime(2026, 3, 1, tzinfo=UTC)


def shipped(name: str) -> Preset:
    found = preset.shipped(name)
    assert found is not None
    return found


def row_for(
    name: str,
    severity: Severity = Severity.LOW,
    *,
    tier: Tier = Tier.SERVER,
    category: Category = Category.SYSTEM,
    exposed: bool | None = None,
    risk: Risk | None = None,
) -> Rule | None:
    subject = Subject(tier=tier, severity=severity, category=category, exposed=exposed, risk=risk or Risk())
    return regime_of(shipped(name)).rule_for(subject)

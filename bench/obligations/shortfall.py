"""Whether the linter finds by how much the playbook's own table cannot be met, and how long it takes to prove it."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.obligations.report import Figure
from services.compliance.policies.lint import lint_of
from services.compliance.policies.reading import policy_of
from services.compliance.policies.rules_feasible import From
from services.compliance.policies.rules_lint import Lint

PLAYBOOK: Final = Path(__file__).resolve().parents[2] / "docs" / "policies" / "playbook.yaml"
NEW_YEAR: Final = datetime(2027, 1, 1, tzinfo=UTC)
HOURS: Final = 85.0
"""From 10:00 Pacific on a Tuesday to 02:00 in New York on the Sunday after it, 109 hours, less the promised 24."""


def shortfall() -> list[Figure]:
    """Return the worst shortfall of servers' verification from the vendor's calendar, and how long the proof took."""
    began_at = time.perf_counter()
    document, presets = policy_of(PLAYBOOK.read_bytes())
    found = lint_of(document, presets, now=NEW_YEAR, install=None)
    took = time.perf_counter() - began_at
    late = _late(found)
    return [
        Figure(
            figure="playbook's table: servers, critical, verified after Sunday's restart: too late by",
            value=late,
            unit="h",
            reach=f"= {HOURS:g} h",
            ok=late == HOURS,
        ),
        Figure(figure="linting it over 24 months of releases", value=round(took, 2), unit="s"),
    ]


def _late(found: Lint) -> float:
    late = [
        proof.worst.late.total_seconds() / 3600
        for proof in found.infeasible
        if proof.of is From.CALENDAR and proof.measure == "verification" and proof.worst.late is not None
    ]
    return max(late, default=0.0)

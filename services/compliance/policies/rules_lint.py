"""What the linter finds in one policy: every cell's proof, the cells nobody filled, and warnings. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from contracts.events.event import Severity, Tier
from services.compliance.clocks.durations import written
from services.compliance.clocks.names import iana
from services.compliance.clocks.releases import release_instants
from services.compliance.clocks.windows import WindowRule, occurrences
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.rules_cells import Cell, cells, empty_cells
from services.compliance.policies.rules_feasible import Calendar, Promised, Proof, Verdict, decisive, proofs
from services.compliance.policies.rules_path import Span
from services.compliance.policies.rules_practice import practice
from services.compliance.policies.rules_warnings import ExceptionLimit, Warned, warnings
from services.compliance.policy import Policy

MONTHS: Final = 24
"""How far ahead the vendor's calendar and the windows are looked at."""
_BEFORE: Final = timedelta(days=8)
"""A window that began up to so long before still counts; none is longer than 7 days."""
_BEYOND: Final = timedelta(days=400)
"""The last release that is looked at may wait for a window that comes once a year."""
CALENDAR: Final = "Patch Tuesday, 10:00 America/Los_Angeles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What there is to know beside the policy: how long installations take, what its regimes say of exceptions.

    `install`: `None`, nobody knows, so it takes no time. `promised`: what rows promise other than the verification.
    """

    install: timedelta | None
    limits: tuple[ExceptionLimit, ...]
    promised: Promised


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """The linter's answer. `zone` is the client's, `install` how long installations were seen to take."""

    client: str
    zone: str
    horizon: Span
    proofs: tuple[Proof, ...]
    empty: tuple[tuple[Tier, Severity], ...]
    without_clock: tuple[Cell, ...]
    warnings: tuple[Warned, ...]
    install: timedelta | None

    @property
    def infeasible(self) -> tuple[Proof, ...]:
        """Return the cells that cannot be met, as far as they decide (`decisive`)."""
        return tuple(proof for proof in decisive(self.proofs) if proof.verdict is Verdict.NOT_MET)

    @property
    def is_feasible(self) -> bool:
        """Return whether every cell can be met, if only because people act in time."""
        return not self.infeasible


def lint(
    document: PolicyDocument,
    policy: Policy,
    rules: Mapping[str, WindowRule],
    *,
    now: datetime,
    beside: Beside,
) -> Lint:
    """Return what is found for the releases of the next 24 months, from `now` or from when the policy holds.

    `policy` and `rules` are what `document` compiles to.
    """
    begin = max(now, document.valid_from)
    horizon = Span(begin, begin + relativedelta(months=MONTHS))
    known = Span(horizon.start - _BEFORE, horizon.end + _BEYOND)
    spans = {
        name: [Span(each.start, each.end) for each in occurrences(rule, known.start, known.end)]
        for name, rule in rules.items()
    }
    zone = ZoneInfo(iana(document.zone))
    practices = {tier: practice(document, tier, spans, zone, install=beside.install or timedelta(0)) for tier in Tier}
    calendar = Calendar(horizon, known, tuple(release_instants(horizon.start, horizon.end)))
    found = cells(policy)
    proven = proofs(found, practices, calendar, zone, promised=beside.promised)
    return Lint(
        client=document.client,
        zone=str(zone),
        horizon=horizon,
        proofs=proven,
        empty=empty_cells(found),
        without_clock=tuple(cell for cell in found if cell.rule.within is None),
        warnings=warnings(document, rules, proven, horizon=horizon, install=beside.install, limits=beside.limits),
        install=beside.install,
    )


def record(found: Lint) -> dict[str, object]:
    """Return the answer as plain values, to print for machines and to keep beside the policy."""
    return {
        "client": found.client,
        "zone": found.zone,
        "from": found.horizon.start.isoformat(),
        "until": found.horizon.end.isoformat(),
        "calendar": CALENDAR,
        "feasible": found.is_feasible,
        "infeasible": [_proof(each) for each in found.infeasible],
        "empty_cells": [{"tier": tier.value, "severity": severity.value} for tier, severity in found.empty],
        "without_clock": [_cell(each) for each in found.without_clock],
        "warnings": [{"about": each.about, "text": each.text} for each in found.warnings],
        "install_seconds": None if found.install is None else found.install.total_seconds(),
        "proofs": [_proof(each) for each in found.proofs],
    }


def _cell(cell: Cell) -> dict[str, object]:
    return {
        "regime": cell.regime,
        "row": cell.rule.id,
        "tier": cell.tier.value,
        "severities": [each.value for each in cell.severities],
        "within": None if cell.rule.within is None else written(cell.rule.within),
        "clock_start": cell.rule.starts.value,
        "ends_with_day": cell.rule.ends_with_day,
    }


def _proof(proof: Proof) -> dict[str, object]:
    worst = proof.worst
    late = None if worst.late is None else worst.late.total_seconds()
    return {
        **_cell(proof.cell),
        "measure": proof.measure.value,
        "promised": proof.promised.value,
        "releases": proof.of.value,
        "with_rings": proof.with_rings,
        "verdict": proof.verdict.value,
        "worst_released_at": worst.released_at.isoformat(),
        "due_at": worst.due_at.isoformat(),
        "met_at": None if worst.met_at is None else worst.met_at.isoformat(),
        "never": worst.never,
        "late_seconds": late,
        "shortfall_hours": None if late is None or late <= 0 else late / 3600,
        "waits_for": list(proof.waits_for),
        "way": [{"what": each.what, "at": each.at.isoformat()} for each in worst.moments],
    }

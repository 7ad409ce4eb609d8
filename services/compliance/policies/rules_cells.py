"""The cells of a policy: which row of which table is the one for whom, and which cells nobody filled. Pure.

A row that an earlier one always hides is nobody's, so subjects are tried: every combination of what the rows of a table
ask about, and nothing that they do not.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Final

from contracts.events.event import Severity, Tier
from services.compliance.policy import Policy, Regime, Rule
from services.compliance.subjects import Category, Level, Risk, Subject, When

_SOME_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SAID: Final = (None, False, True)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of one regime's table as it counts for one tier, with the bands of severity that it may be for."""

    regime: str
    rule: Rule
    tier: Tier
    severities: tuple[Severity, ...]


def cells(policy: Policy) -> tuple[Cell, ...]:
    """Return every cell that a subject may fall into, by regime, tier and row."""
    return tuple(cell for regime in policy.regimes for cell in _of_regime(regime))


def empty_cells(found: Sequence[Cell]) -> tuple[tuple[Tier, Severity], ...]:
    """Return the tiers and bands of severity for which no row of any table asks for anything."""
    filled = {(cell.tier, severity) for cell in found for severity in cell.severities}
    return tuple(pair for pair in product(Tier, Severity) if pair not in filled)


def _of_regime(regime: Regime) -> Iterator[Cell]:
    severities: dict[tuple[Tier, Rule], set[Severity]] = {}
    for subject in _subjects(regime):
        if (rule := regime.rule_for(subject)) is not None:
            severities.setdefault((subject.tier, rule), set()).add(subject.severity)
    order = {rule: place for place, rule in enumerate(regime.rules)}
    for tier, rule in sorted(severities, key=lambda each: (list(Tier).index(each[0]), order[each[1]])):
        yield Cell(regime.id, rule, tier, tuple(each for each in Severity if each in severities[tier, rule]))


def _subjects(regime: Regime) -> Iterator[Subject]:
    """Yield a subject for each combination of what the rows ask about."""
    asked = [when for rule in regime.rules for when in _all(rule.when)]
    categories = tuple(Category) if any(when.categories for when in asked) else (Category.SYSTEM,)
    business = (None, *Level) if any(when.business for when in asked) else (None,)
    exposed = _SAID if any(when.exposed is not None for when in asked) else (None,)
    ephi = _SAID if any(when.ephi is not None for when in asked) else (None,)
    risks = list(_risks(asked))
    for tier, severity, category, level, is_exposed, has_ephi, risk in product(
        Tier, Severity, categories, business, exposed, ephi, risks
    ):
        yield Subject(
            tier=tier,
            severity=severity,
            category=category,
            business=level,
            exposed=is_exposed,
            ephi=has_ephi,
            risk=risk,
        )


def _all(when: When) -> Iterator[When]:
    yield when
    for each in when.any_of:
        yield from _all(each)


def _risks(asked: Sequence[When]) -> Iterator[Risk]:
    known = (None, _SOME_DAY) if any(when.kev is not None for when in asked) else (None,)
    automatable = _SAID if any(when.automatable is not None for when in asked) else (None,)
    total = _SAID if any(when.technical_impact_total is not None for when in asked) else (None,)
    exploitation = (None, "active") if any(when.exploited is not None for when in asked) else (None,)
    cvss = _scores(when.cvss_at_least for when in asked)
    epss = _scores(when.epss_at_least for when in asked)
    years = sorted({when.newest_cve_before for when in asked if when.newest_cve_before is not None})
    cves = ((), *((f"CVE-{year}-0001",) for first in years for year in (first - 1, first)))
    for kev, is_automatable, is_total, exploits, base, chance, found in product(
        known, automatable, total, exploitation, cvss, epss, cves
    ):
        yield Risk(
            kev_added_at=kev,
            automatable=is_automatable,
            technical_impact_total=is_total,
            exploitation=exploits,
            cvss=base,
            epss=chance,
            cves=found,
        )


def _scores(thresholds: Iterable[float | None]) -> tuple[float | None, ...]:
    """Return a score at each threshold, one below all of them, and none."""
    found = sorted({each for each in thresholds if each is not None})
    return (None, *((0.0, *found) if found else ()))

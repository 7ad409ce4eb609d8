"""What another policy means: the fields that differ, and the cells whose strictest clock does. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from contracts.events.event import Severity, Tier
from services.compliance.clocks.durations import written
from services.compliance.policies.compile import about
from services.compliance.policy import Policy, Rule
from services.compliance.subjects import NO_RISK, Category, Risk, Subject

LISTED: Final = Risk(kev_added_at=datetime(2000, 1, 1, tzinfo=UTC))
EXPOSURE: Final[Mapping[str, bool | None]] = {"exposure not told": None, "exposed": True, "not exposed": False}
LISTING: Final[Mapping[str, Risk]] = {"not in KEV": NO_RISK, "in KEV": LISTED}
CATEGORY: Final[Mapping[str, Category]] = {each.replace("_", " "): each for each in Category}
Variant = tuple[str, str, str]
"""A category, an exposure and a listing, in words."""
COLUMNS: Final = (tuple(CATEGORY), tuple(EXPOSURE), tuple(LISTING))
VARIANTS: Final[Sequence[Variant]] = tuple(product(*COLUMNS))


@dataclass(frozen=True, slots=True)
class CellChange:
    """A tier and band whose strictest row differs, for whom (`None`: for all), and the row before and after."""

    tier: Tier
    severity: Severity
    who: str | None
    before: str
    after: str


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> list[str]:
    """Return the fields that two documents say differently, by their path, in order."""
    names: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            names += changed_fields(old, new, f"{within}{name}.")
        elif old != new:
            names.append(f"{within}{name}")
    return names


def changed_cells(before: Policy, after: Policy) -> list[CellChange]:
    """Return what differs, for machines of every class and releases of every band, in or not in KEV.

    Beyond that nothing is known of the release here (no score, no points), as where no feed is loaded.
    """
    return [change for tier in Tier for severity in Severity for change in _of_band(before, after, tier, severity)]


def _of_band(before: Policy, after: Policy, tier: Tier, severity: Severity) -> Iterator[CellChange]:
    variants: dict[tuple[str, str], list[Variant]] = {}
    for variant in VARIANTS:
        category, exposed, listing = variant
        subject = Subject(
            tier=tier,
            severity=severity,
            category=CATEGORY[category],
            exposed=EXPOSURE[exposed],
            risk=LISTING[listing],
        )
        pair = _strictest(before, subject), _strictest(after, subject)
        if pair[0] != pair[1]:
            variants.setdefault(pair, []).append(variant)
    for (old, new), whose in variants.items():
        yield CellChange(tier, severity, _who(whose), old, new)


def _strictest(policy: Policy, subject: Subject) -> str:
    """Return the shortest term that any regime asks for, and from when it counts."""
    rules = [rule for _, rule in policy.rules_for(subject) if rule.within is not None]
    if not rules:
        return "no clock"
    return min((_in_words(rule) for rule in rules), key=lambda each: each[0])[1]


def _in_words(rule: Rule) -> tuple[tuple[object, str], str]:
    if rule.within is None:
        raise ValueError("a row without a clock has no term")
    words = f"{written(rule.within)} from {rule.starts.replace('_', ' ')}"
    return (about(rule.within), words), words + (", to the end of the day" if rule.ends_with_day else "")


def _who(variants: Sequence[Variant]) -> str | None:
    """Return for whom these variants are, in as few words as they allow."""
    found = [tuple(word for word in column if any(word in each for each in variants)) for column in COLUMNS]
    if len(variants) != len(found[0]) * len(found[1]) * len(found[2]):
        return "; ".join(", ".join(each) for each in variants)
    parts = [" or ".join(words) for words, every in zip(found, COLUMNS, strict=True) if words != every]
    return ", ".join(parts) or None

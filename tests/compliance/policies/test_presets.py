"""Every preset's rows: which one is for whom, and what is said of its authority and status."""

from itertools import product

import pytest

from contracts.events.event import Severity, Tier
from services.compliance.policies import preset
from services.compliance.subjects import Category, Risk
from tests.compliance.policies.rows import KEV, row_for, shipped

Answer = tuple[int | None, bool]
BOD_26_04: dict[tuple[bool, ...], Answer] = {
    # KEV, exposed, automatable, total impact: days, and whether triage comes first
    (False, False, False, False): (None, False),
    (False, False, False, True): (None, False),
    (True, False, False, False): (14, False),
    (True, False, False, True): (14, False),
    (False, True, False, False): (60, False),
    (False, True, False, True): (14, False),
    (False, False, True, False): (60, False),
    (False, False, True, True): (60, False),
    (True, True, False, False): (14, False),
    (True, True, False, True): (3, True),
    (True, False, True, False): (14, False),
    (True, False, True, True): (3, True),
    (False, True, True, False): (14, False),
    (False, True, True, True): (3, False),
    (True, True, True, False): (3, False),
    (True, True, True, True): (3, True),
}


def directive(*, kev: bool, exposed: bool | None, automatable: bool | None, total: bool | None) -> Answer:
    risk = Risk(kev_added_at=KEV if kev else None, automatable=automatable, technical_impact_total=total)
    rule = row_for("cisa-bod-26-04", exposed=exposed, risk=risk)
    assert rule is not None
    assert rule.within is None or type(rule.within).__name__ == "Days"
    return getattr(rule.within, "days", None), rule.extra == ("forensic_triage",)


@pytest.mark.parametrize("point", BOD_26_04, ids=lambda point: "".join("ny"[each] for each in point))
def test_each_of_the_sixteen_rows_of_the_directive(point: tuple[bool, bool, bool, bool]) -> None:
    kev, exposed, automatable, total = point

    assert directive(kev=kev, exposed=exposed, automatable=automatable, total=total) == BOD_26_04[point]


def _strictness(answer: Answer) -> tuple[int, bool]:
    return answer[0] or 10_000, not answer[1]


@pytest.mark.parametrize("point", list(product((False, True), *[(None, False, True)] * 3)), ids=str)
def test_what_nobody_said_counts_as_the_worst_of_the_directive(
    point: tuple[bool, bool | None, bool | None, bool | None],
) -> None:
    kev, *others = point
    completions = product((kev,), *[(False, True) if each is None else (each,) for each in others])

    answer = directive(kev=kev, exposed=others[0], automatable=others[1], total=others[2])

    assert answer == min((BOD_26_04[each] for each in completions), key=_strictness)


@pytest.mark.parametrize("name", preset.NAMES)
def test_a_preset_says_whose_it_is_and_what_of_it_is_not_confirmed(name: str) -> None:
    found = shipped(name)

    assert found.id == name
    assert found.authority
    assert found.citation
    assert found.status != "in_force" or found.effective_until is None
    assert found.unconfirmed, "no preset was checked in every figure at its source yet"
    assert found.rules or found.unit == "organisation"


def test_what_is_not_in_force_is_labelled() -> None:
    status = {name: shipped(name).status for name in preset.NAMES}

    assert {name for name, each in status.items() if each == "revoked"} == {"cisa-bod-22-01", "cisa-bod-19-02"}
    assert {name for name, each in status.items() if each == "proposed"} == {"hipaa-nprm-2025"}


C, H, M, L = Severity.CRITICAL, Severity.HIGH, Severity.MODERATE, Severity.LOW
E8_ROWS = {
    # exposed, category, severity: ML1, ML2, ML3
    (True, Category.SYSTEM, C): ("Hours(hours=48)",) * 3,
    (True, Category.SYSTEM, M): ("Days(days=14)",) * 3,
    (None, Category.SYSTEM, C): ("Hours(hours=48)",) * 3,
    (False, Category.SYSTEM, C): ("Months(months=1)", "Months(months=1)", "Hours(hours=48)"),
    (False, Category.SYSTEM, M): ("Months(months=1)",) * 3,
    (False, Category.ONLINE_FACING, C): ("Hours(hours=48)",) * 3,
    (False, Category.ONLINE_FACING, H): ("Days(days=14)",) * 3,
    (False, Category.OFFICE_BROWSER, C): ("Days(days=14)", "Days(days=14)", "Hours(hours=48)"),
    (False, Category.OFFICE_BROWSER, L): ("Days(days=14)",) * 3,
    (True, Category.APPLICATION, C): (None, "Months(months=1)", "Months(months=1)"),
    (False, Category.FIRMWARE, C): (None, None, "Hours(hours=48)"),
    (False, Category.FIRMWARE, L): (None, None, "Months(months=1)"),
}


@pytest.mark.parametrize("case", E8_ROWS, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_each_level_of_the_eight_has_its_rows(case: tuple[bool | None, Category, Severity]) -> None:
    exposed, category, severity = case
    rows = [row_for(f"e8-ml{level}", severity, category=category, exposed=exposed) for level in (1, 2, 3)]

    assert tuple(None if row is None else repr(row.within) for row in rows) == E8_ROWS[case]


def test_a_working_exploit_counts_like_critical_in_the_eight() -> None:
    exploited = Risk(exploitation="active")

    rule = row_for("e8-ml3", Severity.LOW, exposed=False, risk=exploited)

    assert rule is not None
    assert repr(rule.within) == "Hours(hours=48)"


def test_the_service_levels_are_those_of_the_service_definition() -> None:
    levels = {level.tiers: level.at_least for level in shipped("msp-service-levels").levels}

    assert levels == {(Tier.SERVER,): 95.0, (Tier.WORKSTATION,): 92.0}

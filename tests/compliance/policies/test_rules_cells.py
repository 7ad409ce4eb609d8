"""Which rows of a table are somebody's, and which cells nobody filled."""

from datetime import timedelta

from contracts.events.event import Severity, Tier
from services.compliance.policies.rules_cells import cells, empty_cells
from services.compliance.policy import Days, Hours, Policy, Regime, Rule
from services.compliance.subjects import When


def policy(*rules: Rule) -> Policy:
    return Policy(id="p", regimes=(Regime(id="own", rules=rules),), stale_after=timedelta(days=14), out_of_scope={})


def servers(id_: str, *severities: Severity, exposed: bool | None = None) -> Rule:
    when = When(tiers=frozenset({Tier.SERVER}), severities=frozenset(severities) or None, exposed=exposed)
    return Rule(id=id_, when=when, within=Hours(24))


def test_a_row_that_an_earlier_one_always_hides_is_nobodys() -> None:
    found = cells(policy(servers("all"), servers("hidden", Severity.CRITICAL)))

    assert [(cell.rule.id, cell.tier) for cell in found] == [("all", Tier.SERVER)]


def test_a_row_counts_for_the_bands_that_are_left_to_it() -> None:
    found = cells(policy(servers("worst", Severity.CRITICAL), servers("rest")))

    assert [(cell.rule.id, cell.severities) for cell in found] == [
        ("worst", (Severity.CRITICAL,)),
        ("rest", (Severity.HIGH, Severity.MODERATE, Severity.LOW, Severity.UNKNOWN)),
    ]


def test_a_row_that_only_the_exposed_meet_hides_nothing_of_the_others() -> None:
    found = cells(policy(servers("exposed", exposed=True), servers("rest")))

    assert [cell.rule.id for cell in found] == ["exposed", "rest"]


def test_scores_are_tried_on_both_sides_of_each_threshold() -> None:
    any_of = (When(cvss_at_least=7.0), When(severities=frozenset({Severity.HIGH})))
    high = Rule(id="high", when=When(any_of=any_of), within=Days(14))
    older = Rule(id="older", when=When(newest_cve_before=2021), within=Days(180))

    found = cells(policy(high, older))

    assert {cell.rule.id for cell in found if cell.tier is Tier.KIOSK} == {"high", "older"}
    assert next(cell for cell in found if cell.rule is high).severities == tuple(Severity)
    assert Severity.HIGH not in next(cell for cell in found if cell.rule is older).severities


def test_cells_that_no_row_fills_are_named() -> None:
    found = cells(policy(servers("all"), Rule(id="kiosks", when=When(tiers=frozenset({Tier.KIOSK})), within=None)))

    assert {tier for tier, _ in empty_cells(found)} == {Tier.WORKSTATION, Tier.DO_NOT_DISRUPT}
    assert len(empty_cells(found)) == 2 * len(Severity)

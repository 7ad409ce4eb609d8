"""The tables say what their authorities say, and what is not known is taken at its worst, by name."""

import csv
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.event import Severity, Tier
from services.compliance.policies.compile import regime_of
from services.compliance.policies.preset import shipped
from services.compliance.policy import Days
from services.compliance.priority.rules_priority import Machines, points
from services.compliance.priority.rules_trees import Tree, tree, verdict
from services.compliance.priority.tables import BOD_26_04, COORDINATOR, DEPLOYER, IDS, trees
from services.compliance.subjects import Risk, Subject

GATHERED = Path(__file__).resolve().parents[4] / "shared" / "data" / "ssvc"
FILE_BY_TABLE = {
    DEPLOYER: "deployer_patch_application_priority_1_0_0.csv",
    COORDINATOR: "cisa_coordinator_2_0_3.csv",
    BOD_26_04: "cisa_bod_26_04_1_0_0.csv",
}
OURS = {
    "public poc": "poc",
    "very high": "very_high",
    "out-of-cycle": "out_of_cycle",
    "track*": "track_star",
    "fix on system upgrade": "next_upgrade",
    "60 days": "60_days",
    "14 days": "14_days",
    "3 days": "3_days",
    "3 days & forensic investigation": "3_days_and_forensics",
}
"""The authorities' words that are written otherwise here."""

TOSS: Tree = tree(
    {
        "id": "toss-1",
        "title": "An invented table",
        "authority": "nobody",
        "citation": "none",
        "points": {"rain": ["no", "yes"], "wind": ["calm", "storm"]},
        "outcomes": ["walk", "drive", "stay"],
        "rows": ["no -> walk drive", "yes -> drive stay"],
    }
)


@pytest.mark.parametrize(("id_", "rows"), [(DEPLOYER, 72), (COORDINATOR, 36), (BOD_26_04, 16)])
def test_a_table_has_every_combination_once(id_: str, rows: int) -> None:
    table = trees()[id_]

    assert len(table.outcome_by_values) == rows
    assert set(table.outcome_by_values) == set(product(*table.points.values()))


@pytest.mark.parametrize("id_", IDS)
def test_a_table_says_what_its_authority_publishes(id_: str) -> None:
    file = GATHERED / FILE_BY_TABLE[id_]
    if not file.exists():
        pytest.skip("the published tables are not beside this copy")
    with file.open(encoding="utf-8") as lines:
        _, *rows = csv.reader(lines)

    told = {tuple(OURS.get(each, each) for each in row[1:-1]): OURS.get(row[-1], row[-1]) for row in rows}

    assert trees()[id_].outcome_by_values == told


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ("no no no total", "next_upgrade"),
        ("no yes no partial", "60_days"),
        ("no yes no total", "14_days"),
        ("no yes yes total", "3_days"),
        ("yes no no total", "14_days"),
        ("yes yes yes partial", "3_days"),
        ("yes yes no total", "3_days_and_forensics"),
        ("yes no yes total", "3_days_and_forensics"),
        ("yes yes yes total", "3_days_and_forensics"),
    ],
)
def test_the_directives_rows(values: str, outcome: str) -> None:
    known = dict(zip(("kev", "exposed", "automatable", "technical_impact"), values.split(), strict=True))

    assert verdict(trees()[BOD_26_04], known).outcome == outcome


def test_exactly_three_rows_ask_for_forensics() -> None:
    outcomes = [*trees()[BOD_26_04].outcome_by_values.values()]

    assert outcomes.count("3_days_and_forensics") == 3


def test_what_is_not_known_is_taken_at_its_worst_and_named() -> None:
    found = verdict(TOSS, {"rain": "yes", "wind": None})

    assert (found.outcome, found.at_best, found.unknown) == ("stay", "drive", ("wind",))
    assert found.assumed == {"rain": "yes", "wind": "storm"}
    assert not found.is_certain


def test_of_equally_bad_combinations_the_worst_values_are_named() -> None:
    found = verdict(trees()[DEPLOYER], {"exploitation": "active", "exposure": "open", "automatable": "yes"})

    assert found.assumed["human_impact"] == "very_high"
    assert (found.outcome, found.at_best) == ("immediate", "out_of_cycle")


def test_an_unknown_that_changes_nothing_leaves_the_verdict_certain() -> None:
    found = verdict(trees()[BOD_26_04], {"kev": "no", "exposed": "no", "automatable": "no"})

    assert (found.outcome, found.unknown, found.is_certain) == ("next_upgrade", ("technical_impact",), True)


def test_a_value_that_no_point_has_is_refused() -> None:
    with pytest.raises(KeyError, match="rain is never 'hail'"):
        verdict(TOSS, {"rain": "hail"})


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["no -> walk drive"], "not all combinations"),
        (["no -> walk", "yes -> drive stay"], "has 1 outcomes, not 2"),
        (["no -> walk drive", "no -> walk drive"], "is double"),
        (["no -> walk fly", "yes -> drive stay"], "'fly' is no outcome"),
    ],
    ids=["missing", "short", "double", "unknown outcome"],
)
def test_a_table_that_does_not_say_everything_once_is_refused(rows: list[str], why: str) -> None:
    document = {
        "id": "toss-1",
        "title": "",
        "authority": "",
        "citation": "",
        "points": {"rain": ["no", "yes"], "wind": ["calm", "storm"]},
        "outcomes": ["walk", "drive", "stay"],
        "rows": rows,
    }

    with pytest.raises(ValueError, match=why):
        tree(document)


@given(st.data())
def test_to_learn_more_never_makes_it_worse_nor_better_than_was_said(data: st.DataObject) -> None:
    table = trees()[data.draw(st.sampled_from(IDS))]
    whole = {name: data.draw(st.sampled_from(list(values))) for name, values in table.points.items()}
    hidden = {name: None if data.draw(st.booleans()) else value for name, value in whole.items()}

    before, after = verdict(table, hidden), verdict(table, whole)

    assert table.urgency(before.at_best) <= table.urgency(after.outcome) <= table.urgency(before.outcome)
    assert after.outcome == table.outcome_by_values[tuple(whole.values())]


ANSWERS: dict[object, str] = {Days(3): "3_days", Days(14): "14_days", Days(60): "60_days", None: "next_upgrade"}


@pytest.mark.parametrize("kev", [True, False], ids=["exploited", "not exploited"])
def test_the_directives_table_says_what_its_regime_asks_for(*, kev: bool) -> None:
    """Two parts read the same directive: what comes first, and by when. They must not differ, whatever is unknown."""
    preset = shipped("cisa-bod-26-04")
    assert preset is not None
    regime = regime_of(preset)
    said, asked = [], []
    for exposed, automatable, total in product((True, False, None), repeat=3):
        machines = Machines(tier=Tier.SERVER, exposed=exposed)
        risk = Risk(
            kev_added_at=datetime(2026, 11, 10, tzinfo=UTC) if kev else None,
            automatable=automatable,
            technical_impact_total=total,
            cves=("CVE-2026-10001",),
            versions=("kev 1",),
        )
        table = trees()[BOD_26_04]
        known = points(machines, risk)
        subject = Subject(tier=Tier.SERVER, severity=Severity.HIGH, exposed=exposed, risk=risk)
        rule = regime.rule_for(subject)
        assert rule is not None
        said.append(verdict(table, {name: known[name] for name in table.points}).outcome)
        asked.append(ANSWERS[rule.within] + ("_and_forensics" if rule.extra else ""))

    assert said == asked

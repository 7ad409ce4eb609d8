"""A triage comes before the patch: its clocks to the second, and what a patch that came first did."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from services.compliance.priority.rules_triage import Found, Recorded, Step, Triage, standing, started_at

KEV = datetime(2026, 11, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
TRIAGE = Triage(
    tenant_id=UUID(int=1),
    asset_id=UUID(int=2),
    requirement_id=UUID(int=3),
    rule="cisa-bod-26-04:yes-yes-yes-total",
    product="Windows Server 2022",
    train="cumulative",
    release="KB5049983",
    started_at=KEV,
)


def done(step: Step, hours: float, *, found: Found | None = None, recorded: float | None = None) -> Recorded:
    told_at = KEV + HOUR * (hours if recorded is None else recorded)
    return Recorded(step=step, done_at=KEV + HOUR * hours, recorded_at=told_at, found=found)


ALL_DONE = (
    done(Step.SCOPING, 1),
    done(Step.EVIDENCE, 5),
    done(Step.DECISION, 50, found=Found.NONE),
)


@pytest.mark.parametrize(("step", "hours"), [(Step.SCOPING, 2), (Step.EVIDENCE, 24), (Step.DECISION, 72)], ids=str)
def test_a_step_is_late_from_its_moment_on(step: Step, hours: int) -> None:
    due_at = KEV + timedelta(hours=hours)

    before, at = (standing(TRIAGE, (), None, now) for now in (due_at - SECOND, due_at))

    assert [each.is_late for each in before.steps if each.step is step] == [False]
    assert [each.is_late for each in at.steps if each.step is step] == [True]
    assert before.next_change_at == due_at


@pytest.mark.parametrize(("late_by", "is_late"), [(timedelta(0), False), (SECOND, True)], ids=["on time", "a second"])
def test_a_step_done_at_its_moment_is_in_time(late_by: timedelta, *, is_late: bool) -> None:
    told = Recorded(step=Step.SCOPING, done_at=KEV + 2 * HOUR + late_by, recorded_at=KEV + 3 * HOUR)

    found = standing(TRIAGE, [told], None, KEV + 4 * HOUR)

    assert found.steps[0].is_late is is_late


def test_it_closes_when_everything_is_done() -> None:
    found = standing(TRIAGE, ALL_DONE, None, KEV + 80 * HOUR)

    assert (found.is_closed, found.found, found.next_change_at) == (True, Found.NONE, None)
    assert "finding: none" in found.why


@pytest.mark.parametrize(
    ("deployed", "evidence", "violated"),
    [
        (None, None, False),
        (6, None, True),
        (6, 5, False),
        (6, 7, True),
        (6, 6, False),
        (-1, None, False),
    ],
    ids=["no patch", "no evidence", "in order", "too late", "at once", "patched before the clocks began"],
)
def test_a_patch_before_the_evidence_violates_the_order(
    deployed: int | None, evidence: int | None, *, violated: bool
) -> None:
    recorded = [] if evidence is None else [done(Step.EVIDENCE, evidence)]
    deployed_at = None if deployed is None else KEV + deployed * HOUR

    found = standing(TRIAGE, recorded, deployed_at, KEV + 8 * HOUR)

    assert found.order_violated is violated
    assert ("before volatile evidence was captured" in found.why) is violated


def test_evidence_that_was_captured_in_time_and_told_late_mends_the_order() -> None:
    deployed_at, now = KEV + 6 * HOUR, KEV + 30 * HOUR

    before = standing(TRIAGE, [], deployed_at, now)
    after = standing(TRIAGE, [done(Step.EVIDENCE, 5, recorded=29)], deployed_at, now)

    assert (before.order_violated, after.order_violated) == (True, False)
    assert (before.steps[1].is_late, after.steps[1].is_late) == (True, False)


def test_where_the_evidence_is_gone_the_decision_closes_it() -> None:
    deployed_at = KEV + 6 * HOUR

    found = standing(TRIAGE, [done(Step.DECISION, 50, found=Found.SUSPECTED)], deployed_at, KEV + 51 * HOUR)

    assert (found.is_closed, found.order_violated, found.found) == (True, True, Found.SUSPECTED)


def test_patching_alone_closes_nothing() -> None:
    found = standing(TRIAGE, [done(Step.SCOPING, 1), done(Step.EVIDENCE, 5)], KEV + 6 * HOUR, KEV + 7 * HOUR)

    assert not found.is_closed
    assert found.next_change_at == KEV + 72 * HOUR


@pytest.mark.parametrize("order", [*permutations(range(4))], ids=lambda order: "".join(map(str, order)))
def test_the_order_in_which_it_was_written_down_does_not_matter(order: Sequence[int]) -> None:
    told = (*ALL_DONE, done(Step.DECISION, 60, found=Found.CONFIRMED))

    found = standing(TRIAGE, [told[each] for each in order], None, KEV + 80 * HOUR)

    assert found.found is Found.CONFIRMED
    assert found.steps[2].done_at == KEV + 50 * HOUR


def test_the_clocks_of_a_machine_that_came_later_begin_with_it() -> None:
    assert started_at(KEV, KEV + 5 * HOUR) == KEV + 5 * HOUR
    assert started_at(KEV, KEV - 5 * HOUR) == started_at(KEV, None) == KEV

"""Which stages of a benchmark have their turn, and what a run does with one that breaks off."""

import asyncio
from dataclasses import replace

import pytest

from bench.plan import ALL, FULL, ORDINARY, QUICK, Plan
from bench.report import Figure
from bench.stages import STAGES, Run
from bench.turn import Turn
from patchline.local import Say

ROW = Figure(stage="state", value=1.0, unit="events/s", ok=True)


async def _works(_ground: str, _plan: Plan) -> list[Figure]:
    return [ROW]


async def _takes_long(_ground: str, _plan: Plan) -> list[Figure]:
    await asyncio.sleep(60)
    return [ROW]


async def _waits_in_vain(_ground: str, _plan: Plan) -> list[Figure]:
    raise TimeoutError("no answer")


async def _breaks_off(_ground: str, _plan: Plan) -> list[Figure]:
    raise RuntimeError("the relay left rows")


def _run(plan: Plan, told: list[str]) -> Run:
    return Run(plan, Turn(plan, STAGES, told.append), told.append)


def test_only_what_is_wanted_has_its_turn() -> None:
    turn = Turn(ORDINARY, ("relay",), print)

    assert [each for each in STAGES if turn.has(each)] == ["relay"]


def test_a_stage_that_comes_too_late_is_left_out_and_told() -> None:
    told: list[str] = []
    turn = Turn(replace(QUICK, latest_seconds=-1), ("relay", "start"), told.append)

    assert not turn.has("relay")
    assert not turn.has("accept")
    assert told == ["stage: relay is left out: no time"]
    assert turn.left_out == ["relay"]


def test_the_plan_knows_every_stage_and_by_default_none_is_left_out() -> None:
    assert set(STAGES) == ALL
    assert (ORDINARY.without, FULL.without) == (frozenset(), frozenset())
    assert all(plan.without | plan.reduced <= ALL for plan in (QUICK, ORDINARY, FULL))


def test_a_whole_run_has_nothing_reduced_and_a_quick_one_nothing_else() -> None:
    assert FULL.reduced == frozenset()
    assert QUICK.reduced == ALL


def test_a_run_keeps_the_bounds_that_its_command_promises() -> None:
    bounds = [plan.bound_seconds for plan in (QUICK, ORDINARY, FULL)]

    assert all(found < promised for found, promised in zip(bounds, (90, 480, 3600), strict=True))


def test_a_stage_that_breaks_off_is_told_and_the_others_go_on() -> None:
    told: list[str] = []
    run = _run(ORDINARY, told)

    run.through({"relay": ("the floor", _breaks_off), "state": ("the floor", _works)}, "ground")

    assert run.failed == ["relay: RuntimeError: the relay left rows"]
    assert run.figures == [ROW]
    assert "stage: relay broke off: RuntimeError: the relay left rows" in told


def test_what_is_to_be_done_before_is_done_before_each_stage() -> None:
    done: list[str] = []

    async def before(ground: str, _plan: Plan, _say: Say) -> None:
        done.append(ground)

    async def works(_ground: str, _plan: Plan) -> list[Figure]:
        done.append("stage")
        return [ROW]

    _run(ORDINARY, []).through({"relay": ("", works), "state": ("", works)}, "ground", before=before)

    assert done == ["ground", "stage", "ground", "stage"]


def test_a_stage_whose_ground_cannot_be_made_whole_breaks_off_before_it_began() -> None:
    async def before(_ground: str, _plan: Plan, _say: Say) -> None:
        raise RuntimeError("no such service")

    run = _run(ORDINARY, [])

    run.through({"state": ("the floor", _works)}, "ground", before=before)

    assert (run.figures, run.failed) == ([], ["state: RuntimeError: no such service"])


def test_a_stage_is_stopped_when_the_time_of_the_run_is_over() -> None:
    run = _run(replace(ORDINARY, bound_seconds=0.01), [])

    run.through({"state": ("the floor", _takes_long)}, "ground")

    assert (run.turn.left_out, run.figures, run.failed) == (["state"], [], [])


def test_a_stage_that_waits_in_vain_for_something_breaks_off() -> None:
    run = _run(ORDINARY, [])

    run.through({"state": ("the floor", _waits_in_vain)}, "ground")

    assert (run.turn.left_out, run.failed) == ([], ["state: TimeoutError: no answer"])


@pytest.mark.parametrize(("plan", "stage"), [(QUICK, "state (reduced)"), (FULL, "state")])
def test_a_reduced_stage_says_so_in_its_rows(plan: Plan, stage: str) -> None:
    run = _run(plan, [])

    run.through({"state": ("the floor", _works)}, "ground")

    assert [each.stage for each in run.figures] == [stage]

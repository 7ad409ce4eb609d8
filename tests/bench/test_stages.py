"""Which stages of a benchmark have their turn."""

from dataclasses import replace

from bench.plan import FULL, ORDINARY, QUICK
from bench.stages import STAGES, Turn


def test_only_what_is_wanted_has_its_turn() -> None:
    turn = Turn(ORDINARY, ("relay",), print)

    assert [each for each in STAGES if turn.has(each)] == ["relay"]


def test_a_stage_that_comes_too_late_is_left_out_and_told() -> None:
    told: list[str] = []
    turn = Turn(replace(QUICK, latest_seconds=-1), ("relay", "start"), told.append)

    assert not turn.has("relay")
    assert not turn.has("accept")
    assert told == ["stage: relay is left out: no time"]


def test_a_quick_run_is_marked_and_whole_ones_are_not() -> None:
    assert [plan.note for plan in (QUICK, ORDINARY, FULL)] == [" (reduced)", "", ""]

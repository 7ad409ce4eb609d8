"""What the benchmark says of a run: which rows are missed, which are marked, and when that is a failure."""

import json
from pathlib import Path

import pytest

from bench.__main__ import parser, verdict
from bench.report import Figure, and_at_least, at_least, at_most, marked, summary
from bench.stages import Outcome


def _row(*, ok: bool | None) -> Figure:
    return Figure(stage="state", value=1.0, unit="events/s", ok=ok)


def test_a_ratio_is_taken_within_its_own_round_and_its_median_is_told() -> None:
    found = summary([(10.0, 100.0), (30.0, 100.0), (20.0, 50.0)])

    assert found == {"value": 20, "floor": 100, "ratio": 0.3, "rounds": 3, "spread": [0.1, 0.4]}


@pytest.mark.parametrize(("reach", "ok"), [(0.29, True), (0.3, True), (0.31, False)])
def test_a_stage_below_its_share_of_the_floor_is_missed(reach: float, ok: bool) -> None:  # noqa: FBT001 - a table
    measured = {"unit": "events/s", **summary([(30.0, 100.0)])}

    assert at_least("state", measured, reach).ok is ok


@pytest.mark.parametrize(
    ("value", "floor", "ok"),
    [
        pytest.param(9_000, 39_000, True, id="a slow machine"),
        pytest.param(9_999, 40_000, False, id="a machine that is fast enough"),
        pytest.param(10_000, 40_000, True, id="as much as promised"),
    ],
)
def test_a_rate_is_promised_only_where_the_machine_is_fast_enough(value: float, floor: float, ok: bool) -> None:  # noqa: FBT001 - a table
    row = at_least("state", {"unit": "events/s", **summary([(value, floor)])}, 0.1)

    found = and_at_least(row, 10_000, where_floor=40_000)

    assert (found.ok, found.reach) == (ok, "ratio >= 0.1; >= 10,000 events/s where the floor is >= 40,000")


def test_a_figure_at_its_bound_is_missed() -> None:
    assert [at_most("start", value, "s", 2).ok for value in (1.9, 2.0)] == [True, False]


def test_a_reduced_stage_says_so_in_its_name_and_nothing_else_changes() -> None:
    [row] = marked([_row(ok=False)], " (reduced)")

    assert (row.stage, row.ok, row.value) == ("state (reduced)", False, 1.0)


@pytest.mark.parametrize(
    ("arguments", "ok", "code"),
    [
        pytest.param([], True, 0, id="all reached"),
        pytest.param([], None, 0, id="nothing promised"),
        pytest.param([], False, 1, id="missed"),
        pytest.param(["--full"], False, 1, id="missed at full size"),
        pytest.param(["--quick"], False, 0, id="missed when only asked whether it runs"),
    ],
)
def test_a_missed_reach_fails_unless_the_run_is_quick(arguments: list[str], ok: bool | None, code: int) -> None:  # noqa: FBT001 - a table
    plan = parser().parse_args(arguments).plan

    assert verdict(Outcome([_row(ok=True), _row(ok=ok)], [], []), judges_speed=plan != "quick") == code


@pytest.mark.parametrize(
    ("left_out", "failed", "quick", "code"),
    [
        pytest.param([], ["relay: RuntimeError"], True, 1, id="a stage broke off in a quick run"),
        pytest.param(["start"], [], True, 0, id="no time for one in a quick run"),
        pytest.param(["start"], [], False, 1, id="no time for one where all are promised"),
    ],
)
def test_a_stage_without_a_row_fails_where_it_should(
    left_out: list[str],
    failed: list[str],
    quick: bool,  # noqa: FBT001 - a table
    code: int,
) -> None:
    assert verdict(Outcome([_row(ok=True)], left_out, failed), judges_speed=not quick) == code


def test_the_sizes_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parser().parse_args(["--quick", "--full"])

    assert stopped.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_the_help_says_what_quick_does_not_judge() -> None:
    assert "only a stage that cannot run fails" in " ".join(parser().format_help().split())


def test_the_rows_are_written_with_the_keys_that_readers_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from bench.report import FILE, write

    write([_row(ok=True)])

    [row] = json.loads(FILE.read_text())
    assert list(row) == ["stage", "value", "unit", "floor", "ratio", "reach", "ok", "rounds", "spread"]

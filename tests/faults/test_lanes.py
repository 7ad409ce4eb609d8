"""Faults are shared out to products, and what other processes tell of them becomes one table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from faults.lanes import MOST_IN_ONE, Lanes, portions, written_down
from faults.registry import Fault
from faults.report import Injured
from faults.size import Size
from faults.world import World
from patchline.demo.display import PlainDisplay

GOOD = Injured(fault="a good one", injected=3, recovered_s=1.5, runbook="Dead letters")


async def nothing(_world: World) -> Sequence[Injured]:
    return []


def fault(name: str, *, alone: bool = False) -> Fault:
    return Fault(name=name, says=name, injure=nothing, runbook="Dead letters", alone=alone)


def test_a_few_share_a_product_and_who_is_alone_has_one() -> None:
    many = [fault(str(number)) for number in range(MOST_IN_ONE + 1)]
    alone = fault("alone", alone=True)

    assert portions([alone, *many], Size.ORDINARY) == [many[:MOST_IN_ONE], many[MOST_IN_ONE:], [alone]]


async def test_each_portion_is_injected_by_a_process_of_its_own() -> None:
    lanes = _lanes(fault("no fault of this name"))

    await lanes.run()
    lanes.note_unfinished()

    assert [(row.fault, row.is_good) for row in lanes.rows] == [("no fault of this name, not finished", False)]


def test_what_was_told_stands_in_the_order_of_the_list(tmp_path: Path) -> None:
    lanes, second = _lanes(fault("a"), fault("b"), fault("c")), tmp_path / "second.json"
    written_down(second, [GOOD], {"b": "no right to mount"}, ["b", "c"])
    first = tmp_path / "first.json"
    written_down(first, [Injured(fault="the first", injected=1, recovered_s=0)], {}, ["a"])

    lanes.take_over(second, 1)
    lanes.take_over(first, 0)
    lanes.note_unfinished()

    assert [row.fault for row in lanes.rows] == ["the first", "a good one"]
    assert lanes.rows[1] == GOOD
    assert lanes.hindered == {"b": "no right to mount"}


def test_of_whom_nothing_was_told_has_a_row_that_fails(tmp_path: Path) -> None:
    lanes = _lanes(fault("a"))

    lanes.take_over(tmp_path / "never written", 0)
    lanes.note_unfinished()

    assert [(row.fault, row.is_good) for row in lanes.rows] == [("a, not finished", False)]


def _lanes(*faults: Fault) -> Lanes:
    return Lanes(faults, PlainDisplay(Console(quiet=True)), seed=1, size=Size.ORDINARY, seconds=60, lanes=2)

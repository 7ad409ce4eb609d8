"""What breaks off becomes a row that fails, and the rest goes on."""

import asyncio
from collections.abc import Sequence

import pytest
from rich.console import Console

from faults.registry import FAULTS, Fault
from faults.report import Injured
from faults.size import Size
from faults.suite import Suite, Unending, ended, grouped, told
from faults.world import World
from patchline.demo.display import PlainDisplay


async def nothing(_world: World) -> Sequence[Injured]:
    return []


def fault(name: str, *, alone: bool = False, only_full: bool = False) -> Fault:
    return Fault(name=name, says=name, injure=nothing, runbook="Dead letters", alone=alone, only_full=only_full)


def suite(*faults: Fault, size: Size = Size.ORDINARY, seconds: float = 60) -> Suite:
    return Suite(faults, PlainDisplay(Console(quiet=True)), seed=1, size=size, seconds=seconds)


def test_those_that_are_not_alone_share_a_world_and_those_of_the_longest_run_another() -> None:
    a, b, c, d = fault("a"), fault("b", alone=True), fault("c", only_full=True), fault("d")

    assert grouped([a, b, c, d], Size.FULL) == [[a, d], [b], [c]]
    assert grouped([b], Size.ORDINARY) == [[b]]


def test_a_quick_run_has_one_world() -> None:
    a, b = fault("a"), fault("b", alone=True)

    assert grouped([a, b], Size.QUICK) == [[a, b]]
    assert grouped([], Size.QUICK) == []


async def test_what_came_to_its_end_did_not_break_off() -> None:
    assert await ended(asyncio.sleep(0), seconds=5) is None


async def test_what_raises_is_returned_with_its_place() -> None:
    async def break_off() -> None:
        raise LookupError("Kafka is not ours to stop")

    error = await ended(break_off(), seconds=5)

    assert error is not None
    assert told(error).startswith("LookupError: Kafka is not ours to stop, break_off line ")


async def test_what_hangs_is_stopped_and_may_tidy_up() -> None:
    tidied = []

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            tidied.append("undone")

    assert isinstance(await ended(hang(), seconds=0.01), Unending)
    assert tidied == ["undone"]


async def test_whoever_is_stopped_stops_what_it_waits_for() -> None:
    tidied = []

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            tidied.append("undone")

    waiting = asyncio.ensure_future(ended(hang(), seconds=60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert tidied == ["undone"]


def test_what_did_not_come_to_its_end_is_a_row_that_fails() -> None:
    run = suite(fault("a"), fault("b"))
    run.done.append("a")

    run.note_unfinished()

    assert [(row.fault, row.is_good, row.runbook) for row in run.rows] == [("b, not finished", False, "Dead letters")]


def test_a_quick_run_leaves_out_what_there_was_no_time_for() -> None:
    run = suite(fault("a"), fault("b"), size=Size.QUICK, seconds=1)
    run.rows.append(Injured(fault="a", injected=1, recovered_s=1))
    run.done.append("a")

    run.note_unfinished()

    assert [row.fault for row in run.rows] == ["a"]
    assert run.hindered == {"b": "no time was left"}


def test_a_quick_run_that_was_stopped_before_its_time_fails() -> None:
    run = suite(fault("a"), fault("b"), size=Size.QUICK)
    run.rows.append(Injured(fault="a", injected=1, recovered_s=1))
    run.done.append("a")

    run.note_unfinished()

    assert [row.fault for row in run.rows] == ["a", "b, not finished"]


def test_a_quick_run_that_tried_nothing_fails() -> None:
    run = suite(fault("a"), size=Size.QUICK)

    run.note_unfinished()

    assert [row.fault for row in run.rows] == ["a, not finished"]


def test_each_fault_has_a_name_of_its_own() -> None:
    names = [each.name for each in FAULTS]

    assert sorted(set(names)) == sorted(names)

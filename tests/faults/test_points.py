"""Every labelled point in the code is one that `make faults` aims at, and the other way round."""

import ast
from collections.abc import Iterator
from pathlib import Path

from faults.points import BY_TESTS_ALONE, POINTS
from patchline.stack.programs import PROGRAMS
from services.ticketing.records import Act

ROOT = Path(__file__).resolve().parents[2]


def _labels() -> Iterator[str]:
    """Yield the label of each `points.reached(...)`; one that names an act stands for all acts."""
    for room in ("chassis", "services"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "points.reached":
                    yield from _spelled(node.args[0])


def _spelled(label: ast.expr) -> Iterator[str]:
    match label:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str() as start), ast.FormattedValue()]):
            yield from (f"{start}{act}" for act in Act)
        case _:
            raise AssertionError(f"{ast.unparse(label)}: a label is a text, or a text that ends in the act")


def test_every_labelled_point_is_aimed_at_and_there_is_no_other() -> None:
    aimed_at = {point for points in POINTS.values() for point in points}

    assert aimed_at | BY_TESTS_ALONE == set(_labels())


def test_only_programs_that_exist_are_aimed_at() -> None:
    assert POINTS.keys() <= {program.name for program in PROGRAMS}


def test_the_document_says_what_happens_at_every_point() -> None:
    document = (ROOT / "docs" / "flow.md").read_text()
    acts = {f"effect {when} {act}" for when in ("before", "after") for act in Act if act is not Act.OPEN}
    named = {point for points in POINTS.values() for point in points} - acts

    assert [point for point in sorted(named) if f"`{point}`" not in document] == []

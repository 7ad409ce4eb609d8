"""README's table is what the command writes, and every row's place in the runbook exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.readme import NoPlace
from faults.readme import PLACE, anchor, block, is_whole
from faults.registry import FAULTS
from faults.report import Injured
from faults.size import Size

ROOT = Path(__file__).resolve().parents[2]
ROW = Injured(fault="kill -9 | at random", injected=3, recovered_s=1.54, runbook="Restart and upgrade")


def _headings() -> set[str]:
    return set(re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE))


def test_no_heading_of_the_runbook_is_there_twice() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)

    assert sorted(set(headings)) == sorted(headings)


def _named() -> Iterator[tuple[str, str]]:
    """Yield each heading that a file of the faults names, with the file."""
    for file in (ROOT / "faults").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "runbook" and isinstance(node.value, ast.Constant):
                yield str(node.value.value), file.name


def test_every_fault_names_a_heading_of_the_runbook() -> None:
    assert [each.name for each in FAULTS if each.runbook not in _headings()] == []


def test_every_row_names_a_heading_of_the_runbook() -> None:
    named = set(_named())

    assert {heading for heading, _ in named} >= {"Restart and upgrade"}
    assert [each for each in named if each[0] not in _headings()] == []


def test_the_document_has_a_row_for_every_fault_and_for_nothing_else() -> None:
    _, _, tables = (ROOT / "docs/faults.md").read_text().partition("## One at a time")
    rows = re.findall(r"^\| `([a-z-]+)`[ :]", tables, re.MULTILINE)

    assert len(rows) == len(set(rows))
    assert {fault.name for fault in FAULTS} == set(rows)


def test_every_link_of_the_document_to_the_runbook_leads_somewhere() -> None:
    linked = set(re.findall(r"\(runbook\.md#([^)]+)\)", (ROOT / "docs/faults.md").read_text()))

    assert linked
    assert linked <= {anchor(heading) for heading in _headings()}


def test_a_heading_gets_the_anchor_that_links_use() -> None:
    assert anchor("The audit's chain is broken") == "the-audits-chain-is-broken"


def test_the_table_links_each_row_to_the_runbook() -> None:
    lines = block([ROW], Size.ORDINARY, 600).splitlines()

    link = "[Restart and upgrade](docs/runbook.md#restart-and-upgrade)"
    assert re.fullmatch(r"One run of `make faults` on \d+ cores, \d+ GiB, 10 minutes:", lines[0])
    assert lines[4] == f"| kill -9 &#124; at random | 3 | 1.5 s | 0 | 0 | 0 | {link} |"
    assert lines[-1] == "1 rows: injected 3, lost 0, doubled 0, wrong 0, late 0."


def test_only_what_stands_between_the_comments_is_written_anew() -> None:
    text = f"above\n{PLACE.begin}\nold\n{PLACE.end}\nbelow\n"

    assert PLACE.written_into(text, "new") == f"above\n{PLACE.begin}\n\nnew\n\n{PLACE.end}\nbelow\n"


def test_a_document_without_the_comments_is_refused() -> None:
    with pytest.raises(NoPlace, match="has not both comments"):
        PLACE.written_into("nothing here", "new")


def test_a_run_that_was_cut_off_is_not_whole_and_one_that_did_harm_is() -> None:
    done = Injured(fault="a", injected=1, recovered_s=1, lost=1)

    assert is_whole([done])
    assert not is_whole([done, Injured(fault="b, not finished", injected=0, recovered_s=0)])
    assert not is_whole([])

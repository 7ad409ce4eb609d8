"""README.md's table of the benchmark is what the command writes."""

from pathlib import Path

from bench.readme import PLACE
from bench.report import HEADINGS

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmarks_table_has_the_columns_that_its_command_writes() -> None:
    _, _, rest = (ROOT / "README.md").read_text().partition(PLACE.begin)
    block, end, _ = rest.partition(PLACE.end)
    lines = [line for line in block.splitlines() if line.startswith("|")]

    assert end
    assert lines[0] == f"| {' | '.join(HEADINGS)} |"
    assert {line.count("|") for line in lines} == {len(HEADINGS) + 1}
    assert len(lines) > len(("headings", "rule"))

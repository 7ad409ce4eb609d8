"""The table of README.md: written by `python -m faults --readme` from the rows of its run, never by hand."""

import os
import re
from collections.abc import Sequence
from typing import Final

from checks.readme import Place, line
from faults.report import HEADINGS, Injured, cells, totals
from faults.size import Size

RUNBOOK: Final = "docs/runbook.md"
PLACE: Final = Place("<!-- faults: written by `python -m faults --readme` -->", "<!-- faults: end -->")
SHORT_SECONDS: Final = 120.0
_NO_LETTER: Final = re.compile(r"[^\w\- ]")


def anchor(heading: str) -> str:
    """Return the anchor that a Markdown heading gets."""
    return _NO_LETTER.sub("", heading.lower()).replace(" ", "-")


def block(rows: Sequence[Injured], size: Size, seconds: float) -> str:
    """Return the table as Markdown, under a line with the machine, named by its cores and memory only."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    command = size.of(quick="make faults-quick", ordinary="make faults", full="make faults-full")
    took = f"{seconds / 60:.0f} minutes" if seconds >= SHORT_SECONDS else f"{seconds:.0f} s"
    ran = f"One run of `{command}` on {os.cpu_count()} cores, {memory_gib:.0f} GiB, {took}:"
    lines = [ran, "", line(list(HEADINGS)), line(["---"] * len(HEADINGS))]
    lines += [line([*cells(row), f"[{row.runbook}]({RUNBOOK}#{anchor(row.runbook)})"]) for row in rows]
    return "\n".join([*lines, "", f"{len(rows)} rows: {totals(rows)}."])


def is_whole(rows: Sequence[Injured]) -> bool:
    """Return whether every fault of a run was injected: the table of another would look better than it is."""
    return bool(rows) and all(row.injected for row in rows)

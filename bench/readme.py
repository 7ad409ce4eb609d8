"""The table of README.md: written by `python -m bench --readme` from the rows of the last run, never by hand."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from bench import environment, report
from bench.report import HEADINGS, Figure, cells
from checks.readme import Place, line

PLACE: Final = Place("<!-- bench: written by `python -m bench --readme` -->", "<!-- bench: end -->")


class NoReport(Exception):
    """No run was reported here yet."""


def block() -> str:
    """Return the table of the last run as Markdown, under a line with the machine by its cores and memory only.

    Raises:
        NoReport: there was none.
    """
    if not (report.FILE.exists() and environment.FILE.exists()):
        raise NoReport(f"{report.FILE} is not there: run `make bench` first")
    figures = [Figure(**{**each, "spread": _both(each["spread"])}) for each in json.loads(report.FILE.read_text())]
    return table(figures, json.loads(environment.FILE.read_text()))


def table(figures: Sequence[Figure], machine: dict[str, Any]) -> str:
    """Return the rows below their headings; of several processes that one bound holds for, the worst one's."""
    where = f"{machine['cores']} cores, {machine['memory_gib']:.0f} GiB"
    lines = [f"One run of `{machine['command']}` on {where}; {machine['pinned']}:", "", line(list(HEADINGS))]
    lines.append(line(["---"] * len(HEADINGS)))
    lines += [line(cells(each)) for each in _folded(figures)]
    return "\n".join(lines)


def _folded(figures: Sequence[Figure]) -> list[Figure]:
    """Return the rows, those that say the same of one process after the other as one: the worst, with its name."""
    alike: dict[tuple[str, str], list[Figure]] = {}
    for each in figures:
        of_each = "" if each.ratio is not None else each.stage.rpartition(", ")[0]
        alike.setdefault((of_each or each.stage, each.reach), []).append(each)
    return [_worst(what, rows) for (what, _), rows in alike.items()]


def _worst(what: str, rows: Sequence[Figure]) -> Figure:
    worst = max(rows, key=lambda each: each.value)
    if len(rows) == 1:
        return worst
    return replace(worst, stage=f"{what}, most of {len(rows)} processes: {worst.stage.rpartition(', ')[2]}")


def _both(spread: Sequence[float] | None) -> tuple[float, float] | None:
    return None if spread is None else (spread[0], spread[1])

"""What the benchmark prints and writes: each stage beside its floor of the same run, never an absolute promise."""

import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

FILE: Final = Path("build/reports/bench.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: what was reached, beside the floor. `reach` bounds `ratio` or else `value`; `ok` is the verdict."""

    stage: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    reach: str = ""
    ok: bool | None = None
    rounds: int = 1
    spread: tuple[float, float] | None = None


def summary(rounds: Sequence[tuple[float, float]]) -> dict[str, object]:
    """Return medians of stage and floor, and of the ratios: each against the floor of its own round."""
    ratios = [value / floor for value, floor in rounds]
    return {
        "value": round(statistics.median(value for value, _ in rounds)),
        "floor": round(statistics.median(floor for _, floor in rounds)),
        "ratio": round(statistics.median(ratios), 3),
        "rounds": len(rounds),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def at_least(stage: str, measured: Mapping[str, object], reach: float) -> Figure:
    """Return the row of a stage that must reach a share of its floor. `measured` is what the stage returned."""
    ratio = float(str(measured["ratio"]))
    low, high = measured["spread"] if isinstance(measured["spread"], Sequence) else (ratio, ratio)
    return Figure(
        stage=stage,
        value=float(str(measured["value"])),
        unit=str(measured["unit"]),
        floor=float(str(measured["floor"])),
        ratio=ratio,
        reach=f"ratio >= {reach:g}",
        ok=ratio >= reach,
        rounds=int(str(measured["rounds"])),
        spread=(float(low), float(high)),
    )


def at_most(stage: str, value: float, unit: str, reach: float) -> Figure:
    """Return the row of a figure that must stay below a bound."""
    return Figure(stage=stage, value=round(value, 1), unit=unit, reach=f"< {reach:g} {unit}", ok=value < reach)


def marked(figures: Iterable[Figure], note: str) -> list[Figure]:
    """Return the rows with `note` behind the names of their stages, so that nobody takes them for whole runs."""
    return [replace(each, stage=f"{each.stage}{note}") for each in figures]


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table; the machine is named by its cores and memory only."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    table = Table(title=f"Benchmark on {os.cpu_count()} cores, {memory_gib:.0f} GiB", title_justify="left")
    for column in ("stage", "value", "floor", "ratio", "spread", "reach", ""):
        table.add_column(column, justify="left" if column in {"stage", "reach", ""} else "right")
    for each in figures:
        table.add_row(
            each.stage,
            f"{each.value:,.1f} {each.unit}" if each.value < 1000 else f"{each.value:,.0f} {each.unit}",
            "" if each.floor is None else f"{each.floor:,.0f}",
            "" if each.ratio is None else f"{each.ratio:.2f}",
            "" if each.spread is None else f"{each.spread[0]:.2f} .. {each.spread[1]:.2f}",
            each.reach,
            {None: "", True: "ok", False: "MISSED"}[each.ok],
        )
    console.print(table)


def write(figures: Sequence[Figure]) -> None:
    """Write the rows to `build/reports/bench.json`."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")

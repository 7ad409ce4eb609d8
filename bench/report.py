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
HEADINGS: Final = ("stage", "reached", "floor", "ratio", "spread", "reach", "")


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


def beside(stage: str, measured: Mapping[str, object]) -> Figure:
    """Return the row of a stage that is told beside its floor and promises nothing. `measured` is what it returned."""
    ratio = float(str(measured["ratio"]))
    low, high = measured["spread"] if isinstance(measured["spread"], Sequence) else (ratio, ratio)
    return Figure(
        stage=stage,
        value=float(str(measured["value"])),
        unit=str(measured["unit"]),
        floor=float(str(measured["floor"])),
        ratio=ratio,
        rounds=int(str(measured["rounds"])),
        spread=(float(low), float(high)),
    )


def at_least(stage: str, measured: Mapping[str, object], reach: float) -> Figure:
    """Return the row of a stage that must reach a share of its floor."""
    row = beside(stage, measured)
    return replace(row, reach=f"ratio >= {reach:g}", ok=row.ratio is not None and row.ratio >= reach)


def and_at_least(row: Figure, value: float, *, where_floor: float) -> Figure:
    """Return the row with another promise: such a value too, on a machine whose floor is as high as that."""
    is_kept = row.floor is None or row.floor < where_floor or row.value >= value
    reach = f"{row.reach}; >= {value:,.0f} {row.unit} where the floor is >= {where_floor:,.0f}"
    return replace(row, reach=reach, ok=row.ok is not False and is_kept)


def at_most(stage: str, value: float, unit: str, reach: float) -> Figure:
    """Return the row of a figure that must stay below a bound."""
    return Figure(stage=stage, value=round(value, 1), unit=unit, reach=f"< {reach:g} {unit}", ok=value < reach)


def marked(figures: Iterable[Figure], note: str) -> list[Figure]:
    """Return the rows with `note` behind the names of their stages, so that nobody takes them for whole runs."""
    return [replace(each, stage=f"{each.stage}{note}") for each in figures]


def cells(row: Figure) -> list[str]:
    """Return what stands in a row of a table, below `HEADINGS`."""
    return [
        row.stage,
        _amount(row.value, row.unit),
        "" if row.floor is None else _number(row.floor),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.spread is None else f"{row.spread[0]:.2f} .. {row.spread[1]:.2f}",
        row.reach,
        {None: "", True: "ok", False: "MISSED"}[row.ok],
    ]


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}"


def _number(value: float) -> str:
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table; the machine is named by its cores and memory only."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    table = Table(title=f"Benchmark on {os.cpu_count()} cores, {memory_gib:.0f} GiB", title_justify="left")
    for column in HEADINGS:
        table.add_column(
            column, justify="left" if column in {"stage", "reach", ""} else "right", no_wrap=column != "stage"
        )
    for each in figures:
        table.add_row(*cells(each))
    console.print(table)


def write(figures: Sequence[Figure]) -> None:
    """Write the rows to `build/reports/bench.json`."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")

"""What the proof prints and writes: `build/reports/obligations.json`, a list of figures, each beside its floor."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

FILE: Final = Path("build/reports/obligations.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row. `reach` says what it must come to, in words; `floor` and `ratio` are `None` where they have no sense."""

    figure: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    reach: str = ""
    ok: bool = True


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table."""
    table = Table(title="What the obligation engine promises", title_justify="left")
    for column in ("figure", "value", "floor", "ratio", "reach", ""):
        table.add_column(column, justify="left" if column in {"figure", "reach", ""} else "right", overflow="fold")
    for each in figures:
        table.add_row(
            each.figure,
            f"{each.value:,.6g} {each.unit}",
            "" if each.floor is None else f"{each.floor:,.6g}",
            "" if each.ratio is None else f"{each.ratio:.3g}",
            each.reach,
            "ok" if each.ok else "MISSED",
        )
    console.print(table)


def write(figures: Sequence[Figure]) -> None:
    """Write the rows to `build/reports/obligations.json`."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")

"""What the faults did: one row each for `build/reports/faults.json`, a table for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

FILE: Final = Path("build/reports/faults.json")
HEADINGS: Final = ("fault", "injected", "recovered after, at most", "lost", "doubled", "wrong", "runbook")
LATE_SECONDS: Final = 120.0
"""What has not recovered after so long is late: a service that never works again must not look like a slow one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injured:
    """What one fault did. `injected` counts how often it really happened; 0 means that it could not be injected.

    `recovered_s` is the longest time from one of them until what it hit handled work again, in seconds. `lost`,
    `doubled` and `wrong` count effects that are not as the ledger says, once all was settled. `runbook` is the heading
    in docs/runbook.md under which an operator finds what to do; it stands in the printed tables alone.
    """

    fault: str
    injected: int
    recovered_s: float
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    runbook: str = ""

    @property
    def is_good(self) -> bool:
        """Return whether it was injected, did no harm, and was over in time."""
        return self.injected > 0 and not (self.lost or self.doubled or self.wrong or self.is_late)

    @property
    def is_late(self) -> bool:
        """Return whether what it hit took too long to work again."""
        return self.recovered_s >= LATE_SECONDS


def write(path: Path, rows: Sequence[Injured]) -> None:
    """Write the rows to `path`: a list, without totals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([_keys(row) for row in rows], indent=2) + "\n")


def _keys(row: Injured) -> dict[str, object]:
    """Return a row as machines get it."""
    return {name: value for name, value in asdict(row).items() if name != "runbook"}


def show(console: Console, rows: Sequence[Injured], seconds: float) -> None:
    """Print the rows and the totals."""
    table = Table(title="Faults", title_justify="left", title_style="bold")
    for name in HEADINGS:
        table.add_column(name, justify="left" if name in {"fault", "runbook"} else "right")
    for row in rows:
        table.add_row(*cells(row), row.runbook, style="" if row.is_good else "bold red")
    console.print(table)
    is_good = bool(rows) and all(row.is_good for row in rows)
    style = "bold green" if is_good else "bold red"
    console.print(f"{len(rows)} faults in {seconds:.0f} s: {totals(rows)}", style=style)


def cells(row: Injured) -> list[str]:
    """Return what stands in a row, but for the runbook's heading."""
    return [row.fault, str(row.injected), f"{row.recovered_s:.1f} s", str(row.lost), str(row.doubled), str(row.wrong)]


def totals(rows: Sequence[Injured]) -> str:
    """Return the sums of all rows, and how many were late, in words."""
    sums = {name: sum(getattr(row, name) for row in rows) for name in ("injected", "lost", "doubled", "wrong")}
    sums["late"] = sum(row.is_late for row in rows)
    return ", ".join(f"{name} {number}" for name, number in sums.items())

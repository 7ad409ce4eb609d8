"""What the faults did: one row each for `build/reports/faults.json`, a table for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

FILE: Final = Path("build/reports/faults.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Injured:
    """What one fault did. `injected` counts how often it really happened; 0 means that it could not be injected.

    `recovered_s` is the longest time from one of them until what it hit handled work again, in seconds. `lost`,
    `doubled` and `wrong` count effects that are not as the ledger says, once all was settled.
    """

    fault: str
    injected: int
    recovered_s: float
    lost: int = 0
    doubled: int = 0
    wrong: int = 0

    @property
    def is_good(self) -> bool:
        """Return whether it was injected and did no harm."""
        return self.injected > 0 and not (self.lost or self.doubled or self.wrong)


def write(path: Path, rows: Sequence[Injured]) -> None:
    """Write the rows to `path`: a list, without totals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def show(console: Console, rows: Sequence[Injured], seconds: float) -> None:
    """Print the rows and the totals."""
    table = Table(title="Faults", title_justify="left", title_style="bold")
    for name in ("fault", "injected", "recovered after, at most", "lost", "doubled", "wrong"):
        table.add_column(name, justify="left" if name == "fault" else "right")
    for row in rows:
        figures = (str(row.injected), f"{row.recovered_s:.1f} s", str(row.lost), str(row.doubled), str(row.wrong))
        table.add_row(row.fault, *figures, style="" if row.is_good else "bold red")
    console.print(table)
    totals = {name: sum(getattr(row, name) for row in rows) for name in ("injected", "lost", "doubled", "wrong")}
    is_good = bool(rows) and all(row.is_good for row in rows)
    told = ", ".join(f"{name} {number}" for name, number in totals.items())
    console.print(f"{len(rows)} faults in {seconds:.0f} s: {told}", style="bold green" if is_good else "bold red")

"""Shows the afternoon with a breach: who was reset, who waits for whom, who must never be, and when."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from patchline.demo.afternoon import Afternoon, to_owners
from patchline.demo.afternoon_judgement import minutes
from simulators.breach import Fate

SHOWN_RESETS: Final = 6
ORDER: Final = (Fate.RESET, Fate.APPROVED, Fate.WAITING, Fate.TURNED_DOWN, Fate.NEVER, Fate.FOREIGN, Fate.NOTIFIED,
                Fate.REMEDIATED)  # fmt: skip
WORDS: Final[Mapping[Fate, str]] = {
    Fate.RESET: "reset",
    Fate.APPROVED: "reset, two people agreed",
    Fate.WAITING: "waits for people",
    Fate.TURNED_DOWN: "people said no",
    Fate.NEVER: "never by a machine",
    Fate.FOREIGN: "not the client's",
    Fate.NOTIFIED: "told, nothing to reset",
    Fate.REMEDIATED: "changed already",
}


def show(console: Console, after: Afternoon) -> None:
    """Print who was reset and who was not, and why; of those that are alike a few."""
    console.print(_cases(after))
    if after.levels:
        console.print(_levels(after))


def _cases(after: Afternoon) -> Table:
    title = f"An afternoon with a breach: {len(after.breach.exposures)} exposures, {len(after.cases)} cases"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in ("", "account", "client", "ticket", "invalid at", "sessions", "owner told", "verified", "waits for"):
        table.add_column(name, overflow="fold")
    fates = after.breach.fates
    known = [row for row in after.cases if row["login"] in fates]
    shown: Counter[Fate] = Counter()
    for row in sorted(known, key=lambda row: (ORDER.index(fates[row["login"]]), row["client"], row["login"])):
        fate = fates[row["login"]]
        shown[fate] += 1
        if shown[fate] <= SHOWN_RESETS:
            table.add_row(*_line(after, row, fate))
    for fate in ORDER:
        if shown[fate] > SHOWN_RESETS:
            table.add_row(WORDS[fate], f"and {shown[fate] - SHOWN_RESETS} more", *[""] * 7, style="dim")
    return table


def _line(after: Afternoon, row: Mapping[str, Any], fate: Fate) -> tuple[str, ...]:
    steps = after.steps.get(row["login"], [])
    times = [minutes(steps, step) for step in ("invalidated", "revoked", "notified", "verified")]
    waits_for = (row["waits_for"] or "") if fate is Fate.WAITING else ""
    return WORDS[fate], row["login"], row["client"], row["ticket"] or "", *times, waits_for


def _levels(after: Afternoon) -> Table:
    table = Table(title="Service level", title_justify="left", title_style="bold", box=box.SIMPLE)
    names = list(after.levels[0])
    for name in names:
        table.add_column(name.replace("_", " "))
    for row in after.levels:
        table.add_row(*(_rounded(row[name]) for name in names))
    return table


def _rounded(value: object) -> str:
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def written(after: Afternoon) -> dict[str, Any]:
    """Return the same for machines."""
    return {
        "exposures": len(after.breach.exposures),
        "cases": [
            {name: row[name] for name in ("id", "client", "login", "kind", "decision", "why", "state", "ticket")}
            | {"expected": after.breach.fates.get(row["login"])}
            for row in after.cases
        ],
        "resets": sum(each.what == "password" for each in after.deeds),
        "notices": len(to_owners(after.notices)),
        "breakers": after.breakers,
        "levels": after.levels,
    }

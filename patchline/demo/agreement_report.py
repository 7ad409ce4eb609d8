"""Shows one client's policy: whether it can be met, what fell due during the day, and how an exception ended."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from patchline.demo.agreement import CLIENT, Agreement


def show(console: Console, after: Agreement) -> None:
    """Print the linter's answer, what fell due, and the exception from its request to its end."""
    console.print(_lint(after.lint))
    console.print(_due(after))
    for line in _exception(after):
        console.print(line, markup=False, highlight=False)
    console.print()


def _lint(lint: Mapping[str, Any]) -> Table:
    title = f"The policy of {CLIENT}: {len(lint['infeasible'])} of its promises cannot be kept"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for name in ("promise", "within", "measure", "released", "due", "met", "short by"):
        table.add_column(name, overflow="fold")
    for each in lint["infeasible"]:
        table.add_row(
            f"{each['tier']}, {', '.join(each['severities'])}",
            each["within"],
            each["measure"],
            *(_moment(each[name]) for name in ("worst_released_at", "due_at", "met_at")),
            f"{each['shortfall_hours']:g} h",
        )
    return table


def _due(after: Agreement) -> Table:
    title = f"What fell due for {CLIENT} within a day: {len(after.fell_due)}, of them kept {_kept(after)}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for name in ("update", "tier", "severity", "due", "machines", "states"):
        table.add_column(name, overflow="fold")
    groups: dict[tuple[str, ...], Counter[str]] = {}
    for each in after.fell_due:
        key: tuple[str, ...] = (
            f"{each['product']}, {each['train']}",
            each["tier"],
            each["severity"],
            _moment(each["due_at"]),
        )
        groups.setdefault(key, Counter())[each["state"]] += 1
    for key, states in sorted(groups.items()):
        table.add_row(*key, str(states.total()), " · ".join(f"{state} {n}" for state, n in sorted(states.items())))
    return table


def _kept(after: Agreement) -> int:
    return sum(each["state"] == "VERIFIED" for each in after.fell_due)


def _exception(after: Agreement) -> Iterator[str]:
    if not after.target:
        yield f"No exception: {after.hindrance}."
        return
    target, exception = after.target, after.exception
    yield (
        f"Exception on ticket {exception['ticket']}: {target['hostname']}, {target['product']}, {target['train']}; "
        f"signed by {exception['owner'] or 'nobody'}, until {_moment(exception['until'], seconds=True)}."
    )
    if after.hindrance:
        yield f"It did not go to its end: {after.hindrance}."
        return
    yield (
        f"  before: {target['state']}; while it held: {after.during['state']}; since its end: {after.after['state']}, "
        f"due {_moment(after.after['due_at'])} all along."
    )


def _moment(said: str | None, *, seconds: bool = False) -> str:
    if said is None:
        return "never"
    return f"{datetime.fromisoformat(said):%Y-%m-%d %H:%M{':%S' if seconds else ''}}Z"


def written(after: Agreement) -> dict[str, Any]:
    """Return the same for machines."""
    return {
        "client": CLIENT,
        "policy": after.applied,
        "infeasible": after.lint["infeasible"],
        "fell_due": len(after.fell_due),
        "fell_due_and_kept": _kept(after),
        "overdue": len(after.late),
        "exception": after.exception,
        "excepted": {name: getattr(after, name).get("state") for name in ("target", "during", "after")},
    }

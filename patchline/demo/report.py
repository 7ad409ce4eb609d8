"""What came of the day: a table for each client, the tickets, what waits or was refused, and the judgement."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from contracts.events.obligation import OUTSIDE_POPULATION, FigurePublished, State
from contracts.events.ticket import TicketParked
from patchline.demo import afternoon_report, agreement_report
from patchline.demo.afternoon import Afternoon
from patchline.demo.agreement import Agreement
from patchline.demo.check import Check
from patchline.demo.judgement import Found, figures
from patchline.demo.real_agent import Machine
from simulators.deliveries import Nature
from simulators.ledger import Cell, Ledger

_SHORT: Final = {
    State.VERIFIED: "veri\nfied",
    State.PENDING_REBOOT: "re\nboot",
    State.REPORTED_UNVERIFIED: "re\nported",
    State.FAILED: "\nfailed",
    State.MISSING_IN_SLA: "in\nSLA",
    State.MISSING_OVERDUE: "over\ndue",
    State.EXCEPTED: "ex\ncepted",
    State.STALE: "\nstale",
    State.UNKNOWN: "un\nknown",
    State.CONTRADICTED: "contra\ndicted",
}
_SEVERITIES: Final = ("critical", "high", "moderate", "low", "unknown")
_MOST_DEVICES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that there is to tell.

    `desk` is what people call the ticket system, `desk_url` where it is; `machine` is the one that a real agent
    reported, where the day had one; `afternoon` what came of the breach, `agreement` of one client's policy; `seconds`
    is how long all of it took.
    """

    seed: int
    devices: int
    desk: str
    desk_url: str
    ledger: Ledger
    found: Found
    checks: Sequence[Check]
    machine: Machine | None = None
    afternoon: Afternoon | None = None
    agreement: Agreement | None = None
    seconds: float = 0

    @property
    def lost(self) -> int:
        """Return how many things are lost."""
        return sum(check.lost for check in self.checks)

    @property
    def doubled(self) -> int:
        """Return how many things are there more often than they should be."""
        return sum(check.doubled for check in self.checks)

    @property
    def wrong(self) -> int:
        """Return how many things are otherwise not as they should be."""
        return sum(check.wrong for check in self.checks)

    @property
    def is_good(self) -> bool:
        """Return whether the day ended as the ledger says, to the last effect."""
        return all(check.is_good for check in self.checks)


def written(outcome: Outcome) -> dict[str, Any]:
    """Return the report for machines."""
    found = outcome.found
    own = [each for each in found.sent if each.delivery.nature is not Nature.FORGED]
    return {
        "seed": outcome.seed,
        "devices": outcome.devices,
        "seconds": round(outcome.seconds, 1),
        "ticket_system": outcome.desk,
        "tracker": outcome.desk_url,
        "webhooks_sent": len(own),
        "accepted": sum(each.is_accepted for each in own),
        "duplicates_sent": sum(each.delivery.nature is Nature.REPEATED for each in own),
        "forged_refused": sum(each.status == 401 for each in found.sent),
        "dead_lettered": len(found.seen.letters),
        "parked": sum(each.events for each in found.stored.parked),
        "unknown_codes": dict(found.stored.unknown_codes),
        "events": len(found.seen.events),
        "events_lost": outcome.lost,
        "effects_doubled": outcome.doubled,
        "otherwise_wrong": outcome.wrong,
        "tickets_expected": len(outcome.ledger.tickets),
        "tickets_found": len(found.issues),
        "real_agent": outcome.machine and outcome.machine.line,
        "afternoon": outcome.afternoon and afternoon_report.written(outcome.afternoon),
        "agreement": outcome.agreement and agreement_report.written(outcome.agreement),
        "partitions": [_partition(cell, figure) for cell, figure in _cells(found)],
        "tickets": [_ticket(outcome, number) for number in range(len(found.issues))],
        "dead_letters": [{"source": each.source, "reason": each.reason} for each in found.seen.letters],
        "silent_sources": [asdict(each) for each in found.stored.silent],
        "parked_events": [asdict(each) for each in found.stored.parked],
        "checks": [asdict(check) for check in outcome.checks],
    }


def write(path: Path, outcome: Outcome) -> None:
    """Write the report for machines to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written(outcome), indent=2, default=str) + "\n")


def show(console: Console, outcome: Outcome) -> None:
    """Print the report for people."""
    for client, cells in groupby(_cells(outcome.found), key=lambda each: each[0].client):
        console.print(_partition_table(client, list(cells)))
    console.print("F-STRICT = verified / population, rounded down; operating systems and tiers are never blended.\n")
    console.print(_ticket_table(outcome))
    console.print(_letter_table(outcome.found))
    console.print(_waiting_table(outcome.found))
    if outcome.machine is not None:
        console.print(f"{outcome.machine.line}\n", markup=False, highlight=False)
    if outcome.agreement is not None:
        agreement_report.show(console, outcome.agreement)
    if outcome.afternoon is not None:
        afternoon_report.show(console, outcome.afternoon)
    console.print(_check_table(outcome.checks))
    for check in outcome.checks:
        for example in check.examples if not check.is_good else ():
            console.print(f"  {check.name}: {example}", markup=False, highlight=False, style="red")
    console.print(_verdict(outcome), style="bold green" if outcome.is_good else "bold red")


def _cells(found: Found) -> list[tuple[Cell, FigurePublished]]:
    """Return the figures that count anything, in the order in which they are shown."""
    return sorted(
        ((cell, figure) for cell, figure in figures(found.seen).items() if any(figure.counts.values())),
        key=lambda each: (each[0].client, each[0].os_family, each[0].tier, _SEVERITIES.index(each[0].severity)),
    )


def _partition(cell: Cell, figure: FigurePublished) -> dict[str, Any]:
    return {
        "client": cell.client,
        "os": str(cell.os_family),
        "tier": str(cell.tier),
        "severity": str(cell.severity),
        "formula": figure.formula,
        "percent": figure.percent,
        "population": figure.population,
        "counts": {state.value: figure.counts.get(state, 0) for state in State},
    }


def _ticket(outcome: Outcome, number: int) -> dict[str, Any]:
    issue = outcome.found.issues[number]
    return {
        "number": issue.number,
        "key": issue.key,
        "client": issue.client,
        "title": issue.title,
        "open": issue.is_open,
        "devices": sorted(issue.devices),
    }


def _partition_table(client: str, cells: Sequence[tuple[Cell, FigurePublished]]) -> Table:
    table = Table(title=client, title_justify="left", title_style="bold", box=box.SIMPLE, padding=0, pad_edge=False)
    for name in ("OS", "tier", "severity"):
        table.add_column(name, no_wrap=True)
    for name in ("popu\nlation", "F-STRICT\n%", *_SHORT.values(), "out\nside"):
        table.add_column(name, justify="right", no_wrap=True)
    before: tuple[str, str] | None = None
    for cell, figure in cells:
        place = (str(cell.os_family), str(cell.tier))
        percent = "" if figure.percent is None else f"{figure.percent:.1f}"
        counts = [str(figure.counts.get(state, 0) or "·") for state in _SHORT]
        outside = sum(figure.counts.get(state, 0) for state in OUTSIDE_POPULATION)
        named = place if place != before else ("", "")
        table.add_row(*named, str(cell.severity), str(figure.population), percent, *counts, str(outside or "·"))
        before = place
    return table


def _ticket_table(outcome: Outcome) -> Table:
    title = f"Tickets in {outcome.desk}, {outcome.desk_url}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for name in ("no.", "", "title", "devices"):
        table.add_column(name, overflow="fold")
    for issue in sorted(outcome.found.issues, key=lambda each: int(each.number)):
        names = sorted(issue.devices)
        more = f" and {len(names) - _MOST_DEVICES} more" if len(names) > _MOST_DEVICES else ""
        shown = ", ".join(names[:_MOST_DEVICES]) + more
        table.add_row(issue.number, "open" if issue.is_open else "resolved", issue.title, shown)
    return table


def _letter_table(found: Found) -> Table:
    table = Table(title="Dead letters", title_justify="left", title_style="bold", box=box.SIMPLE)
    for name in ("source", "bytes", "reason"):
        table.add_column(name, overflow="fold", justify="right" if name == "bytes" else "left")
    for letter in found.seen.letters:
        table.add_row(letter.source, str(len(letter.body)), letter.reason)
    return table


def _waiting_table(found: Found) -> Table:
    table = Table(title="Parked, silent or not understood", title_justify="left", title_style="bold", box=box.SIMPLE)
    for name in ("what", "source", "how many", "why"):
        table.add_column(name, justify="right" if name == "how many" else "left")
    for each in found.stored.parked:
        table.add_row(f"parked: organisation {each.organisation}", each.source, str(each.events), each.reason)
    for silent in found.stored.silent:
        failures = f"{silent.failures} polls"
        table.add_row("silent: its API does not answer", silent.source, failures, silent.reason)
    for ticket, told in sorted(found.seen.tickets.items()):
        if isinstance(parked := told[-1].data, TicketParked):
            table.add_row(f"parked: ticket {ticket}", "", "1", parked.reason)
    for code, count in sorted(found.stored.unknown_codes.items()):
        table.add_row(f"code {code}", "", str(count), "kept verbatim, no event of ours")
    return table


def _check_table(checks: Sequence[Check]) -> Table:
    table = Table(title="Checked against the simulator's ledger", title_justify="left", title_style="bold")
    for name in ("", "expected", "found", "lost", "doubled", "wrong"):
        table.add_column(name, justify="left" if not name else "right")
    for check in checks:
        numbers = (check.expected, check.found, check.lost, check.doubled, check.wrong)
        table.add_row(check.name, *map(str, numbers), style="" if check.is_good else "bold red")
    return table


def _verdict(outcome: Outcome) -> str:
    counts = f"lost {outcome.lost}, doubled {outcome.doubled}, otherwise wrong {outcome.wrong}"
    return f"{len(outcome.found.sent)} deliveries, {outcome.seconds:.0f} s: {counts}"

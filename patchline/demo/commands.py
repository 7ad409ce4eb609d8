"""`patchline demo`."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from chassis import commands
from chassis.errors import MayWorkLater, NeverWorks
from patchline.demo import report
from patchline.demo.display import Display, display
from patchline.demo.house import House
from patchline.demo.report import Outcome
from patchline.demo.run import run
from patchline.local import PartUnavailable, place
from patchline.local.psa import TITLE, Psa
from patchline.stack.commands import PsaKind
from simulators.day import day
from simulators.plan import Plan, plan
from simulators.script import NOW

SENT_A_SECOND: Final = 65
DEFAULT_REPORT: Final = Path("build/reports/demo.json")
PLAIN_WIDTH: Final = 120
_CLEAR: Final = (NeverWorks, MayWorkLater, KafkaError, OSError, httpx.HTTPError)
"""Errors whose own sentence is all that a person needs."""

Keep = Annotated[bool, typer.Option("--keep", help="Leave everything running at the end.")]
Report = Annotated[Path, typer.Option("--json", help="Where the report for machines is written.")]
Seed = Annotated[int, typer.Option(help="Which day: the same seed makes the same day.")]
Devices = Annotated[int, typer.Option(min=40, max=5000, help="How many devices the three clients have.")]


def demo(
    context: typer.Context,
    *,
    keep: Keep = False,
    json_path: Report = DEFAULT_REPORT,
    seed: Seed = 1,
    devices: Devices = 400,
    psa: PsaKind = Psa.ROUNDUP,
) -> None:
    """Run a realistic day through the real product, and check every effect against the simulator's own ledger.

    Starts a stack of its own (Kafka, PostgreSQL, a ticket system, all services) and stops it at the end. Exit code 1
    if anything is lost, there twice, or otherwise not as it should be.

    Example: patchline demo --psa rt --keep
    """
    console = _console()
    house = House(place.home(os.environ) / "demo", clock_offset_seconds=NOW.timestamp() - time.time(), psa=psa)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(commands.NO))
    started, is_done = time.monotonic(), False
    json_path.unlink(missing_ok=True)
    try:
        with display(console) as shown:
            outcome = _played(context, house, shown, plan(day(seed=seed, devices=devices)))
        outcome = replace(outcome, seconds=time.monotonic() - started)
        report.write(json_path, outcome)
        report.show(console, outcome)
        console.print(f"The same for machines: {json_path}", highlight=False)
        is_done = True
    except PartUnavailable as error:
        commands.stop(str(error), commands.UNREACHABLE)
    finally:
        if not is_done:
            console.print("stopping everything that was started", highlight=False)
        if not (keep and is_done):
            house.close()
    if keep:
        _tell_how_to_look(console, house, outcome)
    raise SystemExit(commands.OK if outcome.is_good else commands.NO)


def _console() -> Console:
    """Return where people read: a terminal as wide as it is, anything else as wide as the report."""
    console = Console(file=sys.stdout)
    return console if console.is_terminal else Console(file=sys.stdout, width=PLAIN_WIDTH)


def _played(context: typer.Context, house: House, shown: Display, the_plan: Plan) -> Outcome:
    shown.step(f"Start Kafka, PostgreSQL, {TITLE[house.psa]} and the services")
    house.open(shown.say)
    settings = house.settings() | {"PATCHLINE_HOME": str(house.home)}
    os.environ.update(settings)  # so that the commands which are typed find this stack
    patchline = context.find_root().command
    send_seconds = len(the_plan.deliveries) / SENT_A_SECOND
    try:
        return asyncio.run(run(the_plan, settings, patchline=patchline, send_seconds=send_seconds, display=shown))
    except BaseExceptionGroup as group:  # what one step says stands in the group of all that ran beside it
        known, other = group.split(_CLEAR)
        if known is None or other is not None:
            raise
        raise PartUnavailable("; ".join(str(error) or type(error).__name__ for error in _leaves(known))) from group


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    parts = [_leaves(each) if isinstance(each, BaseExceptionGroup) else [each] for each in group.exceptions]
    return [leaf for part in parts for leaf in part]


def _tell_how_to_look(console: Console, house: House, outcome: Outcome) -> None:
    here = f"PATCHLINE_HOME={house.home}"
    for line in (
        "",
        "It keeps running:",
        f"  tickets   {outcome.desk}, {house.desk_page}",
        f"  contract  {house.contract_url}  (what is published on Kafka, and the doors)",
        f"  status    {here} patchline status",
        f"  look      {here} patchline ticket list, asset list, figures, dlq list",
        f"  stop      {here} patchline down",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)

"""`python -m bench`: every stage beside its floor, in one run, on the real parts; writes `build/reports/bench.json`.

Exit codes: 1 where a reach is missed, 3 where a part cannot run. With `--quick` a missed reach is shown and is no
failure: a busy machine misses speeds; only a stage that cannot run fails. A stage
for which no time is left does not begin, and that is told.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from bench import environment
from bench.plan import FULL, ORDINARY, QUICK
from bench.report import FILE, Figure, show, write
from bench.stages import STAGES, measured
from chassis.commands import NO, OK, UNREACHABLE
from patchline.local import PartUnavailable

PLANS: Final = {"quick": QUICK, "ordinary": ORDINARY, "full": FULL}

console = Console()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages and return the exit code."""
    chosen = parser().parse_args(arguments)
    try:
        figures = measured(PLANS[chosen.plan], chosen.only, _say)
    except PartUnavailable as error:
        sys.stderr.write(f"bench: {error}\n")
        return UNREACHABLE
    write(figures)
    show(figures, console)
    console.print(f"written to {FILE}, the machine and its versions to {environment.FILE}")
    return verdict(figures, judges_speed=chosen.plan != "quick")


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    made = argparse.ArgumentParser(
        prog="bench",
        description=__doc__,
        epilog="Example: python -m bench --quick --only relay",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sizes = made.add_mutually_exclusive_group()
    sizes.set_defaults(plan="ordinary")
    for name, what in (
        (
            "quick",
            "at most 90 seconds: all but resync and rebuild, reduced and marked so; a missed speed is no failure",
        ),
        ("full", "at most an hour: the long stages at full size"),
    ):
        sizes.add_argument(f"--{name}", action="store_const", const=name, dest="plan", help=what)
    made.add_argument("--only", choices=STAGES, help="one stage alone")
    return made


def verdict(figures: Sequence[Figure], *, judges_speed: bool) -> int:
    """Return the exit code: no, where a reach is missed and speed is judged."""
    is_missed = any(each.ok is False for each in figures)
    return NO if is_missed and judges_speed else OK


def _say(line: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {line}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())

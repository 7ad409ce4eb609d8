"""`python -m bench`: every stage beside its floor, in one run, on the real parts; writes `build/reports/bench.json`.

Exit codes: 1 where a reach is missed or a stage broke off, 3 where a part cannot run. With `--quick` a missed reach is
shown and is no failure: a busy machine misses speeds; only a stage that cannot run fails. A stage for which no time is
left does not begin, or is stopped, and that is told. `--readme` measures nothing: it puts the last run into README.md.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from bench import environment, readme
from bench.plan import FULL, ORDINARY, QUICK
from bench.report import FILE, show, write
from bench.stages import STAGES, Outcome, measured
from chassis.commands import NO, OK, UNREACHABLE, WRONG_USE, console
from checks.readme import FILE as README
from checks.readme import NoPlace
from patchline.local import PartUnavailable

PLANS: Final = {"quick": QUICK, "ordinary": ORDINARY, "full": FULL}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages and return the exit code."""
    chosen = parser().parse_args(arguments)
    if chosen.readme:
        return _into_readme()
    try:
        outcome = measured(PLANS[chosen.plan], chosen.only, _say)
    except PartUnavailable as error:
        sys.stderr.write(f"bench: {error}\n")
        return UNREACHABLE
    write(outcome.figures)
    show(outcome.figures, console)
    console.print(f"written to {FILE}, the machine and its versions to {environment.FILE}")
    for each in outcome.failed:
        console.print(f"[bold red]broke off[/bold red] {each}", highlight=False)
    if outcome.left_out:
        console.print(f"left out, no time: {', '.join(outcome.left_out)}")
    return verdict(outcome, judges_speed=chosen.plan != "quick")


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
            "at most 90 seconds: the shorter stages, reduced and marked so; a missed speed is no failure",
        ),
        ("full", "at most an hour: the long stages at full size"),
    ):
        sizes.add_argument(f"--{name}", action="store_const", const=name, dest="plan", help=what)
    made.add_argument("--only", choices=STAGES, help="one stage alone")
    made.add_argument("--readme", action="store_true", help="write the table of the last run into README.md")
    return made


def verdict(outcome: Outcome, *, judges_speed: bool) -> int:
    """Return the exit code: no, where a stage broke off; where speed is judged, also where one missed or has no row."""
    if outcome.failed:
        return NO
    is_missed = bool(outcome.left_out) or any(each.ok is False for each in outcome.figures)
    return NO if is_missed and judges_speed else OK


def _into_readme() -> int:
    try:
        readme.PLACE.write(readme.block())
    except (readme.NoReport, NoPlace) as error:
        sys.stderr.write(f"bench: {error}\n")
        return WRONG_USE
    console.print(f"written into {README}")
    return OK


def _say(line: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {line}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m faults`: injects real faults into the real product and judges what comes of it by the ledger."""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from checks import readme
from faults.bound import TookTooLong, bounded
from faults.lanes import Lanes, written_down
from faults.readme import PLACE, block, is_whole
from faults.registry import FAULTS, Fault, chosen
from faults.report import FILE, show, write
from faults.size import Size
from faults.suite import Suite
from patchline.demo.display import Display, display
from patchline.local import PartUnavailable

MINUTES: Final = {Size.QUICK: 1.5, Size.ORDINARY: 20.0, Size.FULL: 60.0}
STOPPING_SECONDS: Final = {Size.QUICK: 7.0, Size.ORDINARY: 45.0, Size.FULL: 45.0}
MOST_LANES: Final = 3
PLAIN_WIDTH: Final = 120
_OK, _NO, _WRONG_USE, _UNREACHABLE = 0, 1, 2, 3


def main() -> int:
    """Run the chosen faults; return 1 if one did harm, could not be injected, or took too long."""
    wanted = _parser().parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that Kafka is away is the point here
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=PLAIN_WIDTH)
    if wanted.list:
        for fault in FAULTS:
            console.print(f"{fault.name}: {fault.says}", highlight=False)
        return _OK
    try:
        faults = chosen([name for name in wanted.only.split(",") if name], wanted.size)
        if wanted.readme:
            PLACE.written_into(readme.FILE.read_text(), "")
    except (ValueError, readme.NoPlace) as error:
        sys.stderr.write(f"faults: {error}\n")
        return _WRONG_USE
    if wanted.told is None:
        wanted.json.unlink(missing_ok=True)
    started = time.monotonic()
    with display(console) as shown:
        suite = _suite(wanted, faults, shown)
        code = _bounded(suite)
    suite.note_unfinished()
    if wanted.told is not None:
        written_down(wanted.told, suite.rows, suite.hindered, [fault.name for fault in faults])
    else:
        _tell(console, wanted, suite, time.monotonic() - started)
    return code or (_OK if suite.rows and all(row.is_good for row in suite.rows) else _NO)


def _suite(wanted: argparse.Namespace, faults: Sequence[Fault], shown: Display) -> Suite | Lanes:
    seconds = (wanted.minutes or MINUTES[wanted.size]) * 60 - STOPPING_SECONDS[wanted.size]
    lanes = 1 if wanted.size is Size.QUICK else min(wanted.lanes or (os.cpu_count() or 1) + 1, MOST_LANES)
    if lanes == 1:
        return Suite(faults, shown, wanted.seed, wanted.size, seconds)
    return Lanes(faults, shown, wanted.seed, wanted.size, seconds, lanes)


def _bounded(suite: Suite | Lanes) -> int:
    try:
        with bounded(suite.seconds):
            asyncio.run(suite.run())
    except TookTooLong:
        sys.stderr.write("faults: stopped before the end: it took too long, or was asked to stop\n")
    except PartUnavailable as error:
        sys.stderr.write(f"faults: {error}\n")
        return _UNREACHABLE
    return _OK


def _tell(console: Console, wanted: argparse.Namespace, suite: Suite | Lanes, seconds: float) -> None:
    """Write the file for machines, print the table, and write it into README.md where that was asked for."""
    write(wanted.json, suite.rows)
    show(console, suite.rows, seconds)
    for name, why in suite.hindered.items():
        console.print(f"left out: {name}: {why}", highlight=False)
    console.print(f"The same for machines: {wanted.json}", highlight=False)
    if wanted.readme and not is_whole(suite.rows):
        console.print("README.md is as it was: this run has faults that were not injected", highlight=False)
    elif wanted.readme:
        PLACE.write(block(suite.rows, suite.size, seconds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faults",
        description=f"{__doc__} Talks to 127.0.0.1 only, and leaves nothing running. Exit codes: 0 no harm, 1 harm, or "
        "a fault that could not be injected, 2 wrong use, 3 a part cannot run here.",
        epilog="Example: python -m faults --only kills --quick",
    )
    parser.add_argument("--only", default="", metavar="NAME,...", help="these faults alone; see --list")
    parser.add_argument("--list", action="store_true", help="say which faults there are, and do nothing")
    sizes = parser.add_mutually_exclusive_group()
    sizes.set_defaults(size=Size.ORDINARY)
    for size, what in ((Size.QUICK, "a few, within 90 seconds: to see that it works"), (Size.FULL, "all, whole")):
        sizes.add_argument(f"--{size}", action="store_const", const=size, dest="size", help=what)
    told = ", ".join(f"{minutes:g} {size}" for size, minutes in MINUTES.items())
    parser.add_argument("--minutes", type=float, default=0.0, help=f"stop after so long (default: {told})")
    parser.add_argument("--lanes", type=int, default=0, help="products at once (default: cores and one, at most 3)")
    parser.add_argument("--told", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md too")
    parser.add_argument("--seed", type=int, default=1, help="the same seed chooses the same day and the same moments")
    parser.add_argument("--json", type=Path, default=FILE, metavar="FILE", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    os.environ.pop("PATCHLINE_DIE_AT", None)
    sys.exit(main())

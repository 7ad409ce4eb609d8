"""`python -m faults`: injects real faults into the real product and judges what comes of it by the ledger."""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from faults.bound import TookTooLong, bounded
from faults.registry import FAULTS, Fault, chosen
from faults.report import FILE, Injured, show, write
from faults.world import World, opened
from patchline.demo.display import Display, display
from patchline.local import PartUnavailable, place

MINUTES: Final = 20.0
STOPPING_SECONDS: Final = 45.0
PLAIN_WIDTH: Final = 120
_OK, _NO, _WRONG_USE, _UNREACHABLE = 0, 1, 2, 3


@dataclass(slots=True)
class _Run:
    """What was asked for, and what came of it so far."""

    faults: Sequence[Fault]
    display: Display
    seed: int
    is_quick: bool
    rows: list[Injured] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    async def all(self) -> None:
        """Inject the faults that share a world, then those that need one each."""
        possible = [fault for fault in self.faults if not self._is_hindered(fault)]
        together = [fault for fault in possible if not fault.alone]
        groups = [[fault] for fault in possible if fault.alone]
        for group in ([together] if together else []) + groups:
            await self._in_one_world(group)

    def _is_hindered(self, fault: Fault) -> bool:
        """Return whether a fault cannot be injected here; it is left out, and it is said why."""
        why = fault.hindrance()
        if why:
            self.display.say(f"left out: {fault.name}: {why}")
            self.done.append(fault.name)
        return bool(why)

    async def _in_one_world(self, faults: Sequence[Fault]) -> None:
        self.display.step(f"Start a product of its own for: {', '.join(fault.name for fault in faults)}")
        with place.throwaway_home() as home:
            async with opened(home, display=self.display, seed=self.seed, is_quick=self.is_quick) as world:
                for fault in faults:
                    await self._inject(fault, world)

    async def _inject(self, fault: Fault, world: World) -> None:
        self.display.step(fault.says)
        rows = await fault.injure(world)
        self.rows += rows or [Injured(fault=fault.name, injected=0, recovered_s=0)]
        self.done.append(fault.name)

    def note_unfinished(self) -> None:
        """Add a row for each fault that did not come to its end: it was not tried."""
        left = [fault.name for fault in self.faults if fault.name not in self.done]
        self.rows += [Injured(fault=f"{name}, not finished", injected=0, recovered_s=0) for name in left]


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
        faults = chosen([name for name in wanted.only.split(",") if name])
    except ValueError as error:
        sys.stderr.write(f"faults: {error}\n")
        return _WRONG_USE
    wanted.json.unlink(missing_ok=True)
    started = time.monotonic()
    with display(console) as shown:
        run = _Run(faults, shown, wanted.seed, wanted.quick)
        code = _bounded(run, wanted.minutes * 60)
    run.note_unfinished()
    write(wanted.json, run.rows)
    show(console, run.rows, time.monotonic() - started)
    console.print(f"The same for machines: {wanted.json}", highlight=False)
    return code or (_OK if run.rows and all(row.is_good for row in run.rows) else _NO)


def _bounded(run: _Run, seconds: float) -> int:
    try:
        with bounded(seconds - STOPPING_SECONDS):
            asyncio.run(run.all())
    except TookTooLong:
        sys.stderr.write("faults: stopped before the end: it took too long, or was asked to stop\n")
        return _NO
    except PartUnavailable as error:
        sys.stderr.write(f"faults: {error}\n")
        return _UNREACHABLE
    return _OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faults",
        description=f"{__doc__} Talks to 127.0.0.1 only, and leaves nothing running. Exit codes: 0 no harm, 1 harm, or "
        "a fault that could not be injected, 2 wrong use, 3 a part cannot run here.",
        epilog="Example: python -m faults --only kills --quick",
    )
    parser.add_argument("--only", default="", metavar="NAME,...", help="these faults alone; see --list")
    parser.add_argument("--list", action="store_true", help="say which faults there are, and do nothing")
    parser.add_argument("--quick", action="store_true", help="fewer of each: to see that it works")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="stop after so long (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed chooses the same day and the same moments")
    parser.add_argument("--json", type=Path, default=FILE, metavar="FILE", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    os.environ.pop("PATCHLINE_DIE_AT", None)
    sys.exit(main())

"""Several products broken side by side, each by a process of its own: most of the time a fault is waited for.

One fault at a time is injected into one product. Who has ended takes the next few faults, with a new product.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from faults.registry import Fault
from faults.report import Injured
from faults.size import Size
from faults.suite import grouped, untried
from patchline.demo.display import Display
from patchline.local import PartUnavailable
from patchline.local.child import Child, Command

MOST_IN_ONE: Final = 5
"""So many faults share a product: its day of webhooks does not last for more, and no lane is waited for long."""

LOOK_SECONDS: Final = 0.5
STOPPING_SECONDS: Final = 50.0
UNREACHABLE: Final = 3
_STAMP: Final = re.compile(r"^\[ *[\d.]+ s\] +")
_COUNTS: Final = "sent "


@dataclass(slots=True)
class Lanes:
    """What was asked for, how many products at once, and what came of it so far."""

    faults: Sequence[Fault]
    display: Display
    seed: int
    size: Size
    seconds: float
    lanes: int
    rows: list[Injured] = field(default_factory=list)
    hindered: dict[str, str] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _told: dict[int, list[Injured]] = field(default_factory=dict)
    _left: deque[list[Fault]] = field(default_factory=deque)
    _started_at: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Inject all.

        Raises:
            PartUnavailable: no product can be started here.
        """
        self._left.extend(portions(self.faults, self.size))
        errors = await asyncio.gather(*(self._lane(number + 1) for number in range(self.lanes)))
        if not self._told and any(errors):
            raise PartUnavailable("; ".join(filter(None, errors)))

    def note_unfinished(self) -> None:
        """Put the rows into the order of the list, and add one for each fault that nobody told of."""
        left = [fault for fault in self.faults if fault.name not in self._done]
        self.rows = [row for _, rows in sorted(self._told.items()) for row in rows]
        self.rows += [untried(fault, "not finished") for fault in left]

    async def _lane(self, number: int) -> str:
        """Take the next faults until there are none; return why no product could be started, if so."""
        while self._left:
            faults = self._left.popleft()
            self.display.step(f"Product {number}: {', '.join(fault.name for fault in faults)}")
            if why := await self._beside(faults, number):
                return why
        return ""

    async def _beside(self, faults: Sequence[Fault], number: int) -> str:
        """Let another process inject these, and take over what it tells."""
        with tempfile.TemporaryDirectory(prefix="patchline-faults-") as folder:
            told = Path(folder) / "told.json"
            child = Child(self._command(faults, Path(folder) / "lines.log", told))
            child.start()
            try:
                await self._followed(child, number)
            finally:
                await asyncio.to_thread(child.stop, timeout_seconds=STOPPING_SECONDS)
                self.take_over(told, self.faults.index(faults[0]))
            return child.log_since_start().splitlines()[-1] if child.exit_code == UNREACHABLE else ""

    def _command(self, faults: Sequence[Fault], log_path: Path, told: Path) -> Command:
        left = self.seconds - (time.monotonic() - self._started_at)
        names = ",".join(fault.name for fault in faults)
        words = ("--lanes", "1", "--only", names, "--seed", str(self.seed), "--minutes", f"{left / 60:.3f}")
        size = () if self.size is Size.ORDINARY else (f"--{self.size}",)
        argv = (sys.executable, "-m", "faults", *size, *words, "--told", str(told))
        return Command(name="faults", argv=argv, log_path=log_path)

    async def _followed(self, child: Child, number: int) -> None:
        """Show what the other process shows, but for its counts, until it ends."""
        with child.command.log_path.open() as log:
            while child.is_running:
                for line in _complete(log.read()):
                    self.display.say(f"{number}: {line}")
                await asyncio.sleep(LOOK_SECONDS)

    def take_over(self, told: Path, place: int) -> None:
        """Take the rows that another process wrote; `place` is where its first fault stands in the list."""
        if told.exists():
            content = json.loads(told.read_text())
            self._told[place] = [Injured(**row) for row in content["rows"]]
            self.hindered |= content["hindered"]
            self._done |= set(content["done"])


def written_down(path: Path, rows: Sequence[Injured], hindered: dict[str, str], done: Sequence[str]) -> None:
    """Write for the process that asked for it what came of some faults; `done` names those that rows tell of."""
    content = {"rows": [asdict(row) for row in rows], "hindered": hindered, "done": list(done)}
    path.write_text(json.dumps(content))


def portions(faults: Sequence[Fault], size: Size) -> list[list[Fault]]:
    """Return who shares a product: a few of those that may, the others each alone; in the order of the list."""
    return [
        group[first : first + MOST_IN_ONE]
        for group in grouped(faults, size)
        for first in range(0, len(group), MOST_IN_ONE)
    ]


def _complete(text: str) -> Iterator[str]:
    lines = (_STAMP.sub("", line) for line in text.splitlines())
    yield from (line for line in lines if line and not line.startswith(_COUNTS))

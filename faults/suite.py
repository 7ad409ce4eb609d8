"""One run of the suite: which faults share a world, and what becomes of those that do not come to their end."""

import asyncio
import time
import traceback
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from faults.registry import Fault
from faults.report import Injured
from faults.size import Size
from faults.world import World, opened
from patchline.demo.display import Display
from patchline.local import PartUnavailable, place

LONGEST_SECONDS: Final = {Size.QUICK: 85.0, Size.ORDINARY: 600.0, Size.FULL: 1500.0}
"""So long may one fault take, its judgements included: one that hangs does not take the time of the others."""

FAIR_SECONDS: Final = 45.0
"""What had so long in a quick run and did not come to its end fails; what had less is left out, for lack of time."""

NEEDED_SECONDS: Final = 15.0
"""With less than that left a quick run begins nothing any more."""

TIDY_SECONDS: Final = 60.0
"""So long what was broken off may take to undo what it did."""


class Unending(Exception):
    """A fault, or the start of a product for it, took longer than any may."""


@dataclass(slots=True)
class Suite:
    """What was asked for, how long it may take in all, and what came of it so far."""

    faults: Sequence[Fault]
    display: Display
    seed: int
    size: Size
    seconds: float
    rows: list[Injured] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    hindered: dict[str, str] = field(default_factory=dict)
    """Why what was not injected was left out, by the fault's name."""

    _started_at: float = field(default_factory=time.monotonic)
    _begun_at: float | None = None

    async def run(self) -> None:
        """Inject all: those that share a world, then those that need one each.

        What breaks off becomes a row that fails, its world is left, and the rest goes on in a new one.

        Raises:
            PartUnavailable: no product can be started here.
        """
        for group in grouped([fault for fault in self.faults if not self._is_hindered(fault)], self.size):
            left = list(group)
            while left:
                error = await ended(self._in_one_world(left), seconds=len(left) * LONGEST_SECONDS[self.size])
                if isinstance(error, PartUnavailable) and not self.done:
                    raise error
                if error is not None:
                    self._note_broken(next(fault for fault in left if fault.name not in self.done), error)
                left = [fault for fault in left if fault.name not in self.done] if self._is_time_left() else []

    def note_unfinished(self) -> None:
        """Add a row for each fault that did not come to its end: it was not tried.

        A quick run on a slow machine leaves out what there was no time for, as long as anything was tried.
        """
        had = 0.0 if self._begun_at is None else time.monotonic() - self._begun_at
        is_slow = not self._is_time_left() and bool(self.rows) and had < FAIR_SECONDS
        for fault in self.faults:
            if fault.name not in self.done and is_slow:
                self.hindered[fault.name] = "no time was left"
            elif fault.name not in self.done:
                self.rows.append(untried(fault, "not finished"))

    def _is_hindered(self, fault: Fault) -> bool:
        """Return whether a fault cannot be injected here; it is left out, and it is said why."""
        why = fault.hindrance()
        if why:
            self.display.say(f"left out: {fault.name}: {why}")
            self.hindered[fault.name] = why
            self.done.append(fault.name)
        return bool(why)

    async def _in_one_world(self, faults: Sequence[Fault]) -> None:
        self.display.step(f"Start a product of its own for: {', '.join(fault.name for fault in faults)}")
        with place.throwaway_home() as home:
            async with opened(home, display=self.display, seed=self.seed, size=self.size) as world:
                for fault in faults:
                    if self._is_time_left():
                        await self._inject(fault, world)

    def _is_time_left(self) -> bool:
        left = self.seconds - (time.monotonic() - self._started_at)
        return self.size is not Size.QUICK or left >= NEEDED_SECONDS

    async def _inject(self, fault: Fault, world: World) -> None:
        self.display.step(fault.says)
        self._begun_at = time.monotonic()
        rows = list[Injured]()

        async def injure() -> None:
            rows.extend(await fault.injure(world))

        error = await ended(injure(), seconds=LONGEST_SECONDS[self.size])
        if error is not None:
            raise error
        self.rows += [row if row.runbook else replace(row, runbook=fault.runbook) for row in rows]
        if not rows:
            self.rows.append(untried(fault, "nothing injected"))
        self.done.append(fault.name)
        self._begun_at = None

    def _note_broken(self, fault: Fault, error: BaseException) -> None:
        self.display.say(f"{fault.name} broke off: {told(error)}")
        self.rows.append(untried(fault, "broke off"))
        self.done.append(fault.name)


def untried(fault: Fault, why: str) -> Injured:
    """Return the row of a fault that was not injected: it fails."""
    return Injured(fault=f"{fault.name}, {why}", injected=0, recovered_s=0, runbook=fault.runbook)


def grouped(faults: Sequence[Fault], size: Size) -> list[list[Fault]]:
    """Return who shares a world: all that may, then each of the others, then those of the longest run alone.

    A quick run has time for one world.
    """
    if size is Size.QUICK:
        return [list(faults)] if faults else []
    together = [[fault for fault in faults if not fault.alone and fault.only_full is last] for last in (False, True)]
    return [*filter(None, together[:1]), *([fault] for fault in faults if fault.alone), *filter(None, together[1:])]


async def ended(work: Coroutine[Any, Any, None], *, seconds: float) -> BaseException | None:
    """Let `work` come to its end within `seconds`, and return with what it broke off, if it did.

    Whoever is stopped while waiting stops `work` too, and waits until it has tidied up.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        is_over = task.done()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=TIDY_SECONDS)
    if not is_over:
        return Unending(f"not done after {seconds:.0f} s")
    return task.exception()


def told(error: BaseException) -> str:
    """Return an error in one line, with the place in our own code where it came up."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(told(each) for each in error.exceptions)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/faults/" in frame.filename] or frames
    where = f", {own[-1].name} line {own[-1].lineno}" if own else ""
    return f"{type(error).__name__}: {error}{where}"

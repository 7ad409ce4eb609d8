"""Whether cores are scarce: how long this process waits for one, beside how long it runs."""

import time
from pathlib import Path
from typing import Final

TOLD: Final = Path("/proc/self/schedstat")
"""Nanoseconds that the main thread ran, and was ready to run and waited. Source: Linux, scheduler/sched-stats.rst."""

LOOK_SECONDS: Final = 0.2
LEAST_NANOSECONDS: Final = 5_000_000
"""From less than this, run and waited together, nothing follows."""

ENOUGH_SHARE: Final = 0.5
"""Where it waited less than this share of the time that it ran, a process has what it needs."""


def are_scarce(ran: int, waited: int, *, were: bool) -> bool:
    """Return whether cores are scarce for who ran and waited for so many nanoseconds, and where they `were` before.

    They are from when it waited longer than it ran, until it waited less than half as long: what is saved because they
    are scarce is no reason to spend it again.
    """
    return waited > (ran * ENOUGH_SHARE if were else ran)


class Cores:
    """The cores that this process shares with others. Where the kernel does not tell, they are never scarce."""

    def __init__(self, told: Path = TOLD) -> None:
        """Look at `told` from now on."""
        self._told = told
        self._seen, self._looked_at, self._are_scarce = self._look(), time.monotonic(), False

    @property
    def are_scarce(self) -> bool:
        """Return whether the process waited longer than it ran, when that was last looked at: a moment ago."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            (ran_before, waited_before), seen, self._looked_at = self._seen, self._look(), time.monotonic()
            ran, waited = seen[0] - ran_before, seen[1] - waited_before
            if ran + waited >= LEAST_NANOSECONDS:
                self._seen, self._are_scarce = seen, are_scarce(ran, waited, were=self._are_scarce)
        return self._are_scarce

    def _look(self) -> tuple[int, int]:
        try:
            ran, waited, *_ = map(int, self._told.read_text().split())
        except (OSError, ValueError):
            return 0, 0
        return ran, waited

"""Which stages have their turn: those that are wanted, for as long as the plan lets one begin."""

import time
from collections.abc import Collection

from bench.plan import Plan
from patchline.local import Say


class Turn:
    """The time of one run. It begins when this is made."""

    def __init__(self, plan: Plan, wanted: Collection[str], say: Say) -> None:
        """Begin now."""
        self.left_out: list[str] = []
        self._wanted = wanted
        self._say = say
        self._latest_at = time.monotonic() + plan.latest_seconds
        self._over_at = time.monotonic() + plan.bound_seconds

    def has(self, stage: str) -> bool:
        """Return whether a stage may begin; tell of one that is wanted and comes too late."""
        if stage not in self._wanted:
            return False
        if time.monotonic() > self._latest_at:
            self.leave_out(stage)
            return False
        return True

    def leave_out(self, stage: str) -> None:
        """Note and tell that there is no time for a stage, or none to end it."""
        self.left_out.append(stage)
        self._say(f"stage: {stage} is left out: no time")

    def left_seconds(self) -> float:
        """Return how long a stage may go on."""
        return max(0.0, self._over_at - time.monotonic())

"""What a consumer does later, beside its polling, and how long it waits before: longer after each failure in a row."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from chassis.errors import NeverWorks

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0


class Later:
    """Tasks of one consumer, given up when it stops."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Have nothing to do."""
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._monotonic = monotonic
        self._pause_seconds, self._ends_at = 0.0, float("-inf")

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Run what comes in `group`."""
        self._group = group

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` beside the polling.

        Raises:
            NeverWorks: the consumer is not running.
        """
        if self._group is None:
            raise NeverWorks("the consumer is not running")
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def give_up(self) -> None:
        """Cancel what is not done."""
        for task in list(self._tasks):
            task.cancel()

    def longer_pause(self) -> float:
        """Return how many seconds to wait now: twice as long as before, once that pause is over.

        Until then it is the same trouble, met by the next partition: else a consumer of many of them would wait for
        half a minute because the database was away for two seconds.
        """
        now = self._monotonic()
        if now >= self._ends_at:
            self._pause_seconds = min(self._pause_seconds * 2 or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            self._ends_at = now + self._pause_seconds
        return self._pause_seconds

    def forgive(self) -> None:
        """Begin with the shortest pause again: something worked."""
        self._pause_seconds, self._ends_at = 0.0, float("-inf")

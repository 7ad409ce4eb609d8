"""What a process does without an event: the same small piece of work again and again, until told to stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from chassis.errors import TRANSIENT, may_work_later
from chassis.health import Progress

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS: Final = 30.0


class Loop:
    """Runs `work` every `seconds`; again at once while it answers that there is more."""

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], progress: Progress, *, seconds: float) -> None:
        """Run as a part called `name`."""
        self.name = name
        self._work = work
        self._progress = progress
        self._seconds = seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; what may work later is tried again, with longer and longer pauses."""
        patience_seconds = self._seconds
        while not stopping.is_set():
            self._progress.beat(self.name)
            try:
                has_more = await self._work()
            except TRANSIENT as error:
                if not may_work_later(error):
                    raise
                patience_seconds = min(patience_seconds * 2, LONGEST_PAUSE_SECONDS)
                log.warning(
                    "tried again later", extra={"loop": self.name, "reason": f"{type(error).__name__}: {error}"}
                )
                await _pause(stopping, patience_seconds)
            else:
                patience_seconds = self._seconds
                await _pause(stopping, 0 if has_more else self._seconds)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    if seconds == 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return

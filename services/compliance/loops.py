"""What a process does without an event: the same small piece of work again and again, until told to stop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from chassis.errors import TRANSIENT, may_work_later
from chassis.health import Progress

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS: Final = 30.0


class Loop:
    """Runs `work` every `seconds`; again at once while it answers that there is more."""

    def __init__(
        self, name: str, work: Callable[[], Awaitable[bool]], progress: Progress, *, seconds: float, rest: float = 0
    ) -> None:
        """Run as a part called `name`. It rests at least `rest` times as long as the work took."""
        self.name = name
        self._work = work
        self._progress = progress
        self._seconds = seconds
        self._rest = rest

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; what may work later is tried again, with longer and longer pauses."""
        patience_seconds = self._seconds
        while not stopping.is_set():
            self._progress.beat(self.name)
            began_at = time.monotonic()
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
                took_seconds = time.monotonic() - began_at
                await _pause(
                    stopping,
                    0 if has_more else max(self._seconds, min(self._rest * took_seconds, LONGEST_PAUSE_SECONDS)),
                )


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    if seconds == 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return

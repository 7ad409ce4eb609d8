"""A loop that looks for work twice a second, and goes on whatever one piece of work does to it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from chassis.errors import TRANSIENT, NeverWorks
from chassis.health import Progress

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.5
PAUSE_SECONDS: Final = 2.0
BUGS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What one row can set off in our code: it is told, and resets go on meanwhile in the same process."""


async def looking(
    look: Callable[[], Awaitable[int]], *, name: str, progress: Progress, stopping: asyncio.Event
) -> None:
    """Call `look` until `stopping`: at once again where it found something, else after a while."""
    while not stopping.is_set():
        progress.beat(name)
        seconds = LOOK_SECONDS
        try:
            if await look():
                continue
        except TRANSIENT as error:
            log.warning("looks again later", extra={"part": name, "reason": str(error) or type(error).__name__})
            seconds = PAUSE_SECONDS
        except (NeverWorks, *BUGS):
            log.exception("cannot go on with what is there", extra={"part": name})
            seconds = PAUSE_SECONDS
        try:
            await asyncio.wait_for(stopping.wait(), seconds)
        except TimeoutError:
            continue

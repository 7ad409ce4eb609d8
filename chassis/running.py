"""One process from start to drain: parts run side by side; SIGTERM stops them stage by stage and exits 0."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import uvloop

from chassis import kafka_wire, points, telemetry
from chassis.errors import NeverWorks
from chassis.settings import Settings

log = logging.getLogger(__name__)

GARBAGE_THRESHOLDS: Final = (200_000, 20, 100)
"""A batch is tens of thousands of objects that live until its commit. With Python's own thresholds the collector walks
over all of them again and again: a third of the time of a state consumer, measured. So it seldom looks by itself."""

COLLECTED_EVERY_SECONDS: Final = 10.0
"""A call by HTTP leaves 37 objects, 5 KiB, that only the collector can take away: 28 MiB until it looks by itself."""


class Part(Protocol):
    """Something that runs until told to stop, and then finishes what it has begun."""

    @property
    def name(self) -> str:
        """Return the name used in logs."""
        ...

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set, then finish and return."""
        ...


Stages = Sequence[Sequence[Part]]
"""Parts in the order in which they stop: first what takes work in, last what carries it away."""


async def run_until_stopped(stages: Stages, *, drain_seconds: float) -> None:
    """Run all parts; at SIGTERM or SIGINT, or when one part fails, stop them stage by stage.

    Raises:
        ExceptionGroup: a part failed, or a stage took longer than `drain_seconds`.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        running = [[_Running(part, tasks, stop) for part in stage] for stage in stages]
        await stop.wait()
        log.info("draining")
        for stage in running:
            for item in stage:
                item.stopping.set()
            async with asyncio.timeout(drain_seconds):
                await asyncio.gather(*(item.task for item in stage))
    log.info("stopped")


class _Running:
    """A part, its task, and its own stop event."""

    def __init__(self, part: Part, tasks: asyncio.TaskGroup, stop_all: asyncio.Event) -> None:
        self.stopping = asyncio.Event()
        self.task = tasks.create_task(self._run(part, stop_all), name=part.name)

    async def _run(self, part: Part, stop_all: asyncio.Event) -> None:
        try:
            await part.run(self.stopping)
        finally:
            stop_all.set()


def run_to_the_end(process: str, settings: Settings, build: Callable[[], Awaitable[None]]) -> None:
    """Run one process to its end: exit code 0 after a drain, 2 for what a person must mend, 1 for anything else."""
    telemetry.start(process, log_level=settings.log_level, trace_ratio=settings.trace_ratio)
    points.arm(settings.die_at)
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    kafka_wire.on_uvloop()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_awaited(build))
    except* NeverWorks as group:
        for error in _leaves(group):
            log.error("stopped for good", extra={"reason": str(error)})  # noqa: TRY400 - the sentence is enough
        sys.exit(2)
    except* Exception as group:
        log.critical("died", exc_info=group)
        sys.exit(1)


async def _awaited(build: Callable[[], Awaitable[None]]) -> None:
    _collect_now_and_then(asyncio.get_running_loop())
    await build()


def _collect_now_and_then(loop: asyncio.AbstractEventLoop) -> None:
    """Take young garbage away, and again after a while. What is old already (a catalog) is not looked at."""
    gc.collect(1)
    loop.call_later(COLLECTED_EVERY_SECONDS, _collect_now_and_then, loop)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves

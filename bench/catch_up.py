"""Catching up: a long backlog that waited while the service was down, beside its rate at rest, and how large it grows.

The rate at rest is that of the state stage, on an ordinary day, right before the backlog and right after it.
"""

import statistics
from typing import Final

from bench import sizes, state_load
from bench.measured import Place, Run, at_rest, connected, start_at_the_end
from bench.report import Figure, at_least, summary
from bench.sending import sent
from bench.state import WORKER, Stage, message
from bench.state_load import DEVICES
from contracts import topics
from services.inventory.app import GROUP

REACH: Final = 0.9
ROUNDS: Final = 2


async def catch_up_stage(place: Place, *, backlog: int, events: int) -> list[Figure]:
    """Return the rate of the service through a backlog of so many events, and what its process weighed meanwhile.

    Each round at rest has `events`: so many that it does not end before the relay is at work on most of them.
    """
    async with connected(place.writer_dsn) as writer:
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS])
        with WORKER.running(place) as process:
            stage = Stage(place, writer, process)
            await stage.rate(state_load.changing, DEVICES)
            before = [await stage.rate(state_load.ordinary, events) for _ in range(ROUNDS)]
        stood = await WORKER.stands(writer)
        await sent(place.kafka, topics.RMM_EVENTS, map(message, stage.events(state_load.ordinary, backlog)))
        with WORKER.running(place) as process:
            run = await WORKER.watched([process], writer, stood, backlog)
            await at_rest(process)
            stage.process = process
            after = [await stage.rate(state_load.ordinary, events) for _ in range(ROUNDS)]
    return _figures(run, statistics.median(before + after), backlog)


def _figures(run: Run, at_rest_rate: float, backlog: int) -> list[Figure]:
    measured = {"unit": "events/s", **summary([(run.events_per_second, at_rest_rate)])}
    stage = f"catch-up: {backlog:,} events of backlog"
    return [at_least(stage, measured, REACH), *sizes.figures("catch-up", run.sizes)]

"""Fan-in: two processes of one consumer group beside one alone, over equal backlogs that each half finds waiting.

A second process helps where there is a core for it: two cores have PostgreSQL, Kafka and the first process on them.
"""

import asyncio
from contextlib import ExitStack
from subprocess import Popen
from typing import Final

from bench import state_load
from bench.measured import Place, at_rest, connected, held, start_at_the_end
from bench.report import Figure, beside, summary
from bench.sending import sent
from bench.state import WORKER, Stage, message
from bench.state_load import DEVICES
from contracts import topics
from services.inventory.app import GROUP

JOINED_SECONDS: Final = 3.0
"""Until two processes that start together have shared out the partitions."""


async def fan_in_stage(place: Place, *, rounds: int, events: int) -> list[Figure]:
    """Return events per second of two processes beside those of one, taking turns on equal loads."""
    async with connected(place.writer_dsn) as writer:
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS])
        with WORKER.running(place) as process:
            stage = Stage(place, writer, process)
            await stage.rate(state_load.changing, DEVICES)
        pairs = [await _round(stage, events) for _ in range(rounds)]
    return [beside("fan-in: two consumer processes beside one", {"unit": "events/s", **summary(pairs)})]


async def _round(stage: Stage, events: int) -> tuple[float, float]:
    one = await _rate(stage, 1, events)
    return await _rate(stage, 2, events), one


async def _rate(stage: Stage, processes: int, events: int) -> float:
    """Let so many processes join, then find an equal backlog each; return events per second of all together."""
    backlog = [message(each) for each in stage.events(state_load.ordinary, events)]
    with ExitStack() as running:
        started: list[Popen[bytes]] = [running.enter_context(WORKER.running(stage.place)) for _ in range(processes)]
        await asyncio.sleep(JOINED_SECONDS)
        await at_rest(*started)
        with held(*started):
            before = await WORKER.stands(stage.writer)
            await sent(stage.place.kafka, topics.RMM_EVENTS, backlog)
        run = await WORKER.watched(started, stage.writer, before, events)
    return run.events_per_second

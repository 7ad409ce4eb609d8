"""The start stage: from an empty process to `/ready`, one service after the other, while the others stay up.

Beside it stands, from the same round, an empty process that only imports what every service needs of others, and ends.
"""

import statistics
import subprocess
import sys
import time
from dataclasses import replace
from typing import Final

from bench.report import Figure, at_most
from patchline.stack.programs import PROGRAMS, Program
from patchline.stack.stack import STOP_SECONDS, Stack

MOST_SECONDS: Final = 2.0
FLOOR: Final = "import asyncio, asyncpg, aiokafka, pydantic"


def start_stage(stack: Stack, *, rounds: int) -> list[Figure]:
    """Return how many seconds each service takes to say that it is ready, the median of the rounds."""
    return [_of(stack, program, rounds) for program in PROGRAMS]


def _of(stack: Stack, program: Program, rounds: int) -> Figure:
    pairs = [(_started(stack, program), _imported()) for _ in range(rounds)]
    took = [ours for ours, _ in pairs]
    floor = statistics.median(floor for _, floor in pairs)
    figure = at_most(f"cold start to ready, {program.name}", statistics.median(took), "s", MOST_SECONDS)
    return replace(
        figure,
        value=round(statistics.median(took), 2),
        floor=round(floor, 2),
        rounds=rounds,
        spread=(round(min(took), 2), round(max(took), 2)),
    )


def _imported() -> float:
    """Return the seconds in which an empty process imports what every service needs, and ends."""
    started_at = time.perf_counter()
    subprocess.run([sys.executable, "-c", FLOOR], check=True)
    return time.perf_counter() - started_at


def _started(stack: Stack, program: Program) -> float:
    """Stop one service as a rolling upgrade does, start it again, and return the seconds until it is ready."""
    stack.children[program.name].stop(timeout_seconds=STOP_SECONDS)
    started_at = time.perf_counter()
    stack.start_program(program)
    stack.wait_ready(program)
    return time.perf_counter() - started_at

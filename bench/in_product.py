"""The stages that need the whole product, its services and a ticket system included."""

import asyncio

from bench.bodies import bodies_stage
from bench.lanes import lanes_stage
from bench.memory import memory_stage
from bench.plan import Plan
from bench.quiet import quiet
from bench.rebuilt import rebuilt_stage
from bench.report import Figure
from bench.start import start_stage
from bench.storm import storm_stage
from bench.thread import thread_stage
from patchline.local import Say
from patchline.stack.programs import PROGRAMS, SIMULATOR
from patchline.stack.stack import Stack


async def thread(stack: Stack, plan: Plan) -> list[Figure]:
    """Return how long it takes from a webhook to its ticket."""
    return await thread_stage(stack, seconds=plan.thread_seconds)


async def bodies(stack: Stack, plan: Plan) -> list[Figure]:
    """Return the rows of bodies with many events."""
    return await bodies_stage(stack, rounds=plan.bodies_rounds)


async def rebuilt(stack: Stack, plan: Plan) -> list[Figure]:
    """Return the row of a rebuild."""
    return await rebuilt_stage(stack, rounds=plan.rebuilt_rounds)


async def start(stack: Stack, plan: Plan) -> list[Figure]:
    """Return the cold start of each service."""
    return await asyncio.to_thread(start_stage, stack, rounds=plan.start_rounds)


async def memory(stack: Stack, plan: Plan) -> list[Figure]:
    """Return what each service weighs."""
    return await memory_stage(stack, events=plan.memory_events)


async def lanes(stack: Stack, plan: Plan) -> list[Figure]:
    """Return the rows of live work beside a resync."""
    return await lanes_stage(stack, plan.lanes)


async def storm(stack: Stack, plan: Plan) -> list[Figure]:
    """Return the rows of nine clients beside one that storms. Comes last: its tickets are opened for long after it."""
    return await storm_stage(stack, plan.storm)


async def whole(stack: Stack, plan: Plan, say: Say) -> None:
    """Start again whatever a stage before left down, and let what it left to do be done.

    Raises:
        PartUnavailable: a service does not become ready.
    """
    for program in (*PROGRAMS, SIMULATOR):
        if not stack.children[program.name].is_running:
            stack.start_program(program)
            await asyncio.to_thread(stack.wait_ready, program)
    await quiet(stack.around.database, longest_seconds=plan.quiet_seconds, say=say)

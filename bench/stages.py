"""Which stages there are, in the order of a run, and the run itself: bounded, told, and whole where one cannot run."""

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import asyncpg
import httpx
import uvloop
from aiokafka.errors import KafkaError

from bench import in_parts, in_product
from bench.environment import noted
from bench.measured import made_ready, parts_in
from bench.pinned import CORES, keep, running_on
from bench.plan import Plan
from bench.report import Figure, marked
from bench.turn import Turn
from patchline.local import PartUnavailable, Say, place
from patchline.local.parts import LocalParts, started
from patchline.local.psa import Psa
from patchline.stack.stack import Stack, StackSettings
from patchline.stack.stack import started as started_stack

G = TypeVar("G")
Stages = Mapping[str, tuple[str, Callable[[G, Plan], Awaitable[list[Figure]]]]]
"""By its name: what a stage is beside, and what returns its rows on the ground that it needs."""

Before = Callable[[G, Plan, Say], Awaitable[None]]
"""What is to be done before each stage: it is in none of their figures."""

IN_PARTS: Final[Stages[LocalParts]] = {
    "accept": ("a bare ASGI app on the same server is the floor", in_parts.accept),
    "relay": ("bare aiokafka producing the same records is the floor", in_parts.relay),
    "state": ("a bare unnest upsert of the same batches is the floor", in_parts.state),
    "fan_in": ("one process is the floor of two", in_parts.fan_in),
    "growth": ("the same process where there are few assets is the floor", in_parts.growth),
    "catch_up": ("its rate at rest is the floor", in_parts.catch_up),
    "obliged": ("a bare unnest upsert of the same obligations is the floor", in_parts.obliged),
}
IN_PRODUCT: Final[Stages[Stack]] = {
    "thread": ("from a webhook to its ticket", in_product.thread),
    "bodies": ("decode of the same bytes, bare aiokafka producing the same records are the floor", in_product.bodies),
    "rebuilt": ("inventory's own rate at rest is the floor", in_product.rebuilt),
    "start": ("each service again, from an empty process to ready", in_product.start),
    "memory": ("every process while events go the whole way", in_product.memory),
    "lanes": ("a live failure to its ticket, alone and beside a resync", in_product.lanes),
    "storm": ("nine clients' failures to their tickets, alone and beside a tenth that storms", in_product.storm),
}
STAGES: Final = (*IN_PARTS, *IN_PRODUCT)
FAILURES: Final = (
    RuntimeError, OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, httpx.HTTPError,
    subprocess.SubprocessError, PartUnavailable, ExceptionGroup,
)  # fmt: skip
"""What ends one stage and not the run: a part that does not answer, a service that does not do its work."""

TOLD_EVERY_SECONDS: Final = 30.0


class OutOfTime(Exception):
    """The run's time was over before the stage was: nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rows of a run, the stages for which no time was left, and those that broke off, with the reason."""

    figures: Sequence[Figure]
    left_out: Sequence[str]
    failed: Sequence[str]


def measured(plan: Plan, only: str | None, say: Say) -> Outcome:
    """Run all stages of the plan, or the only one.

    Raises:
        PartUnavailable: something cannot run here; the message says what to do.
    """
    wanted = [each for each in STAGES if each not in plan.without] if only is None else [only]
    run = Run(plan, Turn(plan, wanted, say), say)
    if any(each in wanted for each in IN_PARTS):
        with place.throwaway_home() as home, started(parts_in(home, psa=None), say) as parts:
            for each in parts.running():
                keep(each.pid, CORES.around)
            with running_on(CORES.stage):
                uvloop.run(made_ready(parts))
                uvloop.run(noted(parts.database_url, plan.command))
                run.through(IN_PARTS, parts)
    if any(each in wanted for each in IN_PRODUCT):
        with place.throwaway_home() as home, started_stack(_stack_settings(home), say) as stack:
            uvloop.run(noted(stack.around.database, plan.command))
            run.through(IN_PRODUCT, stack, before=in_product.whole)
    return Outcome(run.figures, run.turn.left_out, run.failed)


@dataclass(slots=True)
class Run:
    """One run through the stages, and what came of it so far."""

    plan: Plan
    turn: Turn
    say: Say
    figures: list[Figure] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def through(self, stages: Stages[G], ground: G, *, before: Before[G] | None = None) -> None:
        """Run those that have their turn, one after the other, each on a ground that is whole again."""
        for name in filter(self.turn.has, stages):
            told, stage = stages[name]
            began_at = time.monotonic()
            self.say(f"stage: {name} ({told})")
            try:
                first = partial(before, ground, self.plan, self.say) if before else None
                found = uvloop.run(self._bounded(name, partial(stage, ground, self.plan), first=first))
                self.figures += marked(found, self._note(name))
            except OutOfTime:
                self.turn.leave_out(name)
                continue
            except FAILURES as error:
                self.failed.append(f"{name}: {type(error).__name__}: {error}")
                self.say(f"stage: {name} broke off: {type(error).__name__}: {error}")
            self.say(f"stage: {name} took {time.monotonic() - began_at:.0f} s")

    async def _bounded(
        self, name: str, stage: Callable[[], Awaitable[list[Figure]]], *, first: Callable[[], Awaitable[None]] | None
    ) -> list[Figure]:
        telling = asyncio.create_task(self._tell(name))
        bound = asyncio.timeout(self.turn.left_seconds())
        try:
            async with bound:
                if first is not None:
                    await first()
                return await stage()
        except TimeoutError:
            if bound.expired():
                raise OutOfTime from None
            raise
        finally:
            telling.cancel()

    async def _tell(self, name: str) -> None:
        """Say now and then that a long stage still goes on, and how long it may."""
        while True:
            await asyncio.sleep(TOLD_EVERY_SECONDS)
            self.say(f"stage: {name} goes on; the whole run ends in {self.turn.left_seconds():.0f} s at the latest")

    def _note(self, name: str) -> str:
        return " (reduced)" if name in self.plan.reduced else ""


def _stack_settings(home: "os.PathLike[str]") -> StackSettings:
    return StackSettings(parts=parts_in(home, psa=Psa.ROUNDUP), gateway_port=0, health_port=0, simulator_port=0)

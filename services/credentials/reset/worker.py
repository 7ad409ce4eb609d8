"""Whose turn it is: leases steps fairly between clients, several at once, and decides what a failure means."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from opentelemetry import trace

from chassis.clock import Clock
from chassis.errors import BROKEN_DATA, TRANSIENT, MayWorkLater, NeverWorks, may_work_later
from chassis.health import Progress
from chassis.http import Unavailable
from chassis.postgres import Pool
from chassis.telemetry import METERS, Count, link_to
from chassis.turns import calling_for, uptime
from contracts.events.credential import CaseStep
from services.credentials.adapters.directory import TooEarly
from services.credentials.reset import rules_steps, store_steps
from services.credentials.reset.ending import Endings
from services.credentials.reset.puzzles import Puzzles
from services.credentials.reset.records import NotYet
from services.credentials.reset.steps import Steps
from services.credentials.reset.store_steps import LostLease, Turn

log = logging.getLogger(__name__)
tracer = trace.get_tracer("patchline")

IDLE_SECONDS: Final = 0.25
DATABASE_PAUSE_SECONDS: Final = 1.0
REASON_CHARACTERS: Final = 500

BUGS: Final = (*BROKEN_DATA, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What one case's own facts can set off in our code: that step is parked, the others go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many steps run at once, and for how long.

    No step outlives its lease: nothing is sent later than `deadline_seconds` after the lease was asked for.
    """

    slots: int = 4
    most_per_tenant: int = 2
    deadline_seconds: float = 45
    lease_seconds: float = 60


class Worker:
    """Carries out steps until told to stop. `wake` it after each commit; it looks by itself every quarter second."""

    name = "cases"

    def __init__(
        self, *, pool: Pool, steps: Steps, endings: Endings, clock: Clock, progress: Progress, limits: Limits
    ) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._steps = steps
        self._endings = endings
        self._clock = clock
        self._progress = progress
        self._limits = limits
        self._woken = asyncio.Event()
        self._busy: Counter[UUID] = Counter()
        self._served: dict[UUID, int] = {}
        self._turns = 0
        self._held_until = 0.0
        self._puzzles = Puzzles()

    def wake(self) -> None:
        """Look for steps now."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry out steps until `stopping`; those under way are finished."""
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                self._progress.beat(self.name)
                self._woken.clear()
                until = uptime() + self._limits.deadline_seconds  # before the lease is asked for: it ends later
                turns = await self.taken()
                for turn in turns:
                    tasks.create_task(self.carry_out(turn, until))
                if not turns:
                    await self._idle(stopping)

    async def _idle(self, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def taken(self) -> list[Turn]:
        """Lease what there is room for, and return it."""
        slots = self._limits.slots - self._busy.total()
        if slots <= 0 or uptime() < self._held_until:
            return []
        now = self._clock()
        try:
            due = await store_steps.load_due(self._pool, now, per_tenant=self._limits.most_per_tenant + slots)
            chosen = rules_steps.fair_turns(
                due,
                served=self._served,
                busy=self._busy,
                slots=slots,
                most_per_tenant=self._limits.most_per_tenant,
            )
            until = now + timedelta(seconds=self._limits.lease_seconds)
            turns = await store_steps.lease(self._pool, chosen, now=now, until=until) if chosen else []
        except TRANSIENT as error:
            log.warning("cannot look for steps", extra={"reason": str(error) or type(error).__name__})
            self._held_until = uptime() + DATABASE_PAUSE_SECONDS
            return []
        for turn in turns:
            self._turns += 1
            self._served[turn.tenant] = self._turns
            self._busy[turn.tenant] += 1
        return turns

    async def carry_out(self, turn: Turn, until: float) -> None:
        """Do one step, sending nothing after `until`, by the clock that goes on while we are stopped."""
        links = [link_to(turn.traceparent)] if turn.traceparent else []
        try:
            with (
                tracer.start_as_current_span(f"case {turn.step}", links=links),
                calling_for(str(turn.tenant), until=until),
            ):
                async with asyncio.timeout(until - uptime()):
                    await self._steps.carry_out(turn)
        except LostLease as error:
            log.info("left to another worker", extra={"reason": str(error)})
        except (NeverWorks, *BUGS, *TRANSIENT) as error:
            await self._note_failure(turn, error)
        finally:
            self._busy[turn.tenant] -= 1
            self.wake()

    async def _note_failure(self, turn: Turn, error: Exception) -> None:
        reason = _reason(error)
        try:
            if may_work_later(error) or self._puzzles.is_worth_asking_again(turn, error):
                until = self._clock() + timedelta(seconds=_pause_seconds(error, turn.attempts))
                await store_steps.postpone(self._pool, turn, until=until, reason=reason)
                METERS.add(Count.EFFECTS, kind=turn.step, outcome="postponed")
                _say_later(turn, error, reason)
            else:
                await self._endings.parked(turn, reason)
                bug = None if isinstance(error, NeverWorks) or turn.step is CaseStep.INVALIDATED else error
                log.error("parked", exc_info=bug, extra={**_place(turn), "reason": reason})
        except LostLease as lost:
            log.info("left to another worker", extra={"reason": str(lost)})
        except TRANSIENT as again:
            log.warning("cannot note a failure; its lease will end", extra={"reason": type(again).__name__})
            self._held_until = uptime() + DATABASE_PAUSE_SECONDS


def _say_later(turn: Turn, error: Exception, reason: str) -> None:
    """Log what failed; what merely waits shows in `patchline case list`."""
    if not isinstance(error, NotYet):
        log.info("tried again later", extra={**_place(turn), "reason": reason})


def _place(turn: Turn) -> dict[str, str]:
    return {"case": str(turn.case), "step": turn.step.value}


def _pause_seconds(error: Exception, attempts: int) -> float:
    """Return how long to leave a step alone after `error`: a lost answer is looked for soon, an outage waited out."""
    match error:
        case NotYet(seconds=seconds):
            return seconds
        case Unavailable(retry_after_seconds=float() as seconds):
            return seconds
        case Unavailable(ambiguous=True) | TooEarly() | TimeoutError():
            return rules_steps.look_again_seconds(attempts)
        case _:
            return rules_steps.pause_seconds(attempts)


def _reason(error: Exception) -> str:
    """Return one line for the person who looks at what is stuck; what a library said may hold anything."""
    told = str(error) if isinstance(error, NeverWorks | MayWorkLater) else type(error).__name__
    return " ".join(told.split())[:REASON_CHARACTERS]

"""Whose turn it is: leases intents fairly between tenants, several at once, and decides what a failure means."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from opentelemetry import trace

from chassis.clock import Clock
from chassis.cores import Cores
from chassis.errors import BROKEN_DATA, TRANSIENT, MayWorkLater, NeverWorks, may_work_later
from chassis.health import Progress
from chassis.http import Unavailable
from chassis.postgres import Pool, transaction
from chassis.relay import Relay
from chassis.telemetry import METERS, Count, link_to
from chassis.turns import calling_for, uptime
from contracts.topics import Lane
from services.ticketing import announcements, rules_effects, rules_text, store, store_intents
from services.ticketing.adapters.tracker import ChangedMeanwhile, ReservationUsed
from services.ticketing.effects import Effects
from services.ticketing.pace import Pace
from services.ticketing.patience import Patience
from services.ticketing.records import Intent
from services.ticketing.store_intents import LostLease

log = logging.getLogger(__name__)
tracer = trace.get_tracer("patchline")

IDLE_SECONDS: Final = 0.25
DATABASE_PAUSE_SECONDS: Final = 1.0
CHANGED_PAUSE_SECONDS: Final = 0.2
REASON_CHARACTERS: Final = 500

BUGS: Final = (*BROKEN_DATA, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What one ticket's own words can set off in our code: that ticket is parked, the others go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many acts run at once, and for how long.

    No act outlives its lease: nothing is sent later than `deadline_seconds` after the lease was asked for.
    """

    slots: int = 8
    most_per_tenant: int = 4
    bulk_slots: int = 1
    deadline_seconds: float = 12
    lease_seconds: float = 20


class Worker:
    """Carries out intents until told to stop. `wake` it after each commit; it looks by itself every quarter second."""

    name = "tickets"

    def __init__(
        self, *, pool: Pool, effects: Effects, clock: Clock, progress: Progress, relay: Relay, limits: Limits
    ) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._effects = effects
        self._clock = clock
        self._progress = progress
        self._relay = relay
        self._limits = limits
        self._woken = asyncio.Event()
        self._busy: Counter[UUID] = Counter()
        self._bulk_busy = 0
        self._served: dict[UUID, int] = {}
        self._turns = 0
        self._patience = Patience()
        self._pace = Pace(Cores())

    def wake(self) -> None:
        """Look for intents now."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry out intents until `stopping`; those under way are finished."""
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                self._progress.beat(self.name)
                self._woken.clear()
                until = uptime() + self._limits.deadline_seconds  # before the lease is asked for: it ends later
                intents = await self._taken()
                for intent in intents:
                    tasks.create_task(self._carry_out(intent, until))
                if not intents:
                    await self._idle(stopping)

    async def _idle(self, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _taken(self) -> list[Intent]:
        """Lease what there is room for, and return it."""
        slots = self._patience.slots(self._limits.slots) - self._busy.total()
        if slots <= 0 or not self._patience.is_over:
            return []
        now = self._clock()
        try:
            first = rules_effects.lane_first(self._turns)
            most = self._limits.most_per_tenant
            due = await store_intents.load_due(self._pool, now, per_tenant=most)
            self._pace.crowded(rules_effects.queueing(due, rules_effects.CROWD * most))
            resting = self._pace.resting(rules_effects.queueing(due, most), self._busy)
            if not (bulk_slots := self._bulk_slots()):
                due = rules_effects.few_of_bulk(due, 0)  # before the turns are shared out: bulk takes none of them
            fair = rules_effects.fair_turns(
                rules_effects.in_lanes(due, first),
                served=self._served,
                busy=self._busy,
                slots=len(due),
                most_per_tenant=self._pace.most(most),
                fewer={**self._patience.fewer(), **resting},
            )
            turns = rules_effects.few_of_bulk(rules_effects.in_lanes(fair, first), bulk_slots)[:slots]
            until = now + timedelta(seconds=self._limits.lease_seconds)
            margin = timedelta(seconds=self._limits.lease_seconds - self._limits.deadline_seconds)
            intents = await store_intents.lease(self._pool, turns, now=now, until=until, margin=margin) if turns else []
        except TRANSIENT as error:
            log.warning("cannot look for intents", extra={"reason": str(error) or type(error).__name__})
            self._patience.hold(DATABASE_PAUSE_SECONDS)
            return []
        for intent in intents:
            self._turns += 1
            self._served[intent.tenant] = self._turns
            self._pace.began(intent.tenant)
            self._busy[intent.tenant] += 1
            self._bulk_busy += intent.lane is Lane.BULK
        return intents

    def _bulk_slots(self) -> int:
        """Return how many acts of bulk may begin now."""
        if self._pace.bulk_rests(self._busy.total() - self._bulk_busy):
            return 0
        return max(self._limits.bulk_slots - self._bulk_busy, 0)

    async def _carry_out(self, intent: Intent, until: float) -> None:
        """Do one act, sending nothing after `until`, by the clock that goes on while we are stopped."""
        began_at = uptime()
        links = [link_to(intent.cause.traceparent)] if intent.cause.traceparent else []
        try:
            with (
                tracer.start_as_current_span(f"ticket {intent.act}", links=links),
                calling_for(str(intent.tenant), until=until),
            ):
                async with asyncio.timeout(until - uptime()):
                    await self._effects.carry_out(intent)
            self._patience.succeeded(intent.tenant)
        except LostLease as error:
            log.info("left to another worker", extra={"reason": str(error)})
        except (NeverWorks, *BUGS, *TRANSIENT) as error:
            await self._note_failure(intent, error)
        finally:
            self._busy[intent.tenant] -= 1
            self._bulk_busy -= intent.lane is Lane.BULK
            asyncio.get_running_loop().call_later(self._rest_seconds(intent, uptime() - began_at), self.wake)

    def _rest_seconds(self, intent: Intent, took_seconds: float) -> float:
        """Return how long those rest who acted: the client, if it storms, and bulk."""
        of_client = self._pace.ended(intent.tenant, took_seconds)
        if intent.lane is Lane.BULK:
            return max(of_client, self._pace.bulk_ended(took_seconds))
        self._pace.live_ended()
        return of_client

    async def _note_failure(self, intent: Intent, error: Exception) -> None:
        try:
            if may_work_later(error):
                await self._postpone(intent, error)
            else:
                await self._park(intent, error)
        except LostLease as lost:
            log.info("left to another worker", extra={"reason": str(lost)})
        except TRANSIENT as again:
            log.warning("cannot note a failure; its lease will end", extra={"reason": str(again)})
            self._patience.hold(DATABASE_PAUSE_SECONDS)

    async def _postpone(self, intent: Intent, error: Exception) -> None:
        seconds = _pause_seconds(error, intent.attempts)
        self._patience.met(error, intent.tenant, seconds)
        now, reason = self._clock(), _reason(error)
        until = now + timedelta(seconds=seconds)
        if isinstance(error, ReservationUsed):
            await store_intents.drop_reservation(self._pool, intent, until=until, reason=reason)
        else:
            await store_intents.postpone(self._pool, intent, now=now, until=until, reason=reason)
        METERS.add(Count.EFFECTS, kind=intent.act, outcome="postponed")
        log.info(
            "tried again later",
            extra={"ticket": intent.ticket, "act": intent.act, "seconds": seconds, "reason": reason},
        )

    async def _park(self, intent: Intent, error: Exception) -> None:
        """Leave an act to a person: `patchline ticket list` shows it, `patchline ticket retry` tries it again."""
        reason = _reason(error)
        async with transaction(self._pool) as tx:
            tickets = await store.load_tickets(tx, [intent.ticket])
            await store_intents.park(tx, intent, reason)
            await announcements.publish(tx, announcements.parked(tickets[intent.ticket], reason), intent)
        self._relay.wake()
        METERS.add(Count.EFFECTS, kind=intent.act, outcome="parked")
        bug = None if isinstance(error, NeverWorks) else error
        log.error("parked", exc_info=bug, extra={"ticket": intent.ticket, "act": intent.act, "reason": reason})


def _pause_seconds(error: Exception, attempts: int) -> float:
    """Return how long to leave an act alone after `error`: a lost answer is looked for soon, an outage waited out."""
    match error:
        case ChangedMeanwhile():
            return CHANGED_PAUSE_SECONDS
        case Unavailable(retry_after_seconds=float() as seconds):
            return seconds
        case Unavailable(ambiguous=True) | ReservationUsed() | TimeoutError():
            return rules_effects.look_again_seconds(attempts)
        case _:
            return rules_effects.pause_seconds(attempts)


def _reason(error: Exception) -> str:
    """Return one line for the person who looks at what is stuck."""
    text = str(error) if isinstance(error, NeverWorks | MayWorkLater) else f"{type(error).__name__}: {error}"
    return rules_text.one_line(text)[:REASON_CHARACTERS]

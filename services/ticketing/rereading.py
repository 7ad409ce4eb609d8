"""A ticket that something was told of is read again at the tracker, and what a person did there is recorded.

What a webhook says is a hint: only the tracker's own answer, asked for with our login, changes anything here. The same
follows from a hint that comes late, twice or from the reconciler, because none came at all.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chassis.clock import Clock
from chassis.errors import TRANSIENT, NeverWorks
from chassis.health import Progress
from chassis.http import Unavailable
from chassis.postgres import Connection, Pool, transaction
from chassis.relay import Relay
from chassis.telemetry import METERS, Count
from chassis.turns import calling_for, uptime
from contracts.events.psa import TicketChange
from services.ticketing import (
    announcements,
    rules_effects,
    rules_fold,
    rules_hints,
    rules_text,
    store_acts,
    store_hints,
    store_save,
)
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.records import Ticket, TicketState
from services.ticketing.rules_desk import Desk
from services.ticketing.rules_hints import Finding, Hint, Shown
from services.ticketing.store_hints import Taken

log = logging.getLogger(__name__)

CALLER: Final = "hints"
"""The tracker's turns and breaker for what is read again: no client's tickets wait for it."""

IDLE_SECONDS: Final = 0.5
TROUBLE_SECONDS: Final = 5.0
REFUSED_PAUSE_SECONDS: Final = 3600.0
REASON_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rereads:
    """How long one reading may take, and by when what was told must show at the tracker. In seconds."""

    deadline_seconds: float = 15
    margin_seconds: float = 5
    settle_seconds: float = 15

    @property
    def settle(self) -> timedelta:
        """Return by when what was told must show."""
        return timedelta(seconds=self.settle_seconds)


class Rereading:
    """Reads tickets again, one at a time. `wake` it after each commit; it looks by itself twice a second."""

    name = "hints"

    def __init__(
        self, *, pool: Pool, tracker: Tracker, clock: Clock, progress: Progress, relay: Relay, rereads: Rereads
    ) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._tracker = tracker
        self._clock = clock
        self._progress = progress
        self._relay = relay
        self._rereads = rereads
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for hints now."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Read again what was told of until `stopping`."""
        while not stopping.is_set():
            self._progress.beat(self.name)
            self._woken.clear()
            try:
                if not await self.carry_out_next():
                    await _first_of(stopping, self._woken, timeout_seconds=IDLE_SECONDS)
            except TRANSIENT as error:
                log.warning("cannot look for hints", extra={"reason": str(error) or type(error).__name__})
                await _first_of(stopping, timeout_seconds=TROUBLE_SECONDS)

    async def carry_out_next(self) -> bool:
        """Deal with all that was told of the ticket that waits longest; return whether there was one.

        Raises:
            one of TRANSIENT: the database cannot be reached.
        """
        now, deadline = self._clock(), self._rereads.deadline_seconds
        until = now + timedelta(seconds=deadline + self._rereads.margin_seconds)
        taken = await store_hints.take(self._pool, now, until=until)
        if taken is None:
            return False
        try:
            with calling_for(CALLER, until=uptime() + deadline):
                shown = await self._shown(taken)
        except (NeverWorks, *TRANSIENT) as error:
            await self._postpone(taken, error)
            return True
        if shown is None:
            await store_hints.let_go(self._pool, taken.hints)
            METERS.add(Count.EFFECTS, kind="hint", outcome="not ours")
        else:
            await self._record(taken, shown)
        return True

    async def _shown(self, taken: Taken) -> Shown | None:
        """Return what the tracker shows under the number; `None`: no ticket of ours."""
        key = taken.known.ticket
        if await self._tracker.key_of(taken.number) != key:
            return None
        ref = next((each for each in await self._tracker.find(key) if each.id == taken.number), None)
        if ref is None:
            return None
        marker = None
        if ref.is_open != (taken.known.state is TicketState.OPEN):
            marker = await self._tracker.last_note(ref, key)
        return Shown(is_open=ref.is_open, last_act=rules_hints.act_of(marker))

    async def _record(self, taken: Taken, shown: Shown) -> None:
        """Record what a person did, and publish it; what was dealt with by someone else meanwhile is left alone."""
        now, key = self._clock(), taken.known.ticket
        async with transaction(self._pool) as tx:
            before = await store_acts.load_desk_of(tx, key)
            ticket = before.tickets[key]
            found = await self._found(tx, taken, ticket, shown)
            if found is not Finding.LATER:
                left = await store_hints.let_go(tx, taken.hints)
                hints = [each for each in taken.hints if each.event_id in left]
                if hints:
                    await self._save(tx, before, found, hints)
        if found is Finding.LATER:
            pause = timedelta(seconds=rules_effects.look_again_seconds(taken.attempts))
            reason = "what was told does not show yet, or an act of ours is under way"
            await store_hints.postpone(self._pool, taken.hints, until=now + pause, reason=reason)
        self._relay.wake()
        METERS.add(Count.EFFECTS, kind="hint", outcome=found)

    async def _found(self, tx: Connection, taken: Taken, ticket: Ticket, shown: Shown) -> Finding:
        if ticket.state is not taken.known.state:
            return Finding.LATER
        newest = max(each.received_at for each in taken.hints)
        return rules_hints.finding(
            ticket.state,
            shown,
            {each.change for each in taken.hints},
            is_busy=rules_hints.is_busy(await store_hints.load_unfinished(tx, ticket.key)),
            is_settled=self._clock() - newest >= self._rereads.settle,
        )

    async def _save(self, tx: Connection, before: Desk, found: Finding, hints: list[Hint]) -> None:
        now, cause, ticket = self._clock(), hints[-1].cause, before.tickets[hints[-1].ticket]
        if found is Finding.CLOSED:
            after = rules_fold.closed_by_person(before, ticket.key, cause=cause, now=now)
            await store_save.save(tx, before, after, now=now)
            await store_hints.drop_parked(tx, ticket.key, now)
            await announcements.publish_told(tx, announcements.closed_by_person(ticket), ticket, cause)
        elif found is Finding.REOPENED:
            after = rules_fold.reopened_by_person(before, ticket.key, cause=cause, now=now)
            await store_save.save(tx, before, after, now=now)
            await announcements.publish_told(tx, announcements.reopened_by_person(ticket), ticket, cause)
        for hint in hints:
            if hint.change is TicketChange.NOTED and not await self._is_own_note(tx, hint):
                await announcements.publish_told(tx, announcements.noted(ticket, hint.by), ticket, hint.cause)

    async def _is_own_note(self, tx: Connection, hint: Hint) -> bool:
        """Return whether a note may be ours: one whose author is not told, about when we wrote on the ticket."""
        if hint.by is not None:
            return False
        return await store_hints.wrote_around(tx, hint.ticket, hint.received_at, within=self._rereads.settle)

    async def _postpone(self, taken: Taken, error: Exception) -> None:
        reason = rules_text.one_line(str(error) or type(error).__name__)[:REASON_CHARACTERS]
        match error:
            case NeverWorks():
                seconds = REFUSED_PAUSE_SECONDS
                log.error("cannot read a ticket again", extra={"ticket": taken.known.ticket, "reason": reason})
            case Unavailable(retry_after_seconds=float() as asked):
                seconds = asked
            case _:
                seconds = rules_effects.pause_seconds(taken.attempts)
        until = self._clock() + timedelta(seconds=seconds)
        await store_hints.postpone(self._pool, taken.hints, until=until, reason=reason)
        METERS.add(Count.EFFECTS, kind="hint", outcome="postponed")


async def _first_of(*events: asyncio.Event, timeout_seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

"""Looks through the whole tracker in slow rounds: for two tickets of one key, and for what no webhook told.

A round reads the numbers of all open tickets that carry a key of ours, then of all that changed lately, page by page.
Nearly all of them are tickets that we know by number, and cost nothing more. Of any other the key is read; where we
have a ticket of that key, the two are merged. Of those that we know, one that should be open and is not among the open
ones, or the other way round, is read again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from chassis.clock import Clock
from chassis.errors import TRANSIENT, NeverWorks
from chassis.health import Progress
from chassis.postgres import Pool
from chassis.telemetry import METERS, Count, Level
from chassis.turns import calling_for, uptime
from services.ticketing import store_hints, store_merges
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.merging import CALLER, Merging
from services.ticketing.store_intents import LostLease

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 1.0
TROUBLE_SECONDS: Final = 5.0
LEASE: Final = timedelta(seconds=60)
CALL_SECONDS: Final = 30.0
RECENT: Final = timedelta(days=2)
"""What was closed lately is looked at too: two rounds that fail for a day miss nothing."""

MOST_STRANGERS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How often a round begins, and how long it rests between two calls."""

    every: timedelta = timedelta(minutes=10)
    rest_seconds: float = 0.5


class Reconciler:
    """Goes the rounds, and has merged what it finds. Any number of processes may have one: one round goes at a time."""

    name = "duplicates"

    def __init__(
        self, *, pool: Pool, tracker: Tracker, merging: Merging, clock: Clock, progress: Progress, rounds: Rounds
    ) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._tracker = tracker
        self._merging = merging
        self._clock = clock
        self._progress = progress
        self._rounds = rounds
        self._holder = uuid4()
        self._strangers: set[str] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Merge what was asked for, and go a round whenever one is due, until `stopping`."""
        while not stopping.is_set():
            self._progress.beat(self.name)
            try:
                if await self._merging.carry_out_next():
                    continue
                await self.go_round(stopping)
                pause_seconds = IDLE_SECONDS
            except LostLease as error:
                log.info("left to another process", extra={"reason": str(error)})
                pause_seconds = IDLE_SECONDS
            except (NeverWorks, *TRANSIENT) as error:
                log.warning("cannot look for duplicates", extra={"reason": str(error) or type(error).__name__})
                pause_seconds = TROUBLE_SECONDS
            await _rest(stopping, pause_seconds)

    async def go_round(self, stopping: asyncio.Event) -> None:
        """Go one round if it is time for one; a round that is broken off begins anew, here or elsewhere.

        Raises:
            LostLease: someone else goes it now.
            NeverWorks, or one of TRANSIENT: the tracker or the database; the lease ends by itself.
        """
        began_at = self._clock()
        last_before, until = began_at - self._rounds.every, began_at + LEASE
        if await store_merges.begin_round(self._pool, self._holder, now=began_at, until=until, last_before=last_before):
            found = 0
            async for number in self._unknown(began_at, stopping):
                found += await self._had_merged(number)
            is_complete = not stopping.is_set()
            ended_as = began_at if is_complete else None
            await store_merges.end_round(self._pool, self._holder, now=self._clock(), began_at=ended_as)
            log.info("looked for duplicates", extra={"found": found, "complete": is_complete})
        last = await store_merges.last_round(self._pool)
        if last is not None:
            METERS.set(Level.DUPLICATES_LOOKED, last.timestamp())

    async def _unknown(self, began_at: datetime, stopping: asyncio.Event) -> AsyncIterator[str]:
        """Yield the numbers of tickets with a key like ours that are none of those we know."""
        for changed_since in (None, began_at - RECENT):
            page = 0
            seen: set[str] = set()
            while not stopping.is_set():
                page += 1
                with calling_for(CALLER, until=uptime() + CALL_SECONDS):
                    numbers = await self._tracker.marked(changed_since=changed_since, page=page)
                if not numbers:
                    break
                seen.update(numbers)
                for number in await store_merges.load_unknown(self._pool, numbers):
                    if number not in self._strangers and not stopping.is_set():
                        await self._go_on(stopping)
                        yield number
                await self._go_on(stopping)
            if changed_since is None and not stopping.is_set():
                await store_hints.ask_where_otherwise(self._pool, seen, began_at)

    async def _go_on(self, stopping: asyncio.Event) -> None:
        self._progress.beat(self.name)
        await store_merges.go_on(self._pool, self._holder, until=self._clock() + LEASE)
        await _rest(stopping, self._rounds.rest_seconds)

    async def _had_merged(self, number: str) -> int:
        """Ask for the merge of one unknown ticket, if its key is one of ours; return how many are new."""
        with calling_for(CALLER, until=uptime() + CALL_SECONDS):
            key = await self._tracker.key_of(number)
        if key is not None and await store_merges.ask(self._pool, key, [number], self._clock()):
            METERS.add(Count.EFFECTS, kind="merge", outcome="found")
            log.warning("two tickets of one key", extra={"ticket": key, "other": number})
            return 1
        if key is None or not await store_merges.is_ours(self._pool, key):
            if len(self._strangers) >= MOST_STRANGERS:
                self._strangers.clear()
            self._strangers.add(number)  # not asked again by this process: it is nothing of ours
        return 0


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return

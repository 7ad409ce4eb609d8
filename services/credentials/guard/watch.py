"""The part that tells what people did to breakers and owners, and which promises were broken, every second."""

import asyncio
import logging
from datetime import datetime
from typing import Final

from chassis.errors import TRANSIENT, may_work_later
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids
from contracts.events.credential import BreakerMoved
from services.credentials import telling
from services.credentials.guard import breaker, levels, store_moves, store_stream
from services.credentials.guard.store_moves import Move
from services.credentials.people import owners
from services.credentials.records import Cause, Fact

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
MOST: Final = 200
"""Facts that share one transaction: few, so that a batch hardly waits for them."""


class Watch:
    """Runs until told to stop. A move acts without it; this is how the others learn of it."""

    name = "guard"

    def __init__(self, on: Platform, *, most: int = MOST) -> None:
        """Share the process's parts."""
        self._on = on
        self._most = most

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every second; what may work later is tried again, with longer and longer pauses."""
        patience_seconds = EVERY_SECONDS
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            try:
                has_more = await self.look()
                patience_seconds = EVERY_SECONDS
            except TRANSIENT as error:
                if not may_work_later(error):
                    raise
                has_more, patience_seconds = False, min(patience_seconds * 2, LONGEST_PAUSE_SECONDS)
                log.warning("tried again later", extra={"part": self.name, "reason": type(error).__name__})
            await _pause(stopping, 0 if has_more else patience_seconds)

    async def look(self) -> bool:
        """Tell what is not told yet, and return whether there may be more."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            facts = await moves(tx, now=now, most=self._most)
            facts += await levels.broken(tx, now=now, most=self._most)
            facts += await owners.news(tx, now=now, most=self._most)
            await telling.tell(tx, facts)
            await store_stream.forget(tx, now, self._most)
        if facts:
            self._on.relay.wake()
        return len(facts) >= self._most


async def moves(tx: Connection, *, now: datetime, most: int) -> list[Fact]:
    """Return what people did to breakers, each once; the caller tells it with `tx`."""
    return [_fact(each) for each in await store_moves.take_untold(tx, now, most)]


def _fact(move: Move) -> Fact:
    event = BreakerMoved(scope=breaker.scope(move.tenant), state=move.state, why=move.why)
    cause = Cause(
        id=ids.timer_fact_id(f"breaker/{move.tenant}/{move.number}", event.TYPE, move.moved_at),
        received_at=move.moved_at,
    )
    return breaker.said(move.tenant, event, at=move.moved_at, cause=cause, by=move.moved_by)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return

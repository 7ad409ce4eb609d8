"""One merge of two tickets of one key: look, let the others give way, read back, record; safe to do again anywhere."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chassis import points
from chassis.clock import Clock
from chassis.errors import TRANSIENT, NeverWorks
from chassis.http import Unavailable
from chassis.postgres import Pool, transaction
from chassis.relay import Relay
from chassis.telemetry import METERS, Count
from chassis.turns import calling_for, uptime
from services.ticketing import announcements, rules_effects, rules_merge, rules_text, store_merges
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.records import TicketRef
from services.ticketing.rules_merge import Merge
from services.ticketing.store_intents import LostLease
from services.ticketing.store_merges import Asked, Before

log = logging.getLogger(__name__)

CALLER: Final = "duplicates"
"""The tracker's turns and breaker for all that looks for and merges duplicates: no client's tickets wait for it."""

REFUSED_PAUSE: Final = timedelta(hours=1)
REASON_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """How long a merge may take, in seconds. The next one to try it waits for the lease and the settle time."""

    deadline_seconds: float = 30
    margin_seconds: float = 5
    settle_seconds: float = 15

    @property
    def lease(self) -> timedelta:
        """Return how long nobody else tries: by then what was sent shows, and nothing is sent any more."""
        return timedelta(seconds=self.deadline_seconds + self.margin_seconds + self.settle_seconds)


class Merging:
    """Carries out the merges that were asked for, one at a time."""

    def __init__(self, *, pool: Pool, tracker: Tracker, clock: Clock, relay: Relay, patient: Patient) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._tracker = tracker
        self._clock = clock
        self._relay = relay
        self._patient = patient

    async def carry_out_next(self) -> bool:
        """Bring the merge that waits longest as far as it goes now; return whether there was one.

        Raises:
            one of TRANSIENT: the database cannot be reached.
        """
        now, until = self._clock(), uptime() + self._patient.deadline_seconds
        asked = await store_merges.take(self._pool, now, until=now + self._patient.lease)
        if asked is None:
            return False
        try:
            with calling_for(CALLER, until=until):
                await self._carry_out(asked)
        except LostLease as error:
            log.info("left to another worker", extra={"reason": str(error)})
        except (NeverWorks, *TRANSIENT) as error:
            await self._postpone(asked, error)
        return True

    async def _carry_out(self, asked: Asked) -> None:
        async with transaction(self._pool) as tx:
            before = await store_merges.load(tx, asked.ticket)
        refs = await self._tracker.find(asked.ticket)
        merge = rules_merge.merge_of(before.ticket, refs, before.merged)
        if merge is not None:
            for other in merge.others:
                await self._merge(asked, merge.kept, other)
        await self._record(asked, before, merge)

    async def _merge(self, asked: Asked, kept: TicketRef, other: TicketRef) -> None:
        on_kept, on_other = rules_merge.notes(asked.ticket, kept=kept.id, other=other.id)
        await store_merges.check_lease(self._pool, asked, self._clock())
        points.reached("effect before merge")
        await self._tracker.take_over(kept, other, key=asked.ticket, note=on_kept)
        points.reached("effect within merge")
        await self._tracker.give_way(other, kept, key=asked.ticket, note=on_other)
        points.reached("effect after merge")

    async def _record(self, asked: Asked, before: Before, merge: Merge | None) -> None:
        """Note what gave way, and publish it once."""
        now, ticket = self._clock(), before.ticket
        async with transaction(self._pool) as tx:
            locked = await store_merges.load(tx, asked.ticket)  # the ticket's row is locked first, here as everywhere
            await store_merges.finish(tx, asked)
            if merge is not None:
                others = [other.id for other in merge.others]
                new = await store_merges.remember(tx, ticket, kept=merge.kept.id, others=others, now=now)
                if new:
                    event = announcements.merged(locked.ticket, kept=merge.kept.id, others=new)
                    await announcements.publish_merged(tx, event, ticket, before.cause)
        self._relay.wake()
        outcome = "nothing to merge" if merge is None else "done"
        METERS.add(Count.EFFECTS, len(merge.others) if merge is not None else 1, kind="merge", outcome=outcome)
        if merge is not None:
            others_text = ", ".join(other.id for other in merge.others)
            log.warning("merged", extra={"ticket": ticket.key, "kept": merge.kept.id, "others": others_text})

    async def _postpone(self, asked: Asked, error: Exception) -> None:
        """Try again later; what the tracker refuses, much later: a person should look, nothing else waits for it."""
        reason = rules_text.one_line(str(error) or type(error).__name__)[:REASON_CHARACTERS]
        if isinstance(error, NeverWorks):
            pause, outcome = REFUSED_PAUSE, "refused"
            log.error("cannot merge", extra={"ticket": asked.ticket, "reason": reason})
        else:
            pause, outcome = timedelta(seconds=self._pause_seconds(asked, error)), "postponed"
            log.info("merged later", extra={"ticket": asked.ticket, "reason": reason})
        await store_merges.postpone(self._pool, asked, until=self._clock() + pause, reason=reason)
        METERS.add(Count.EFFECTS, kind="merge", outcome=outcome)

    def _pause_seconds(self, asked: Asked, error: Exception) -> float:
        match error:
            case Unavailable(retry_after_seconds=float() as seconds):
                return seconds
            case Unavailable(ambiguous=True) | TimeoutError():
                return self._patient.settle_seconds
            case _:
                return rules_effects.pause_seconds(asked.attempts)

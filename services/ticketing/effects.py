"""One act outside, so that it happens once: look up by our key, act, read back, record."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from chassis import points
from chassis.clock import Clock
from chassis.http import Unavailable
from chassis.postgres import Connection, Pool, transaction
from chassis.relay import Relay
from chassis.telemetry import METERS, Count, Duration
from services.ticketing import (
    announcements,
    rules_effects,
    rules_fold,
    rules_text,
    store_acts,
    store_intents,
    store_merges,
    store_save,
)
from services.ticketing.adapters.tracker import ChangedMeanwhile, NothingSent, Tracker
from services.ticketing.records import Act, Draft, Intent, Note, Plan, Ticket, TicketRef, TicketState
from services.ticketing.rules_effects import Known, Step
from services.ticketing.side_by_side import side_by_side

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """A leased intent with its ticket and the words to say.

    `looked_at` is before the tracker was asked for the ticket. `reservation` and `said`: what `Tracker.reserve` and
    `say_first` returned, where they were asked meanwhile.
    """

    intent: Intent
    ticket: Ticket
    plan: Plan
    looked_at: datetime
    reservation: str | None = None
    said: str | None = None

    @property
    def draft(self) -> Draft:
        """Return the ticket to be created."""
        return Draft(
            key=self.ticket.key,
            title=self.plan.title,
            text=self.plan.text,
            company=self.plan.company,
            severity=self.plan.severity,
            marker=self.intent.marker,
            said=self.said,
        )


class Effects:
    """Carries out intents at one tracker."""

    def __init__(
        self,
        *,
        pool: Pool,
        tracker: Tracker,
        clock: Clock,
        relay: Relay,
        settle: timedelta,
        msp_company: str | None = None,
    ) -> None:
        """Expect what was written to be visible to a look-up after `settle` at the latest."""
        self._pool = pool
        self._tracker = tracker
        self._clock = clock
        self._relay = relay
        self._settle = settle
        self._msp_company = msp_company

    async def carry_out(self, intent: Intent) -> None:
        """Bring one leased intent as far as it goes now.

        Raises:
            LostLease: someone else has it.
            NeverWorks: the tracker refuses; park it.
            MayWorkLater: postpone it.
        """
        refs, work = await side_by_side(self._tracker.find(intent.ticket), self._made_ready(intent, self._clock()))
        should_be_open = work.ticket.state is TicketState.OPEN
        ref = rules_effects.chosen(refs, tracked=work.ticket.external, should_be_open=should_be_open)
        if ref is not None and len(refs) > 1:
            await self._have_merged(work, ref, refs)
        match await self._step(work, ref):
            case Step.WRITE:
                await self._record(work, await self._write(work, ref))
            case Step.RECORD if ref is not None:
                await self._record_found(work, ref)
            case Step.WAIT | Step.RECORD:
                await self._wait(work)
            case Step.BY_PERSON:
                await self._record_closure(work)
            case step:
                assert_never(step)

    async def _made_ready(self, intent: Intent, looked_at: datetime) -> Work:
        """Fix the words; of what is to be opened for the first time, do all that nobody sees: few are there already."""
        work = await self._prepare(intent, looked_at)
        if intent.act is not Act.OPEN or intent.attempts > 1:
            return work
        said, reservation = await side_by_side(self._tracker.say_first(work.draft.note), self._reserve())
        return replace(work, said=said, reservation=reservation)

    async def _prepare(self, intent: Intent, looked_at: datetime) -> Work:
        """Fix the words, unless words were fixed that may have been said."""
        async with transaction(self._pool) as tx:
            around = await store_acts.load_surroundings(tx, intent)
            fresh = around.intent
            plan = around.plan if fresh.acted_at is not None else None
            if plan is None:
                client = around.client.seen_by(around.ticket.matter.kind, self._msp_company)
                plan = rules_text.plan(around.ticket, around.listings, intent=fresh, about=around.about, client=client)
                await store_acts.fix_plan(tx, fresh, plan)
        mine = replace(fresh, leased_at=intent.leased_at, lane=intent.lane)
        return Work(mine, around.ticket, plan, looked_at, reservation=fresh.reservation)

    async def _known(self, work: Work, ref: TicketRef | None) -> Known:
        now, acted_at, looked_at = work.looked_at, work.intent.acted_at, work.ticket.looked_at
        return Known(
            acted=acted_at is not None,
            marked=ref is not None and await self._is_said(work.intent, ref),
            settled=acted_at is None or now - acted_at >= self._settle,
            just_seen=looked_at is not None and now - looked_at < self._settle,
            has_words=bool(work.plan.text),
        )

    async def _step(self, work: Work, ref: TicketRef | None) -> Step:
        """Return what comes next. If the last note is our own closing, no person closed it: the database is older."""
        known = await self._known(work, ref)
        step = rules_effects.next_step(work.intent.act, rules_effects.sight_of(ref), known)
        if step is Step.BY_PERSON and ref is not None:
            last = await self._tracker.last_note(ref, work.ticket.key)
            if rules_effects.is_closing(last):
                log.warning("the tracker is ahead of the database", extra={"ticket": work.ticket.key})
                return Step.RECORD
        return step

    async def _is_said(self, intent: Intent, ref: TicketRef) -> bool:
        """Return whether the ticket has this act's note: a database that was restored has forgotten that it acted.

        Where it has, it is only asked for words: a ticket that was opened or closed since is brought to its state anew.
        """
        if intent.act is Act.OPEN or (intent.act is not Act.APPEND and intent.acted_at is None):
            return False
        if await self._tracker.has_note(ref, intent.marker):
            return True
        return intent.acted_at is not None and await self._tracker.has_note(ref, intent.former_marker)

    async def _write(self, work: Work, ref: TicketRef | None) -> TicketRef:
        """Act, having noted first that we may have; what certainly did not happen is forgotten again."""
        reservation = work.reservation
        if work.intent.act is Act.OPEN and reservation is None and work.intent.attempts > 1:
            reservation = await self._reserve()
        await store_intents.begin_write(self._pool, work.intent, reservation=reservation, now=self._clock())
        try:
            points.reached(f"effect before {work.intent.act}")
            written = await self._act(work, ref, reservation)
        except (ChangedMeanwhile, NothingSent):
            await store_intents.forget_write(self._pool, work.intent)
            raise
        except Unavailable as error:
            if not error.ambiguous:
                await store_intents.forget_write(self._pool, work.intent)
            raise
        points.reached(f"effect after {work.intent.act}")
        return written

    async def _reserve(self) -> str | None:
        points.reached("effect before reserve")
        reservation = await self._tracker.reserve()
        points.reached("effect after reserve")
        return reservation

    async def _act(self, work: Work, ref: TicketRef | None, reservation: str | None) -> TicketRef:
        note = Note(marker=work.intent.marker, text=work.plan.text)
        match work.intent.act, ref:
            case (Act.OPEN, _):
                return await self._tracker.create(work.draft, reservation)
            case (Act.APPEND, TicketRef()):
                await self._tracker.append(ref, note)
                return ref
            case (Act.RESOLVE, TicketRef()):
                await self._tracker.resolve(ref, note)
                return replace(ref, is_open=False)
            case (Act.REOPEN, TicketRef()):
                await self._tracker.reopen(ref, note)
                return replace(ref, is_open=True)
            case _:
                raise LookupError(f"{work.intent.marker}: there is no ticket to {work.intent.act}")

    async def _record_found(self, work: Work, ref: TicketRef) -> None:
        """Record what was there already. Of words that this database never had said, only what the ticket has counts.

        A database that was restored says in one act what may have been several, or is new: what the ticket lacks is
        told next, if it is open. If not, it stays to be told, or opens the next generation.
        """
        intent, plan = work.intent, work.plan
        if intent.acted_at is not None or intent.act not in {Act.OPEN, Act.APPEND} or not plan.text:
            await self._record(work, ref)
            return
        words = await self._tracker.words(ref, intent.ticket)
        told, why = rules_text.told_in(words, plan.told), rules_text.lacking_in(words, intent.why)
        is_lacking = ref.is_open and (bool(why) or len(told) < len(plan.told))
        await self._record(replace(work, plan=replace(plan, told=told)), ref, lacking=why if is_lacking else None)

    async def _record(self, work: Work, ref: TicketRef, *, lacking: str | None = None) -> None:
        """Note what the tracker shows now, and publish it.

        `lacking`: sentences that are to be told besides devices that are not; `None`: all is told.
        """
        now, intent, plan = self._clock(), work.intent, work.plan
        event = announcements.done(replace(work.ticket, external=ref.id), plan, intent)
        async with transaction(self._pool) as tx:
            await store_acts.lock_ticket(tx, work.ticket.key)
            await store_intents.finish(tx, intent, outcome="done" if event is not None else "looked", now=now)
            open_at = now if ref.is_open else None
            await store_acts.save_seen(tx, work.ticket.key, external=ref.id, title=plan.title, open_at=open_at)
            await store_acts.save_told(tx, work.ticket.key, plan.told)
            if lacking is not None:
                await self._tell_further(tx, intent, lacking, now)
            if event is not None:
                await announcements.publish(tx, event, intent)
        points.reached("effect after the record")
        self._relay.wake()
        METERS.add(Count.EFFECTS, kind=intent.act, outcome="done" if event is not None else "looked")
        METERS.record(Duration.EFFECT, (now - intent.cause.received_at).total_seconds(), kind=intent.act)

    async def _tell_further(self, tx: Connection, intent: Intent, why: str, now: datetime) -> None:
        """Have what the found ticket lacks told by the next act."""
        before = await store_acts.load_waiting_of(tx, intent.ticket)
        cause = replace(intent.cause, lane=intent.lane)
        after = rules_fold.told_further(before, intent.ticket, cause=cause, why=why, now=now)
        await store_save.save(tx, before, after, now=now)
        log.warning("the ticket tells less than is known", extra={"ticket": intent.ticket})

    async def _wait(self, work: Work) -> None:
        """Look again later: what was written may not show yet."""
        now = self._clock()
        until = now + timedelta(seconds=rules_effects.look_again_seconds(work.intent.attempts))
        reason = "the answer to the last write was lost; looking until it must show"
        await store_intents.postpone(self._pool, work.intent, now=now, until=until, reason=reason)
        METERS.add(Count.EFFECTS, kind=work.intent.act, outcome="uncertain")

    async def _record_closure(self, work: Work) -> None:
        """Believe the person who closed the ticket; what failed since opens the next generation."""
        now, key = self._clock(), work.ticket.key
        async with transaction(self._pool) as tx:
            before = await store_acts.load_desk_of(tx, key)
            await store_intents.finish(tx, work.intent, outcome="closed by a person", now=now)
            after = rules_fold.closed_by_person(before, key, cause=work.intent.cause, now=now)
            await store_save.save(tx, before, after, now=now)
            await announcements.publish(tx, announcements.closed_by_person(work.ticket), work.intent)
        self._relay.wake()
        METERS.add(Count.EFFECTS, kind=work.intent.act, outcome="closed by a person")

    async def _have_merged(self, work: Work, kept: TicketRef, refs: Sequence[TicketRef]) -> None:
        """Ask for the merge of other tickets of this key, and go on with the one that is kept."""
        others = [ref.id for ref in refs if ref.id != kept.id]
        if await store_merges.ask(self._pool, work.ticket.key, others, self._clock()):
            METERS.add(Count.EFFECTS, kind="merge", outcome="found")
            log.warning("two tickets of one key", extra={"ticket": work.ticket.key, "kept": kept.id, "others": others})

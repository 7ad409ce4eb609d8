"""A rebuild in two phases: while the service works, up to a place; then locked out, finished, compared and swapped."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from aiokafka import TopicPartition

from chassis.clock import Clock
from chassis.errors import MayWorkLater, NeverWorks
from chassis.positions import PROCEDURE
from chassis.postgres import Connection, transaction
from contracts.envelope import Envelope
from patchline.rebuild import comparing, gateway, ledger, shadow
from patchline.rebuild.folding import Folding
from patchline.rebuild.gateway import EVENTS, RAW
from patchline.rebuild.logs import Logs, Span, Spans, header
from patchline.rebuild.plan import Plan, Settling
from patchline.rebuild.reader import EPOCH, RawReader
from patchline.rebuild.rules import Moment, Report
from patchline.rebuild.sessions import Sessions

CLAIMED_LATELY: Final = timedelta(minutes=5)
"""What was claimed so shortly before the first look is looked at again: longer than any batch or clock differs."""

LISTED: Final = 1000

Show = Callable[[str, int, int], None]
"""Shows how far a step is: its title, how much is done, of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for."""

    compare_only: bool = False
    accept_differences: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """Where a rebuild reports, what time it is, and who shows how far it is."""

    report: Report
    clock: Clock
    show: Show


class Rebuild:
    """The rebuild of one service. Call `run` once."""

    def __init__(self, plan: Plan, *, sessions: Sessions, logs: Logs, reader: RawReader, around: Around) -> None:
        """Rebuild as `plan` says; `reader` counts in the report's counts."""
        self._plan = plan
        self._sessions = sessions
        self._logs = logs
        self._reader = reader
        self._report = around.report
        self._clock = around.clock
        self._show = around.show
        self._done: dict[TopicPartition, int] = {}
        self._folding = Folding(sessions, plan.handler, plan.stamps, self._report.counts, self._clock())

    async def run(self, wanted: Wanted) -> Report:
        """Rebuild, compare and, unless rows differ, swap. Whatever goes wrong before the swap leaves all as it was.

        Raises:
            NeverWorks: a log was cut, the schemas do not fit, or the live tables look different.
            MayWorkLater: a part is away, or the service has something to finish first.
        """
        started = time.monotonic()
        await shadow.drop(self._sessions, replaced=not wanted.compare_only)
        await shadow.make(self._sessions)
        await self._build()
        self._report.build_seconds = time.monotonic() - started
        await self._be_ready()
        started = time.monotonic()
        async with self._sessions.owner() as owner, owner.transaction():
            self._show("waiting for the batch under way", 0, 1)
            await shadow.lock_out(owner, self._plan.service, self._plan.locked)
            if self._plan.hold is not None:
                await owner.execute(self._plan.hold)
            await self._finish()
            if self._report.may_swap(compare_only=wanted.compare_only, accept_differences=wanted.accept_differences):
                await self._swap(owner)
        self._report.locked_seconds = time.monotonic() - started
        is_kept = wanted.compare_only or (self._report.is_swapped and not self._report.is_equal)
        await shadow.drop(self._sessions, replaced=not is_kept)
        return self._report

    async def _build(self) -> None:
        """Fold what the service has heard for sure, while it goes on."""
        async with gateway.snapshot(self._sessions.gateway) as tx:
            published = await gateway.published(tx)
        before = published.recorded_at - CLAIMED_LATELY if published.recorded_at else self._clock()
        moment = Moment(published.parked, await self._under_way(published.unsent), before)
        async with self._sessions.gateway.acquire() as connection:
            await self._hear("folding", connection, published.translated, moment, is_last=False)

    async def _be_ready(self) -> None:
        if reason := await self._plan.ready(self._sessions):
            raise MayWorkLater(f"{self._plan.service}: {reason}; let it finish, then start again")

    async def _finish(self) -> None:
        """Bring the shadow to the very place at which the service stands, settle and compare it."""
        await self._be_ready()
        service = self._plan.service
        async with transaction(self._sessions.shadow) as tx:
            await shadow.copy(tx, service, self._plan.copied)
        async with gateway.snapshot(self._sessions.gateway) as tx:
            published = await gateway.published(tx)
            moment = Moment(published.parked, await self._under_way(published.unsent))
            await self._hear("catching up", tx, published.translated, moment, is_last=True)
            await self._folding.hear_deferred(tx, moment)
            await self._recover(tx, moment)
        self._show("deciding", 0, 1)
        now = self._clock()
        self._report.clock = now
        counts = self._report.counts
        await self._plan.settle(Settling(self._sessions, self._logs, self._reader.lost, counts, now))
        self._report.unreadable_sources = sorted(self._reader.lost.sources)
        await self._compare()

    async def _hear(
        self, title: str, tx: Connection, upto: Mapping[TopicPartition, int], moment: Moment, *, is_last: bool
    ) -> None:
        spans = await self._spans(upto)
        total = sum(span.end - span.start for span in spans.values())
        done = 0
        async for records in self._logs.read(spans):
            await self._folding.hear(await self._reader.told(records), tx, moment, is_last=is_last)
            done += len(records)
            self._show(title, done, total)
        self._done.update({each: span.end for each, span in spans.items()})

    async def _spans(self, upto: Mapping[TopicPartition, int]) -> Spans:
        """Return what of the raw logs is translated and not folded yet."""
        partitions = await self._logs.partitions(RAW)
        beginnings, ends = await self._logs.beginnings(partitions), await self._logs.ends(partitions)
        for each, place in upto.items():
            if place > ends[each]:
                raise NeverWorks(f"{each.topic}/{each.partition} ends at {ends[each]}, below what was translated")
        for each in partitions:
            if beginnings[each] > 0 and each not in self._done:
                await self._note_expired(each, beginnings[each], ends[each])
        starts = {each: max(self._done.get(each, 0), beginnings[each]) for each in partitions}
        return {each: Span(starts[each], max(starts[each], upto.get(each, 0))) for each in partitions}

    async def _note_expired(self, partition: TopicPartition, beginning: int, end: int) -> None:
        """Remember that what was received before the log's first record may be gone: the histories tell of it."""
        lost = self._reader.lost
        async for records in self._logs.read({partition: Span(beginning, min(beginning + 1, end))}):
            if (received := header(records[0], "received")) is not None:
                lost.expired_before = max(lost.expired_before, datetime.fromisoformat(received))

    async def _under_way(self, unsent: set[UUID]) -> set[UUID]:
        """Return the events that were published and not consumed by the service: unsent, or after its place."""
        partitions = await self._logs.partitions(EVENTS)
        beginnings, ends = await self._logs.beginnings(partitions), await self._logs.ends(partitions)
        rows = await self._sessions.shadow.fetch(await self._standing(), [each.name for each in EVENTS])
        places = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        for each, place in places.items():
            if not beginnings[each] <= place <= ends[each]:
                reason = f"does not continue at the watermark {place} of {self._plan.service}"
                raise NeverWorks(f"{each.topic}/{each.partition} {reason}; {PROCEDURE}")
        spans = {each: Span(places.get(each, beginnings[each]), ends[each]) for each in partitions}
        heard = {header(record, "ce_id") async for batch in self._logs.read(spans) for record in batch}
        return unsent | {UUID(each) for each in heard if each is not None}

    async def _standing(self) -> str:
        return str(await self._sessions.shadow.fetchval(STANDING, self._plan.service))

    async def _recover(self, tx: Connection, moment: Moment) -> None:
        """Take from the histories what the raw records tell no more."""
        lost = self._reader.lost
        if not lost.sources and lost.expired_before <= EPOCH:
            return
        homes = {"inventory": self._sessions.inventory, "compliance": self._sessions.compliance}
        for home, statement in self._plan.ledger:
            async with homes[home].acquire() as history:
                pages = ledger.recorded(history, statement, before=lost.expired_before, sources=lost.sources)
                async for page in pages:
                    claims = await gateway.claims(tx, {each.id for each in page})
                    gone = {each for each, claim in claims.items() if claim.raw_id in lost.raw_ids}
                    await self._fold_recovered(
                        [e for e in page if e.id in gone or e.received < lost.expired_before], moment
                    )

    async def _fold_recovered(self, events: list[Envelope], moment: Moment) -> None:
        heard = [each for each in events if each.id not in moment.under_way]
        self._report.counts.recovered += len(heard)
        await self._folding.fold(heard)

    async def _compare(self) -> None:
        service, plan = self._plan.service, self._plan
        await shadow.analyse(self._sessions, [each.name for each in plan.tables])
        every = [*plan.tables, *plan.also_compared]
        async with transaction(self._sessions.shadow) as tx:
            for number, table in enumerate(plan.tables):
                self._show(f"comparing {table.name}", number, len(plan.tables))
                await comparing.compare(tx, service, table)
            await plan.compare_more(tx)
            self._report.compared = await comparing.compared(tx, service, every)
            self._report.listed = await comparing.listed(tx, LISTED)

    async def _swap(self, owner: Connection) -> None:
        self._show("swapping", 0, 1)
        await shadow.swap(owner, self._sessions, [each.name for each in self._plan.tables])
        await owner.execute(AS_ROLE, f"{self._plan.service}_writer")
        await self._plan.after(owner)
        self._report.is_swapped = True


STANDING: Final[LiteralString] = """
    SELECT format('SELECT topic, partition, next_offset FROM %I.watermark WHERE topic = ANY($1::text[])', $1::text)
"""
AS_ROLE: Final[LiteralString] = "SELECT set_config('role', $1, true)"

"""Events into the shadow, by the service's own handler: those that the live state has heard, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis import outbox
from chassis.batch import Batch, Handler, Received
from chassis.errors import BROKEN_DATA
from chassis.postgres import Connection, transaction
from contracts.envelope import Envelope, decode, encode
from patchline.rebuild import gateway, ledger, rules
from patchline.rebuild.rules import Counts, Moment, Standing
from patchline.rebuild.sessions import Sessions
from services.gateway.translation import store_translate

AT_ONCE: Final = 1000
UNFIT: Final = (*BROKEN_DATA, ValueError, TypeError, LookupError, ArithmeticError)
"""What a handler raises at an event that it cannot take: the live one was dead-lettered for it."""


SETTLED: Final = frozenset({Standing.STANDS, Standing.TOLD_BY_ANOTHER})
"""What stays so however long one waits."""


@dataclass(frozen=True, slots=True)
class Made:
    """A record that no log holds: what a handler looks at of one."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    topic: str = "rmm.events"
    partition: int = 0
    offset: int = 0


@dataclass(slots=True)
class Folding:
    """Folds into the shadow of one service. `stamps` takes recorded times over from the live history."""

    sessions: Sessions
    handler: Handler[Envelope]
    stamps: LiteralString
    counts: Counts
    now: datetime

    async def hear(self, told: Sequence[Envelope], gateway_tx: Connection, at: Moment, *, is_last: bool) -> None:
        """Fold what stands; keep the rest for later, or count it where there is no later."""
        claims = await gateway.claims(gateway_tx, {each.id for each in told})
        standing = [(each, rules.standing(each, claims.get(each.id), at)) for each in told]
        settled = [(each, how) for each, how in standing if is_last or how in SETTLED]
        self.counts.add(how for _, how in settled)
        if not is_last:
            await self._defer([each for each, how in standing if how not in SETTLED])
        await self.fold(await self._owned([each for each, how in settled if how is Standing.STANDS], gateway_tx))

    async def _owned(self, told: Sequence[Envelope], tx: Connection) -> list[Envelope]:
        """Return these events with the client that each belongs to."""
        recorded = await ledger.owners(self.sessions.inventory, self.sessions.compliance, [each.id for each in told])
        silent = {(each.source, each.subject) for each in told if not rules.names_organisation(each)}
        seats = await store_translate.seats(tx, silent)
        seated = [(each, rules.seat_of(each, seats)) for each in told]
        ownerships = await store_translate.ownerships(
            tx, {(each.source, seat.organisation) for each, seat in seated if seat}
        )
        return [
            each._replace(
                tenant=rules.tenant_of(
                    each, seat, ownerships[each.source, seat.organisation] if seat else (), recorded.get(each.id)
                ),
            )
            for each, seat in seated
        ]

    async def _defer(self, told: Sequence[Envelope]) -> None:
        messages = [encode(each) for each in told]
        rows = [
            (each.id, each.causation, outbox.written(message.headers), (message.value or b"").decode())
            for each, message in zip(told, messages, strict=True)
        ]
        if rows:
            await self.sessions.shadow.execute(DEFER, *zip(*rows, strict=True))

    async def hear_deferred(self, gateway_tx: Connection, at: Moment) -> None:
        """Fold what was kept for later and stands now; count the rest."""
        after = (UUID(int=0), UUID(int=0))
        while rows := await self.sessions.shadow.fetch(DEFERRED, *after, AT_ONCE):
            told = [decode(outbox.headers_of(row["headers"]), row["event"].encode()) for row in rows]
            await self.hear(told, gateway_tx, at, is_last=True)
            after = rows[-1]["event_id"], rows[-1]["raw_id"]

    async def fold(self, events: Sequence[Envelope]) -> None:
        """Let the handler take these events, and give each the time at which it was first recorded."""
        for start in range(0, len(events), AT_ONCE):
            await self._fold(events[start : start + AT_ONCE])

    async def _fold(self, events: Sequence[Envelope]) -> None:
        try:
            async with transaction(self.sessions.shadow) as tx:
                batch = self._batch(events)
                await self.handler.on_batch(tx, batch)
                await tx.execute(self.stamps, [each.id for each in events])
        except UNFIT:
            if len(events) == 1:
                self.counts.refused_events += 1
                return
            middle = len(events) // 2
            await self._fold(events[:middle])
            await self._fold(events[middle:])
        else:
            self.counts.refused_events += len(batch.refused)

    def _batch(self, events: Sequence[Envelope]) -> Batch[Envelope]:
        messages = [encode(each) for each in events]
        records = [Made(key=each.key, value=each.value, headers=each.headers) for each in messages]
        items = [Received(record, event) for record, event in zip(records, events, strict=True)]
        return Batch(items, self.now)


DEFER: Final[LiteralString] = """
    INSERT INTO rebuild_deferred (event_id, raw_id, headers, event)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
    ON CONFLICT DO NOTHING
"""
DEFERRED: Final[LiteralString] = """
    SELECT event_id, raw_id, headers, event FROM rebuild_deferred
    WHERE (event_id, raw_id) > ($1, $2) ORDER BY event_id, raw_id LIMIT $3
"""

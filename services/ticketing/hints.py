"""Load, decide, save: what a ticket system tells of our tickets is kept until each was read again."""

from collections.abc import Collection
from uuid import UUID

from chassis.batch import Batch, Fate, Received
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.psa import TicketTold
from services.ticketing import rules_hints, store_hints, store_save
from services.ticketing.rules_hints import Hint


async def keep(tx: Connection, batch: Batch[Envelope], own_names: Collection[str]) -> None:
    """Keep each word that is new and on a ticket of ours; an echo of `own_names`, and all else, is ignored."""
    told = [(item, item.value.data) for item in batch.items if isinstance(item.value.data, TicketTold)]
    if not told:
        return
    ours = await store_hints.load_numbered(tx, {data.number for _, data in told})
    news: list[tuple[Received[Envelope], Hint]] = []
    for item, data in told:
        known = ours.get(data.number)
        if known is None or not rules_hints.is_news(known, data, own_names):
            batch.count(item, Fate.IGNORED)
        else:
            news.append((item, _hint(item.value, data, known)))
    fresh = await store_save.remember(
        tx, [item.value._replace(tenant=hint.tenant) for item, hint in news], batch.recorded_at
    )
    first: dict[UUID, Hint] = {}
    for item, hint in news:
        if hint.event_id not in fresh or hint.event_id in first:
            batch.count(item, Fate.DUPLICATE)
        else:
            first[hint.event_id] = hint
    await store_hints.keep(tx, list(first.values()), batch.recorded_at)


def _hint(envelope: Envelope, told: TicketTold, known: rules_hints.Known) -> Hint:
    return Hint(
        event_id=envelope.id,
        ticket=known.ticket,
        tenant=known.tenant,
        change=told.change,
        by=told.by,
        occurred_at=envelope.time,
        received_at=envelope.received,
        traceparent=envelope.traceparent,
    )

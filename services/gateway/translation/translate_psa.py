"""Batches of what PSAs delivered become events about tickets: as with devices, but nobody has to own them here."""

from collections.abc import Sequence
from datetime import datetime

from chassis import outbox
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.topics import PSA_EVENTS
from services.gateway.translation.rules_translate import Fate, Item
from services.gateway.translation.translate import Translate
from services.gateway.vendors.translation import SaidOfTicket


class TranslatePsa(Translate):
    """Handles batches of `psa.raw`."""

    async def _dispatch(
        self,
        tx: Connection,
        fresh: Sequence[Item],
        at: datetime,  # noqa: ARG002 - nothing is parked here
    ) -> dict[int, Fate]:
        """Publish or count each new item, and return what became of it, by its number."""
        told = [(item, item.content) for item in fresh if isinstance(item.content, SaidOfTicket)]
        keyed = [(f"{item.delivery.source}/{said.event.number}", _envelope(item, said)) for item, said in told]
        await outbox.enqueue_keyed(tx, PSA_EVENTS, keyed)
        return {item.number: Fate.PUBLISHED for item, _ in told} | await self._count_codes(tx, fresh)


def _envelope(item: Item, said: SaidOfTicket) -> Envelope:
    """Return the canonical event about a ticket. Whose it is only ticketing knows."""
    return Envelope(
        id=said.id,
        source=item.delivery.source,
        subject=said.event.number,
        time=said.time,
        received=item.delivery.received,
        data=said.event,
        causation=item.delivery.raw_id,
        correlation=said.event.key,
        traceparent=item.delivery.traceparent,
    )

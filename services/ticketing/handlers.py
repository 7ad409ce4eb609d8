"""Load, decide, save: what compliance says becomes tickets, listings, and intents for the worker."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from chassis.batch import Batch, Received
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from services.ticketing import rules_fold, store, store_save
from services.ticketing.facts import Unusable, fact_of
from services.ticketing.rules_fold import Fact


class TicketingHandler:
    """Takes `compliance.events` and `clients` in one consumer group."""

    def __init__(self, *, look_every: timedelta) -> None:
        """Have a ticket looked at every `look_every` for nothing but repeats."""
        self._look_every = look_every

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Save the clients, and fold the findings that were not handled before."""
        await _save_clients(tx, batch)
        facts = [(item, fact) for item in batch.items if (fact := _usable(batch, item)) is not None]
        new = await store_save.remember(tx, [item.value for item, _ in facts], batch.recorded_at)
        fresh = _first_of_each([(item, fact) for item, fact in facts if item.value.id in new])
        if not fresh:
            return
        before = await store.load_for_update(tx, fresh)
        after = rules_fold.folded(before, fresh, now=batch.recorded_at, look_every=self._look_every)
        await store_save.save(tx, before, after, now=batch.recorded_at)


def _usable(batch: Batch[Envelope], item: Received[Envelope]) -> Fact | None:
    fact = fact_of(item.value)
    if isinstance(fact, Unusable):
        batch.refuse(item, fact.reason)
        return None
    return fact


def _first_of_each(facts: Sequence[tuple[Received[Envelope], Fact]]) -> list[Fact]:
    """Return each event's fact once, in the order of acceptance."""
    first: dict[UUID, Fact] = {}
    for item, fact in facts:
        first.setdefault(item.value.id, fact)
    return list(first.values())


async def _save_clients(tx: Connection, batch: Batch[Envelope]) -> None:
    clients = []
    for item in batch.items:
        match item.value:
            case Envelope(data=ClientChanged() as client, tenant=tenant, sequence=sequence):
                if tenant is None or sequence is None:
                    batch.refuse(item, "ce_tenantid, ce_sequence: the record of a client has both")
                else:
                    clients.append((tenant, client, sequence))
            case _:
                continue
    if clients:
        await store_save.save_clients(tx, clients)

"""Load, decide, save: what compliance and credentials say becomes tickets, listings, and intents for the worker."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from chassis.batch import Batch, Fate, Received
from chassis.clock import Clock
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from contracts.events.psa import TicketTold
from services.ticketing import hints, rules_fold, store, store_save
from services.ticketing.facts import Unusable, facts_of
from services.ticketing.rules import Finding
from services.ticketing.rules_fold import Fact


class TicketingHandler:
    """Takes `compliance.events`, `credentials.events`, `clients` and `psa.events` in one consumer group."""

    def __init__(
        self, *, look_every: timedelta, own_names: frozenset[str] = frozenset(), clock: Clock | None = None
    ) -> None:
        """Have a ticket looked at every `look_every` for nothing but repeats; what `own_names` did at it is an echo.

        What is to be done is due by `clock`: the recorded time never goes back, where a clock may.
        """
        self._look_every = look_every
        self._clock = clock
        self._own_names = own_names

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Save the clients, and fold the findings that were not handled before, or are told with a newer number."""
        await _save_clients(tx, batch)
        await hints.keep(tx, batch, self._own_names)
        facts = [(item, of_it) for item in batch.items if (of_it := _usable(batch, item))]
        new = await store_save.remember(tx, [item.value for item, _ in facts], batch.recorded_at)
        first, every = _told(batch, facts, new)
        if not every:
            return
        before = await store.load_for_update(tx, every)
        for item, of_it in first:
            if all(rules_fold.is_late(before, fact) for fact in of_it):
                batch.count(item, Fate.SUPERSEDED)
        now = batch.recorded_at if self._clock is None else min(batch.recorded_at, self._clock())
        after = rules_fold.folded(before, every, now=now, look_every=self._look_every)
        await store_save.save(tx, before, after, now=now)


def _usable(batch: Batch[Envelope], item: Received[Envelope]) -> tuple[Fact, ...]:
    facts = facts_of(item.value)
    if isinstance(facts, Unusable):
        batch.refuse(item, facts.reason)
        return ()
    if not facts and not isinstance(item.value.data, ClientChanged | TicketTold):
        batch.count(item, Fate.IGNORED)
    return facts


def _told(
    batch: Batch[Envelope], facts: Sequence[tuple[Received[Envelope], tuple[Fact, ...]]], new: AbstractSet[UUID]
) -> tuple[list[tuple[Received[Envelope], tuple[Fact, ...]]], list[Fact]]:
    """Return each new event once, and all facts in the order of acceptance: also findings of repeats, marked so."""
    first: dict[UUID, tuple[Received[Envelope], tuple[Fact, ...]]] = {}
    every: list[Fact] = []
    for item, of_it in facts:
        if item.value.id in new and item.value.id not in first:
            first[item.value.id] = item, of_it
            every += of_it
        else:
            batch.count(item, Fate.DUPLICATE)
            every += [replace(fact, is_repeat=True) for fact in of_it if isinstance(fact, Finding)]
    return list(first.values()), every


async def _save_clients(tx: Connection, batch: Batch[Envelope]) -> None:
    told: list[tuple[Received[Envelope], tuple[UUID, ClientChanged, int]]] = []
    for item in batch.items:
        match item.value:
            case Envelope(data=ClientChanged() as client, tenant=tenant, sequence=sequence):
                if tenant is None or sequence is None:
                    batch.refuse(item, "ce_tenantid, ce_sequence: the record of a client has both")
                else:
                    told.append((item, (tenant, client, sequence)))
            case _:
                continue
    if told:
        saved = await store_save.save_clients(tx, [each for _, each in told])
        for item, (tenant, _, _) in told:
            if tenant not in saved:
                batch.count(item, Fate.SUPERSEDED)

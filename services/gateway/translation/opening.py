"""Translating sealed bodies: keys are fetched before the transaction, then each body is opened alone."""

from collections.abc import Sequence
from typing import Final

from chassis.batch import Record
from chassis.portions import Portions, TooMuch
from contracts.raw import RawDelivery
from services.gateway.keys.bodies import Bodies, Unopened
from services.gateway.vendors.translation import Translate, Translation

EVENTS_AT_ONCE: Final = 5_000
"""About so many events are held in memory at once, about 5 KB each, however many a delivery has."""


class Opening:
    """Opens the bodies of one consumer's batches for an adapter, which sees them in clear and alone."""

    def __init__(self, bodies: Bodies, translate: Translate, *, events_at_once: int = EVENTS_AT_ONCE) -> None:
        """Translate what opens with `translate`; a batch has about `events_at_once`."""
        self._bodies = bodies
        self._translate = translate
        self._portions = Portions(events_at_once)
        self._records, self._opened, self._events = 0, 0, 0

    async def prepare(self, records: Sequence[Record]) -> None:
        """Fetch what these records need to be opened.

        Raises:
            MayWorkLater: it cannot be had now: the records wait for it.
            TooManyLarge, TooMuch: halve the batch.
        """
        self._portions.check(len(records))
        self._records, self._opened, self._events = len(records), 0, 0
        await self._bodies.load([list(each.headers) for each in records])

    def translated(self, delivery: RawDelivery) -> Translation:
        """Return what a delivery says; one that never opens is a problem, and its sender's only if it was changed.

        Raises:
            KeyUnavailable: its key was not prepared.
            TooMuch: the batch holds far more than those before it: halve it.
        """
        opened = self._bodies.open(delivery)
        if isinstance(opened, Unopened):
            return Translation(problems=(opened.reason,), is_senders_fault=not opened.is_destroyed)
        return self._counted(self._translate(opened))

    def _counted(self, found: Translation) -> Translation:
        held = len(found.said) + len(found.tickets) + len(found.exposures)
        self._opened += 1
        self._events += held
        self._portions.learn(1, held)
        if self._events > 2 * self._portions.most and self._opened < self._records:
            self._portions.learn(self._opened, self._events)
            raise TooMuch(f"{self._events} events in {self._opened} of {self._records} deliveries")
        return found

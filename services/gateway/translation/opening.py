"""Translating sealed bodies: keys are fetched before the transaction, then each body is opened alone."""

from collections.abc import Sequence

from chassis.batch import Record
from contracts.raw import RawDelivery
from services.gateway.keys.bodies import Bodies, Unopened
from services.gateway.vendors.translation import Translate, Translation


class Opening:
    """Opens the bodies of one consumer's batches for an adapter, which sees them in clear and alone."""

    def __init__(self, bodies: Bodies, translate: Translate) -> None:
        """Translate what opens with `translate`."""
        self._bodies = bodies
        self._translate = translate

    async def prepare(self, records: Sequence[Record]) -> None:
        """Fetch what these records need to be opened.

        Raises:
            MayWorkLater: it cannot be had now: the records wait for it.
            TooManyLarge: halve the batch.
        """
        await self._bodies.load([list(each.headers) for each in records])

    def translated(self, delivery: RawDelivery) -> Translation:
        """Return what a delivery says; one that never opens is a problem, and its sender's only if it was changed.

        Raises:
            KeyUnavailable: its key was not prepared.
        """
        opened = self._bodies.open(delivery)
        if isinstance(opened, Unopened):
            return Translation(problems=(opened.reason,), is_senders_fault=not opened.is_destroyed)
        return self._translate(opened)

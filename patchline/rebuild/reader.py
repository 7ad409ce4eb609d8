"""From raw records to what they say today: bodies opened, translated by the adapters of this release."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from chassis.batch import Record
from contracts.envelope import Envelope
from contracts.errors import UndecodableEvent
from contracts.order import effective_at
from contracts.raw import RawDelivery, delivery_of
from contracts.topics import Lane
from patchline.rebuild.rules import Counts
from services.gateway.keys.bodies import Bodies, Unopened
from services.gateway.translation import rules_translate
from services.gateway.translation.rules_translate import Told
from services.gateway.vendors.translation import Translation

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Lost:
    """What raw records tell no more: deliveries that never open again, and everything before the begin of a log."""

    raw_ids: set[UUID] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    expired_before: datetime = EPOCH


class RawReader:
    """Reads raw records as `translate` does, and remembers nothing in the database."""

    def __init__(self, bodies: Bodies, translate: Callable[[RawDelivery], Translation], counts: Counts) -> None:
        """Open with `bodies`, translate with `translate`, count in `counts`."""
        self._bodies = bodies
        self._translate = translate
        self._counts = counts
        self.lost = Lost()

    async def told(self, records: Sequence[Record]) -> list[Envelope]:
        """Return every event that these records say, in order. What never opens is counted, and remembered as lost.

        Raises:
            MayWorkLater: a key or a large body cannot be had now.
        """
        self._counts.raw_records += len(records)
        result: list[Envelope] = []
        deliveries = self._decoded(records)
        for sealed, opened in zip(deliveries, await self._bodies.opened(deliveries), strict=True):
            match opened:
                case RawDelivery():
                    result += _told(opened, self._translate(opened))
                case Unopened():
                    self._counts.unreadable += 1
                    self.lost.raw_ids.add(sealed.raw_id)
                    self.lost.sources.add(sealed.source)
        return result

    def _decoded(self, records: Sequence[Record]) -> list[RawDelivery]:
        deliveries: list[RawDelivery] = []
        for record in records:
            try:
                deliveries.append(delivery_of(record.headers, record.value))
            except UndecodableEvent:
                self._counts.undecodable += 1
        return deliveries


def _told(delivery: RawDelivery, translation: Translation) -> list[Envelope]:
    """Return the events of one delivery, nobody's yet, each caused by the delivery."""
    told = [Told(0, delivery, said, effective_at(said.time, delivery.received)) for said in translation.said]
    return [rules_translate.envelope(each, None, Lane.BULK) for each in told]

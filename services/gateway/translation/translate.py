"""Batches of deliveries become events: load, decide, save, in the transaction that advances the watermark."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from chassis import outbox
from chassis.batch import REPLAY_GROUP, Batch
from chassis.postgres import Connection
from chassis.telemetry import METERS, Count
from contracts.envelope import Envelope
from contracts.events.rmm import PatchInstallFailed
from contracts.raw import RawDelivery
from contracts.topics import RMM_EVENTS_BY_LANE, Lane
from services.gateway import rules_lanes
from services.gateway.translation import rules_refused, store_parked, store_refused, store_translate
from services.gateway.translation import rules_translate as rules
from services.gateway.translation.rules_translate import Fate, Item, Outcome, Told, Unowned
from services.gateway.vendors.translation import Translation, Unsaid

log = logging.getLogger(__name__)


class Translate:
    """Handles batches of one lane: of `rmm.raw`, or of `rmm.raw.bulk`."""

    def __init__(self, translate: Callable[[RawDelivery], Translation], lane: Lane = Lane.LIVE) -> None:
        """Translate with `translate`, which never raises; what is published stays in `lane`, but for storms."""
        self._translate = translate
        self._lane = lane
        self._failures_paid_at: dict[UUID, float] = {}

    async def on_batch(self, tx: Connection, batch: Batch[RawDelivery]) -> None:
        """Publish what is new and owned, park what is owned by none or by two, refuse what cannot be understood."""
        health = await store_translate.health(tx, {delivery.source for delivery in batch.values})
        reading = rules.read(batch.values, health, self._translate)
        said = rules.items(reading.reads)
        fresh = rules.firsts(said, await store_translate.claim(tx, said, batch.recorded_at))
        fates = await self._dispatch(tx, fresh, batch.recorded_at)
        by_delivery = _by_delivery(said, fates, len(reading.reads))
        again = {place for place, item in enumerate(batch.items) if REPLAY_GROUP in dict(item.record.headers)}
        refused = rules_refused.refused(reading.reads, again)
        new = await store_refused.remember(tx, refused.values(), batch.recorded_at)
        copies = rules_refused.copies(refused, new)
        outcomes = [
            Outcome.DUPLICATE if place in copies else rules.outcome(each, own)
            for place, (each, own) in enumerate(zip(reading.reads, by_delivery, strict=True))
        ]
        _refuse(batch, reading.reads, copies)
        await store_translate.add_flow(tx, rules.tallies(reading.reads, outcomes, by_delivery, again))
        if reading.outcomes:
            await self._judge(tx, reading, batch.recorded_at)
        _meter(reading.reads, outcomes)

    async def _dispatch(self, tx: Connection, fresh: Sequence[Item], at: datetime) -> dict[int, Fate]:
        """Publish, park or count each new item, and return what became of it, by its number."""
        events = rules.told(fresh)
        owned, unowned = await self._owned(tx, events)
        for lane, topic in RMM_EVENTS_BY_LANE.items():
            await outbox.enqueue_keyed(tx, topic, [each for each in owned if each[1].lane is lane])
        await store_parked.park(tx, unowned, at, self._lane)
        fates = {each.number: Fate.PUBLISHED for each in events}
        fates |= {each.number: Fate.PARKED for each, _ in unowned}
        return fates | await self._count_codes(tx, fresh)

    async def _count_codes(self, tx: Connection, fresh: Sequence[Item]) -> dict[int, Fate]:
        """Count the codes that no adapter knows, and return what became of all codes."""
        codes = [(item, item.content) for item in fresh if isinstance(item.content, Unsaid)]
        await store_translate.count_codes(tx, [(item, code.code) for item, code in codes if not code.is_known])
        return {item.number: Fate.IGNORED if code.is_known else Fate.UNKNOWN for item, code in codes}

    async def _owned(
        self, tx: Connection, events: Sequence[Told]
    ) -> tuple[list[tuple[str, Envelope]], list[tuple[Told, Unowned]]]:
        """Return the events with a client, each with its record key, and those without."""
        await store_translate.learn(tx, rules.seats_told(events))
        silent = {(each.delivery.source, each.said.event.device) for each in events if not each.said.event.organisation}
        known = await store_translate.seats(tx, silent)
        seated = [(each, rules.seat(each, known)) for each in events]
        organisations = {(each.delivery.source, seat.organisation) for each, seat in seated if seat}
        ownerships = await store_translate.ownerships(tx, organisations)
        owned: list[tuple[str, Envelope]] = []
        unowned: list[tuple[Told, Unowned]] = []
        for each, seat in seated:
            source = each.delivery.source
            if seat is None:
                unowned.append((each, Unowned.NO_ORGANISATION))
                continue
            tenant = rules.tenant_of(ownerships[source, seat.organisation], seat.site, each.effective_at)
            if isinstance(tenant, Unowned):
                unowned.append((each, tenant))
            else:
                owned.append(
                    (f"{source}/{each.said.event.device}", rules.envelope(each, tenant, self._lane_of(each, tenant)))
                )
        return owned, unowned

    def _lane_of(self, each: Told, tenant: UUID) -> Lane:
        """Return how an event travels; by when it was received, so that catching up is no storm."""
        if self._lane is Lane.BULK or not isinstance(each.said.event, PatchInstallFailed):
            return self._lane
        paid_at, now = self._failures_paid_at.get(tenant, 0.0), each.delivery.received.timestamp()
        lane, self._failures_paid_at[tenant] = rules_lanes.turn_of_failure(paid_at, now)
        return lane

    async def _judge(self, tx: Connection, reading: rules.Reading, at: datetime) -> None:
        """Remember how the sources did, and quarantine those that did badly."""
        bad = await store_translate.add_outcomes(tx, reading.outcomes, reading.quarantined)
        reasons = {
            source: f"more than {rules.MOST_BAD} of its last {rules.WINDOW} records were bad; the last: {why}"
            for source, why in reading.why.items()
            if source in bad
        }
        for source in await store_translate.quarantine(tx, reasons, at):
            log.error("source quarantined", extra={"source": source, "reason": reasons[source]})


def _by_delivery(items: Sequence[Item], fates: dict[int, Fate], deliveries: int) -> list[list[Fate]]:
    by_index: defaultdict[int, list[Fate]] = defaultdict(list)
    for item in items:
        by_index[item.index].append(fates.get(item.number, Fate.DUPLICATE))
    return [by_index[index] for index in range(deliveries)]


def _refuse(batch: Batch[RawDelivery], reads: Sequence[rules.Read], copies: AbstractSet[int]) -> None:
    for place, (item, each) in enumerate(zip(batch.items, reads, strict=True)):
        if place in copies:
            continue
        if each.translation is None:
            batch.refuse(item, rules.QUARANTINED_REASON)
        elif each.translation.problems:
            batch.refuse(item, "; ".join(each.translation.problems))


def _meter(reads: Sequence[rules.Read], outcomes: Sequence[Outcome]) -> None:
    counts: defaultdict[tuple[str, Outcome], int] = defaultdict(int)
    for each, outcome in zip(reads, outcomes, strict=True):
        counts[each.delivery.vendor, outcome] += 1
    for (vendor, outcome), amount in counts.items():
        METERS.add(Count.TRANSLATED, amount, vendor=vendor, outcome=outcome.value)
    log.info(
        "translated",
        extra={"deliveries": len(reads), "outcomes": {each.value: outcomes.count(each) for each in Outcome}},
    )

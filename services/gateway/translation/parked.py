"""Releases parked events: looks again and again whether a mapping has come to cover them."""

import asyncio
import contextlib
import logging
import time
from typing import Final
from uuid import UUID

from chassis import outbox
from chassis.errors import BROKEN_DATA, TRANSIENT
from chassis.platform import Platform
from chassis.postgres import Pool, transaction
from contracts.envelope import Envelope
from contracts.events.exposure import ExposureFound
from contracts.topics import EXPOSURES, RMM_EVENTS_BY_LANE, Topic
from services.gateway.rules_lanes import lane_of_released
from services.gateway.translation import rules_translate as rules
from services.gateway.translation import store_parked, store_translate
from services.gateway.translation.rules_exposures import exposure_key

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 30.0
IDLE_SHARE: Final = 20
"""A pass that takes long is followed by a pause of so many times its length: at most a twentieth of one connection."""

PAGE: Final = 500
RELEASED: Final = (*RMM_EVENTS_BY_LANE.values(), EXPOSURES)
"""Where released events go, those that are live first."""


class ReleaseParked:
    """A part of `translate`."""

    name = "release parked"

    def __init__(self, on: Platform) -> None:
        """Release into the outbox of `on`."""
        self._on = on

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until `stopping`; what cannot be reached now is looked at later."""
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            started = time.monotonic()
            try:
                released = await release(self._on.pool)
            except TRANSIENT as error:
                if isinstance(error, BROKEN_DATA):
                    raise
                log.warning("parked events wait", extra={"reason": str(error) or type(error).__name__})
            else:
                if released:
                    self._on.relay.wake()
                    log.info("parked events released", extra={"events": released})
            took = time.monotonic() - started
            pause = min(max(LOOK_EVERY_SECONDS, took * IDLE_SHARE), LONGEST_WAIT_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)


async def release(pool: Pool) -> int:
    """Release every parked event that exactly one client owns by now and return how many; a transaction per page.

    Each goes on in the lane that it came by; of many at once, all but the first in bulk.
    """
    released = 0
    after: int | None = 0
    while after is not None:
        count, after = await _release_page(pool, after, released)
        released += count
    return released


async def _release_page(pool: Pool, after: int, before: int) -> tuple[int, int | None]:
    """Return how many of one page, after `before` others, were released and where the next starts; `None`: nowhere."""
    async with transaction(pool) as tx:
        page = await store_parked.resolvable(tx, after, PAGE)
        if not page:
            return 0, None
        asked = {(each.envelope.source, each.seat.organisation) for each in page}
        ownerships = await store_translate.ownerships(tx, asked)
        owned: list[tuple[store_parked.Parked, UUID]] = []
        for each in page:
            mappings = ownerships[each.envelope.source, each.seat.organisation]
            tenant = rules.tenant_of(mappings, each.seat.site, each.effective_at)
            if isinstance(tenant, UUID):
                owned.append((each, tenant))
        by_topic: dict[Topic, list[tuple[str, Envelope]]] = {topic: [] for topic in RELEASED}
        for number, (each, tenant) in enumerate(owned, start=before):
            topic, key, envelope = _released(each.envelope._replace(tenant=tenant), tenant, number)
            by_topic[topic].append((key, envelope))
        for topic, keyed in by_topic.items():
            await outbox.enqueue_keyed(tx, topic, keyed)
        await store_parked.forget(tx, [each for each, _ in owned])
    return len(owned), page[-1].position


def _released(envelope: Envelope, tenant: UUID, number: int) -> tuple[Topic, str, Envelope]:
    """Return where the `number`-th released event goes, and under which key."""
    if isinstance(envelope.data, ExposureFound):
        return EXPOSURES, exposure_key(tenant, envelope.data), envelope
    lane = lane_of_released(envelope.lane, number)
    return RMM_EVENTS_BY_LANE[lane], f"{envelope.source}/{envelope.subject}", envelope._replace(lane=lane)

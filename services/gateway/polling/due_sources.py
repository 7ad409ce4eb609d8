"""Polls the sources that are due, each under a lease that is renewed meanwhile; what fails is tried again later."""

import asyncio
import contextlib
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID, uuid4

from chassis.errors import TRANSIENT, MayWorkLater, NeverWorks
from chassis.http import Unavailable
from chassis.platform import Platform
from chassis.postgres import transaction
from chassis.telemetry import METERS, Count
from contracts.envelope import Message
from contracts.ids import new_raw_id_text
from contracts.raw import own_headers
from services.gateway.keys.bodies import BodySeal
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.polling import rules_schedule, store_poll
from services.gateway.polling.store_poll import Due

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 1.0
LEASE: Final = timedelta(minutes=2)
"""So long a source waits after the death of who polled it."""

RENEWALS_IN_A_LEASE: Final = 6
POLL_DEADLINE_SECONDS: Final = 3600.0

AT_ONCE: Final = 4
"""Sources polled side by side: one that hangs does not hold up the others."""

REASON_CHARACTERS: Final = 500


class LeaseLost(MayWorkLater):
    """Someone else polls this source by now: nothing of this poll is kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a poll wrote: raw records; webhooks that the vendor says were lost; rows that nobody understood."""

    records: int
    lost_webhooks: int = 0
    unread: int = 0


class DueSources(ABC):
    """The part that polls. What a poll of one source is, says whoever derives from it."""

    name: ClassVar[str]

    def __init__(self, on: Platform, vendors: Sequence[str], *, keys: CurrentKeys, lease: timedelta = LEASE) -> None:
        """Poll sources of `vendors`; seal with `keys`."""
        self._on = on
        self._keys = keys
        self._lease = lease
        self._vendors = vendors
        self._under_way: dict[asyncio.Task[None], UUID] = {}

    @abstractmethod
    async def told(self, due: Due, read_at: datetime) -> Kept:
        """Read one source, and keep and tell what is new in one transaction, which also ends the lease well.

        Raises:
            MayWorkLater, NeverWorks: it could not be read whole.
        """

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll what is due until `stopping`; polls under way are given up then, and nothing of them is kept."""
        every_seconds = self._lease.total_seconds() / RENEWALS_IN_A_LEASE
        renew_at = time.monotonic() + every_seconds
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                self._on.progress.beat(self.name)
                for due in await self._claimed(AT_ONCE - len(self._under_way)):
                    task = tasks.create_task(self.poll(due))
                    self._under_way[task] = due.lease
                    task.add_done_callback(self._under_way.pop)
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + every_seconds
                    await self._hold_until(self._on.clock() + self._lease)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), LOOK_EVERY_SECONDS)
            await self._hold_until(self._on.clock())
            for task in self._under_way:
                task.cancel()

    async def _claimed(self, most: int) -> list[Due]:
        if most <= 0:
            return []
        now = self._on.clock()
        try:
            async with transaction(self._on.pool) as tx:
                return await store_poll.claim(
                    tx, self._vendors, now=now, lease=uuid4(), until=now + self._lease, most=most
                )
        except TRANSIENT as error:
            log.warning("cannot see what is due", extra={"reason": str(error) or type(error).__name__})
            return []

    async def _hold_until(self, until: datetime) -> None:
        """Make the leases of the polls under way end at `until`: later, or now."""
        if not self._under_way:
            return
        try:
            async with transaction(self._on.pool) as tx:
                await store_poll.hold(tx, list(self._under_way.values()), until)
        except TRANSIENT as error:
            log.warning("cannot renew leases", extra={"reason": str(error) or type(error).__name__})

    async def poll(self, due: Due) -> None:
        """Poll one source. What fails half-way keeps nothing and is tried again later."""
        try:
            async with asyncio.timeout(POLL_DEADLINE_SECONDS):
                kept = await self.told(due, self._on.clock())
        except (NeverWorks, *TRANSIENT) as error:
            await self._failed(due, error)
            return
        self._on.relay.wake()
        METERS.add(Count.POLLS, vendor=due.vendor, outcome="ok")
        log.info("polled", extra={"source": due.source, "records": kept.records})
        if kept.lost_webhooks:
            METERS.add(Count.WEBHOOKS_LOST, kept.lost_webhooks, vendor=due.vendor)
            log.warning("webhooks lost", extra={"source": due.source, "webhooks": kept.lost_webhooks})
        if kept.unread:
            log.warning("rows not understood", extra={"source": due.source, "rows": kept.unread})

    async def _seal(self, due: Due) -> BodySeal:
        async with self._on.pool.acquire() as connection:
            return BodySeal(await self._keys.of(connection, due.source), vendor=due.vendor, channel="poll")

    def _messages(self, seal: BodySeal, bodies: Iterator[bytes]) -> Iterator[Message]:
        for body in bodies:
            own = own_headers(new_raw_id_text(), self._on.clock(), delivery=None, traceparent=None)
            record = seal.record(own, body)
            yield Message(key=None, headers=record.headers, value=record.value)

    async def _failed(self, due: Due, error: Exception) -> None:
        failures = due.failures + 1
        now = self._on.clock()
        next_at = rules_schedule.after_failure(
            now,
            due.every,
            failures=failures,
            retry_after_seconds=error.retry_after_seconds if isinstance(error, Unavailable) else None,
            chance=random.random(),  # noqa: S311 - jitter
        )
        reason = str(error) or type(error).__name__
        extra = {"source": due.source, "failures": failures, "reason": reason}
        if rules_schedule.is_silent(failures):
            METERS.add(Count.POLLS, vendor=due.vendor, outcome="silent")
            log.warning("source silent", extra=extra)
        else:
            METERS.add(Count.POLLS, vendor=due.vendor, outcome="failed")
            log.info("poll failed", extra=extra)
        try:
            async with transaction(self._on.pool) as tx:
                await store_poll.fail(tx, due, next_at=next_at, at=now, reason=reason[:REASON_CHARACTERS])
        except TRANSIENT as again:
            log.warning("cannot note a failed poll", extra={"source": due.source, "reason": str(again)})

"""Polls the sources that are due: reads everything, compares, and keeps and tells the difference in one transaction."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from chassis import outbox, points
from chassis.errors import TRANSIENT, MayWorkLater, NeverWorks
from chassis.http import Unavailable
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from chassis.telemetry import METERS, Count
from contracts.envelope import Message
from contracts.ids import new_raw_id_text
from contracts.raw import own_headers
from contracts.topics import RMM_RAW_BY_LANE
from services.gateway import rules_lanes
from services.gateway.keys.bodies import BodySeal
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.polling import rules_poll, rules_schedule, store_poll
from services.gateway.polling.comparisons import BY_VENDOR, Collection
from services.gateway.polling.rules_snapshot import Key
from services.gateway.polling.store_poll import Due

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 1.0
LEASE: Final = timedelta(minutes=2)
"""So long a source waits after the death of who polled it."""

RENEWALS_IN_A_LEASE: Final = 6
POLL_DEADLINE_SECONDS: Final = 3600.0

AT_ONCE: Final = 4
"""Sources polled side by side: one that hangs does not hold up the others."""

DEVICES_AT_ONCE: Final = 500
REASON_CHARACTERS: Final = 500
INSTALLS_WINDOW: Final = timedelta(days=30)
"""How far back install histories are read: an agent that was off for so long still reports what it did."""


class LeaseLost(MayWorkLater):
    """Someone else polls this source by now: nothing of this poll is kept."""


class Reader(Protocol):
    """Reads one source's API."""

    async def read(self, installs_from: datetime) -> Collection:
        """Return everything that the API says, as its vendor's comparison takes it; history from `installs_from` on.

        Raises:
            MayWorkLater, NeverWorks: it could not be read whole.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What a poll wrote: raw records, and how many webhooks the vendor says it could not deliver."""

    records: int
    lost_webhooks: int


class Poll:
    """The one part of this process that matters."""

    name = "poll"

    def __init__(
        self,
        on: Platform,
        vendors: Sequence[str],
        reader_of: Callable[[Due], Awaitable[Reader]],
        *,
        keys: CurrentKeys,
        lease: timedelta = LEASE,
    ) -> None:
        """Poll sources of `vendors`, each through the reader that `reader_of` returns for it; seal with `keys`."""
        self._on = on
        self._keys = keys
        self._lease = lease
        self._vendors = vendors
        self._reader_of = reader_of
        self._under_way: dict[asyncio.Task[None], UUID] = {}

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
        read_at = self._on.clock()
        try:
            async with asyncio.timeout(POLL_DEADLINE_SECONDS):
                reader = await self._reader_of(due)
                collected = await reader.read(midnight(read_at - INSTALLS_WINDOW))
            points.reached("poll after reading")
            kept = await self._keep(due, collected, read_at, await self._seal(due))
        except (NeverWorks, *TRANSIENT) as error:
            await self._failed(due, error)
            return
        self._on.relay.wake()
        METERS.add(Count.POLLS, vendor=due.vendor, outcome="ok")
        log.info("polled", extra={"source": due.source, "records": kept.records})
        if kept.lost_webhooks:
            METERS.add(Count.WEBHOOKS_LOST, kept.lost_webhooks, vendor=due.vendor)
            log.warning("webhooks lost", extra={"source": due.source, "webhooks": kept.lost_webhooks})
        if collected.unread:
            log.warning("rows not understood", extra={"source": due.source, "rows": collected.unread})

    async def _seal(self, due: Due) -> BodySeal:
        async with self._on.pool.acquire() as connection:
            return BodySeal(await self._keys.of(connection, due.source), vendor=due.vendor, channel="poll")

    async def _keep(self, due: Due, collected: Collection, read_at: datetime, seal: BodySeal) -> Kept:
        """Save the snapshots that changed and write what differs as raw records; both or neither."""
        rules = BY_VENDOR[due.vendor]
        async with transaction(self._on.pool) as tx:
            known = await store_poll.known(tx, due.source)
            readings = rules.differing(collected, known)
            first = list(islice(readings, rules_lanes.MOST_DIFFERING_DEVICES + 1))
            lane = rules_lanes.lane_of_poll(is_first=not known, differing_devices=len(first))
            differing = chain(first, readings)
            records = lost = 0
            while chunk := list(islice(differing, DEVICES_AT_ONCE)):
                entries = await self._changed(tx, due, chunk, read_at)
                bodies = rules.records(entries, read_at, rules_poll.LARGEST_RECORD_BYTES)
                lost += rules.lost_webhooks(entries)
                records += await outbox.enqueue_messages(
                    tx, RMM_RAW_BY_LANE[lane].name, list(self._messages(seal, bodies))
                )
            next_at = rules_schedule.after_success(read_at, due.every, random.random())  # noqa: S311 - jitter
            if not await store_poll.succeed(tx, due, next_at=next_at, at=read_at, lost_webhooks=lost):
                raise LeaseLost(f"{due.source}: the lease ended before the poll did")
        points.reached("poll after the commit")
        return Kept(records, lost)

    async def _changed(
        self, tx: Connection, due: Due, chunk: Sequence[tuple[Any, list[Key]]], read_at: datetime
    ) -> list[Any]:
        rules = BY_VENDOR[due.vendor]
        before = await store_poll.snapshots(tx, due.source, [key for _, keys in chunk for key in keys])
        changes = [rules.change(reading, keys, before, read_at) for reading, keys in chunk]
        await store_poll.save(tx, due.source, [each for change in changes for each in change.snapshots], read_at)
        return [entry for change in changes for entry in change.entries]

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


def midnight(at: datetime) -> datetime:
    """Return the start of the day of `at`: a window that moves once a day changes what is in it once a day."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

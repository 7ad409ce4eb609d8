"""Polls devices: reads everything that a source's API says, compares, and tells the difference in one transaction."""

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any, Final, Protocol

from chassis import outbox, points
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts.topics import RMM_RAW_BY_LANE
from services.gateway import rules_lanes
from services.gateway.keys.bodies import BodySeal
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.polling import rules_poll, rules_schedule, store_poll
from services.gateway.polling.comparisons import BY_VENDOR, Collection
from services.gateway.polling.due_sources import LEASE, DueSources, Kept, LeaseLost
from services.gateway.polling.rules_snapshot import Key
from services.gateway.polling.store_poll import Due

DEVICES_AT_ONCE: Final = 500
INSTALLS_WINDOW: Final = timedelta(days=30)
"""How far back install histories are read: an agent that was off for so long still reports what it did."""


class Reader(Protocol):
    """Reads one source's API."""

    async def read(self, installs_from: datetime) -> Collection:
        """Return everything that the API says, as its vendor's comparison takes it; history from `installs_from` on.

        Raises:
            MayWorkLater, NeverWorks: it could not be read whole.
        """
        ...


class Poll(DueSources):
    """Polls the sources that have devices."""

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
        super().__init__(on, vendors, keys=keys, lease=lease)
        self._reader_of = reader_of

    async def told(self, due: Due, read_at: datetime) -> Kept:
        """Read everything, compare, and tell the difference."""
        reader = await self._reader_of(due)
        collected = await reader.read(midnight(read_at - INSTALLS_WINDOW))
        points.reached("poll after reading")
        return await self._keep(due, collected, read_at, await self._seal(due))

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
        return Kept(records, lost, collected.unread)

    async def _changed(
        self, tx: Connection, due: Due, chunk: Sequence[tuple[Any, list[Key]]], read_at: datetime
    ) -> list[Any]:
        rules = BY_VENDOR[due.vendor]
        before = await store_poll.snapshots(tx, due.source, [key for _, keys in chunk for key in keys])
        changes = [rules.change(reading, keys, before, read_at) for reading, keys in chunk]
        await store_poll.save(tx, due.source, [each for change in changes for each in change.snapshots], read_at)
        return [entry for change in changes for entry in change.entries]


def midnight(at: datetime) -> datetime:
    """Return the start of the day of `at`: a window that moves once a day changes what is in it once a day."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

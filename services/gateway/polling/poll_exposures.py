"""Polls feeds of exposed credentials: what is new is redacted before anything durable, then told like any delivery."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from chassis import outbox, points
from chassis.errors import NeverWorks
from chassis.http import Unavailable
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts.ids import new_raw_id_text
from contracts.topics import EXPOSURES_RAW
from services.gateway.exposures import store_quarantine
from services.gateway.exposures.quarantine import Quarantine
from services.gateway.exposures.redaction import Redaction
from services.gateway.exposures.rules_reduce import NotReadable
from services.gateway.exposures.store_quarantine import Quarantined
from services.gateway.keys.bodies import BodySeal
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.polling import rules_exposed, rules_schedule, store_exposures, store_poll
from services.gateway.polling.due_sources import LEASE, DueSources, Kept, LeaseLost
from services.gateway.polling.rules_exposed import Batch, Before, Found
from services.gateway.polling.store_poll import Due

HINTED_AGAIN: Final = timedelta(seconds=1)
"""What was hinted at while a poll was under way is read so soon after it."""

MOST_PROBLEMS: Final = 5
"""So many are told in one line; the rest is counted."""


class NotSetUp(NeverWorks):
    """The gateway has no keys for feeds: nothing of them may be read."""


class NotWhole(Unavailable):
    """Some of a source could not be read; what could is kept and told."""


class Reader(Protocol):
    """Reads one feed's API."""

    async def read(self, before: Before) -> Found:
        """Return what is new.

        Raises:
            MayWorkLater, NeverWorks: nothing could be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FeedKeys:
    """What takes secrets out, and what keeps the unreadable; without either no feed is read."""

    redaction: Redaction | None = None
    quarantine: Quarantine | None = None


@dataclass(slots=True)
class _Redacting:
    """Takes the secrets out of one poll: bodies for the raw topic, and what nobody could read, sealed offline."""

    source: str
    redaction: Redaction
    quarantine: Quarantine
    at: datetime
    bodies: list[bytes] = field(default_factory=list)
    aside: list[Quarantined] = field(default_factory=list)
    unread: int = 0

    async def add(self, batch: Batch) -> None:
        """Take one batch."""
        for feed, body in rules_exposed.bodies(batch):
            try:
                redacted = await self.redaction.redacted_beside(feed, body)
            except NotReadable as error:
                self._set_aside(body, str(error), None)
                continue
            self.bodies += [redacted.body] if redacted.records else []
            if redacted.unread:
                of = redacted.records + redacted.unread
                self._set_aside(body, f"{redacted.unread} of its {of} records cannot be read", redacted.unread)

    def _set_aside(self, body: bytes, reason: str, unread: int | None) -> None:
        self.unread += unread or 1
        one = self.quarantine.sealed(
            raw_id=new_raw_id_text(), source=self.source, body=body, received_at=self.at, reason=reason, unread=unread
        )
        self.aside.append(one)


@dataclass(frozen=True, slots=True)
class _Read:
    """One poll before it is kept."""

    before: Before
    found: Found
    told: _Redacting


class PollExposures(DueSources):
    """Polls the feeds."""

    name = "poll-exposures"

    def __init__(
        self,
        on: Platform,
        vendors: Sequence[str],
        reader_of: Callable[[Due], Awaitable[Reader]],
        *,
        keys: CurrentKeys,
        feed_keys: FeedKeys,
        lease: timedelta = LEASE,
    ) -> None:
        """Poll sources of `vendors`, each through its reader; redact with `feed_keys`, then seal with `keys`."""
        super().__init__(on, vendors, keys=keys, lease=lease)
        self._reader_of = reader_of
        self._feed_keys = feed_keys

    async def told(self, due: Due, read_at: datetime) -> Kept:
        """Read what may be new, take the secrets out, and tell it."""
        redaction, quarantine = self._feed_keys.redaction, self._feed_keys.quarantine
        if redaction is None or quarantine is None:
            raise NotSetUp("no keys: PATCHLINE_FINGERPRINT_KEY_FILE, PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE")
        reader = await self._reader_of(due)
        async with self._on.pool.acquire() as connection:
            before = await store_exposures.before(connection, due, read_at)
        found = await reader.read(before)
        told = _Redacting(due.source, redaction, quarantine, self._on.clock())
        for batch in found.batches:
            await told.add(batch)
        points.reached("poll after reading")
        await self._keep(due, _Read(before, found, told), await self._seal(due))
        if found.problems:
            raise NotWhole(_problems(found.problems), retry_after_seconds=found.retry_after_seconds)
        return Kept(len(told.bodies), unread=told.unread)

    async def _keep(self, due: Due, read: _Read, seal: BodySeal) -> None:
        """Save what was read and write it as raw records; both or neither. A poll that is not whole ends elsewhere."""
        async with transaction(self._on.pool) as tx:
            await store_poll.save(tx, due.source, read.found.snapshots, read.before.read_at)
            await store_exposures.forget_hints(tx, due.source, read.found.read_hints)
            for each in read.told.aside:
                await store_quarantine.add(tx, each)
            messages = list(self._messages(seal, iter(read.told.bodies)))
            await outbox.enqueue_messages(tx, EXPOSURES_RAW.name, messages)
            if not await self._is_ended(tx, due, read.before, read.found):
                raise LeaseLost(f"{due.source}: the lease ended before the poll did")
        points.reached("poll after the commit")

    async def _is_ended(self, tx: Connection, due: Due, before: Before, found: Found) -> bool:
        if found.problems:
            return await store_poll.is_ours(tx, due)
        next_at = rules_schedule.after_success(before.read_at, due.every, random.random())  # noqa: S311 - jitter
        if await store_exposures.has_hints(tx, due.source, before.organisations):
            next_at = self._on.clock() + HINTED_AGAIN
        return await store_poll.succeed(tx, due, next_at=next_at, at=before.read_at)


def _problems(problems: Sequence[str]) -> str:
    told = "; ".join(sorted(problems)[:MOST_PROBLEMS])
    return told if len(problems) <= MOST_PROBLEMS else f"{told}; and {len(problems) - MOST_PROBLEMS} more"

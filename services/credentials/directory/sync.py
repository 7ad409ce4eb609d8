"""Reads each client's directories on their schedule: every account, what kind it is, and how fresh that is.

What a page shows is kept page by page; only a reading that showed everything makes a client's directory fresh, and
says who is gone. A reading that fails leaves what was fresh before to grow old: then nobody is reset.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from chassis import points
from chassis.errors import TRANSIENT, MayWorkLater, NeverWorks
from chassis.http import Unavailable
from chassis.platform import Platform
from chassis.postgres import transaction
from chassis.telemetry import METERS, Count
from chassis.turns import Bucket, calling_for
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Link
from services.credentials.directory import rules_identity, rules_sync, store_directory, store_identity
from services.credentials.directory.store_directory import Due
from services.credentials.guard import store_guard
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Account, Identity

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS: Final = 1.0
LEASE: Final = timedelta(minutes=2)
"""So long a directory waits after the death of who read it."""

RENEWALS_IN_A_LEASE: Final = 6
READING_SECONDS: Final = 3600.0
AT_ONCE: Final = 4
"""Directories read side by side: one that hangs does not hold up the others."""

PAGES_PER_SECOND: Final = 10.0
"""Of one directory, so that a reading never crowds out the people who sign in there."""

REASON_CHARACTERS: Final = 500


class LeaseLost(MayWorkLater):
    """Someone else reads this directory by now: nothing more of this reading is kept."""


class ShowsTooFew(NeverWorks):
    """So many accounts are gone at once that the reading is not believed; a person can say that it is right."""


class Sync:
    """Reads directories that are due."""

    name = "directories"

    def __init__(self, on: Platform, connect: Callable[[Link], Directory], *, lease: timedelta = LEASE) -> None:
        """Share the process's parts; `connect` returns the directory of a link, and is asked for each reading."""
        self._on = on
        self._connect = connect
        self._lease = lease
        self._under_way: dict[asyncio.Task[None], UUID] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Read what is due until `stopping`; a reading under way is given up then, and begun again by the next."""
        every_seconds = self._lease.total_seconds() / RENEWALS_IN_A_LEASE
        renew_at = time.monotonic() + every_seconds
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                self._on.progress.beat(self.name)
                for due in await self.claimed(AT_ONCE - len(self._under_way)):
                    task = tasks.create_task(self.read(due))
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

    async def claimed(self, most: int) -> list[Due]:
        """Lease at most `most` directories that are due; none while the database cannot be asked."""
        if most <= 0:
            return []
        now = self._on.clock()
        try:
            async with transaction(self._on.pool) as tx:
                return await store_directory.claim(tx, now=now, lease=uuid4(), until=now + self._lease, most=most)
        except TRANSIENT as error:
            log.warning("cannot see which directory is due", extra={"reason": _reason(error)})
            return []

    async def _hold_until(self, until: datetime) -> None:
        """Make the leases of the readings under way end at `until`: later, or now."""
        if not self._under_way:
            return
        try:
            async with transaction(self._on.pool) as tx:
                await store_directory.hold(tx, list(self._under_way.values()), until)
        except TRANSIENT as error:
            log.warning("cannot renew leases of directories", extra={"reason": _reason(error)})

    async def read(self, due: Due) -> None:
        """Read one directory. What fails half-way makes nothing fresh and nobody gone, and is tried again later."""
        began_at = self._on.clock()
        try:
            with calling_for(f"directory {due.link.directory}"):
                async with asyncio.timeout(READING_SECONDS), self._connected(due.link) as directory:
                    await self._read_pages(due, directory, began_at)
            points.reached("directory read")
            accounts = await self._finish(due, began_at)
        except (NeverWorks, *TRANSIENT) as error:
            await self._failed(due, error, began_at)
            return
        METERS.add(Count.POLLS, vendor=due.link.kind, outcome="ok")
        log.info("directory read", extra={"directory": due.link.directory, "accounts": accounts})

    @asynccontextmanager
    async def _connected(self, link: Link) -> AsyncIterator[Directory]:
        directory = self._connect(link)
        try:
            yield directory
        finally:
            await directory.close()

    async def _read_pages(self, due: Due, directory: Directory, began_at: datetime) -> None:
        own_id, domains = await directory.own_id(), await directory.domains()
        async with transaction(self._on.pool) as tx:
            if not await store_directory.introduce(tx, due, own_id=own_id, domains=domains):
                raise LeaseLost(f"{due.link.directory}: the lease ended before the reading began")
            policy = (await store_guard.load(tx, [due.link.tenant], now=began_at))[due.link.tenant].policy
        pages = Bucket(PAGES_PER_SECOND, PAGES_PER_SECOND)
        async for page in directory.accounts():
            await self._keep(due, identities(due.link, page, policy, own_id=own_id, read_at=began_at))
            await asyncio.sleep(pages.wait_seconds())
            pages.take()

    async def _keep(self, due: Due, page: Sequence[Identity]) -> None:
        async with transaction(self._on.pool) as tx:
            if not await store_directory.is_ours(tx, due):
                raise LeaseLost(f"{due.link.directory}: the lease ended before the reading did")
            await store_identity.save(tx, page)

    async def _finish(self, due: Due, began_at: datetime) -> int:
        """Say that everything was shown, and who was not; return how many accounts there are."""
        name, now = due.link.directory, self._on.clock()
        async with transaction(self._on.pool) as tx:
            known, seen = await store_identity.counted(tx, name, began_at)
            doubt = rules_sync.doubt(known=known, seen=seen)
            if doubt is not None and not due.fewer_is_right:
                raise ShowsTooFew(f"{doubt} If so: patchline directory sync {name} --fewer-is-right")
            await store_identity.mark_unseen_gone(tx, name, began_at=began_at, at=now)
            next_at = rules_sync.after_success(began_at, due.every, random.random())  # noqa: S311 - jitter
            if not await store_directory.succeed(tx, due, next_at=next_at, began_at=began_at, accounts=seen):
                raise LeaseLost(f"{name}: the lease ended before the reading did")
        return seen

    async def _failed(self, due: Due, error: Exception, began_at: datetime) -> None:
        now, failures, name = self._on.clock(), due.failures + 1, due.link.directory
        next_at = rules_sync.after_failure(
            now,
            due.every,
            failures=failures,
            retry_after_seconds=error.retry_after_seconds if isinstance(error, Unavailable) else None,
            chance=random.random(),  # noqa: S311 - jitter
        )
        METERS.add(Count.POLLS, vendor=due.link.kind, outcome="failed")
        log.warning("directory not read", extra={"directory": name, "failures": failures, "reason": _reason(error)})
        try:
            async with transaction(self._on.pool) as tx:
                await store_directory.fail(tx, due, next_at=next_at, began_at=began_at, at=now, reason=_reason(error))
        except TRANSIENT as again:
            log.warning("cannot note a failed reading", extra={"directory": name, "reason": _reason(again)})


def identities(
    link: Link, accounts: Sequence[Account], policy: GuardPolicy, *, own_id: str | None, read_at: datetime
) -> list[Identity]:
    """Return accounts of one directory, asked for at `read_at`, as we know them from now on."""
    found = [(each, rules_identity.classified(each, policy, own_id)) for each in accounts]
    return [
        Identity(
            tenant=link.tenant,
            directory=link.directory,
            account=account,
            kind=what.kind,
            kind_why=what.why,
            privileged=what.privileged,
            read_at=read_at,
        )
        for account, what in found
    ]


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:REASON_CHARACTERS]

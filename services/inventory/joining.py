"""The automaton: joins assets by itself that have one serial number, where the setting lets it. Careful by design."""

import asyncio
import logging
from typing import Final

from chassis.errors import TRANSIENT, may_work_later
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from services.inventory import merging, rules_identity, store_merges
from services.inventory.merging import Decision, Refusal
from services.inventory.rules_identity import Suggestion

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS: Final = 30.0


async def suggested(tx: Connection) -> list[Suggestion]:
    """Return which visible assets seem to be one machine, and no person said that they are not."""
    candidates = await store_merges.alike(tx)
    asset_ids = [each.asset_id for each in candidates]
    memberships = await store_merges.memberships(tx, asset_ids)
    return rules_identity.suggestions(candidates, memberships, await store_merges.apart(tx, asset_ids))


class Joining:
    """Merges what is suggested, one machine in a transaction of its own, every so many seconds."""

    name = "joining"

    def __init__(self, on: Platform, *, seconds: float) -> None:
        """Look every `seconds`, by the clock of `on`."""
        self._on = on
        self._seconds = seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`; what may work later is tried again."""
        pause_seconds = self._seconds
        while not stopping.is_set():
            self._on.progress.beat(self.name)
            try:
                await self.join()
                pause_seconds = self._seconds
            except TRANSIENT as error:
                if not may_work_later(error):
                    raise
                pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)
                log.warning("joined later", extra={"reason": f"{type(error).__name__}: {error}"})
            await _pause(stopping, pause_seconds)

    async def join(self) -> int:
        """Merge what is suggested now, and return how many machines that made one."""
        async with transaction(self._on.pool) as tx:
            found = await suggested(tx)
        count = 0
        for each in found:
            decision = Decision(
                who="inventory",
                why=f"one serial number, {each.assets[0].serial}, on one device of each source",
                at=self._on.clock(),
                by_hand=False,
                serial=each.serial,
            )
            async with transaction(self._on.pool) as tx:
                done = await merging.merge(tx, [one.asset_id for one in each.assets], decision)
            count += not isinstance(done, Refusal)
        if count:
            log.info("assets joined", extra={"machines": count})
            self._on.relay.wake()
        return count


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return

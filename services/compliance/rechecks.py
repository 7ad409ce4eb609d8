"""Assets decided anew because the catalog or a client's zone changed: a few at a time, so that no batch waits long."""

import logging
from typing import Final

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import transaction
from contracts import ids, topics
from services.compliance import store_assets, store_attestations, store_intelligence, store_recheck
from services.compliance.catalog.intelligence import Feed
from services.compliance.evaluation import bench_at, evaluate
from services.compliance.policy import Policy
from services.compliance.rules_cause import SOURCE, Cause, Scope
from services.compliance.rules_told import attested
from services.compliance.store_catalog import CatalogShelf

log = logging.getLogger(__name__)

MOST: Final = 200


class Rechecks:
    """Notices a loaded catalog, and works through the assets that are to be decided anew."""

    def __init__(self, on: Platform, shelf: CatalogShelf, policy: Policy, *, most: int = MOST) -> None:
        """Decide at most `most` assets in one transaction, by the clock of `on`."""
        self._on = on
        self._shelf = shelf
        self._policy = policy
        self._most = most

    async def recheck(self) -> bool:
        """Decide the next few assets anew, and return whether more are waiting."""
        await self._notice_catalog()
        await self._notice_feeds()
        await self._notice_attestations()
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            seen = await store_recheck.peek(tx, self._most)
            if not seen:
                return False
            bench = await bench_at(tx, self._shelf, self._policy, now)
            assets = await store_assets.lock_free(tx, {each.asset_id for each in seen})
            mine = [each for each in seen if each.asset_id in assets]
            scope = Scope()
            for each in mine:
                scope.add_asset(each.asset_id, Cause(each.cause_at, each.cause_at, each.cause_id))
            after = await evaluate(tx, assets, scope, bench)
            await store_recheck.done(tx, mine)
            await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, after.events)
        self._on.relay.wake()
        return bool(mine)

    async def _notice_catalog(self) -> None:
        """Let every asset be decided anew once for each version that was loaded."""
        async with transaction(self._on.pool) as tx:
            loaded = await store_recheck.newly_loaded(tx)
            if loaded is None:
                return
            cause = ids.event_id_of_fields(SOURCE, "catalog.loaded", loaded.loaded_at, loaded.digest)
            await store_recheck.of_all(tx, cause, loaded.loaded_at)
        log.info("catalog loaded", extra={"version": loaded.version})

    async def _notice_feeds(self) -> None:
        """Let the assets be decided anew whose vulnerabilities a newly loaded version tells otherwise."""
        async with transaction(self._on.pool) as tx:
            told = await store_intelligence.newly_told(tx, Feed)
            if told is None:
                return
            applied, newest, loaded_at = told
            concerned = await store_intelligence.concerned(tx, Feed, applied)
            cause = ids.event_id_of_fields(SOURCE, "feeds.loaded", loaded_at, str(newest))
            await store_intelligence.recheck(tx, concerned, cause, loaded_at)
        log.info("feeds loaded", extra={"version": newest, "requirements": len(concerned)})

    async def _notice_attestations(self) -> None:
        """Tell what people attested, and let the machines be decided anew; the word is kept as an event, too."""
        async with transaction(self._on.pool) as tx:
            news = await store_attestations.take_news(tx, self._most)
            if not news:
                return
            told = [attested(each.attestation, each.recorded_at) for each in news]
            for event, each in zip(told, news, strict=True):
                await store_recheck.of_assets(tx, [each.attestation.asset_id], event.id, each.recorded_at)
            await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(each.subject, each) for each in told])
            await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, told)
        self._on.relay.wake()

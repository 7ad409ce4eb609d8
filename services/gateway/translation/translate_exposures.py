"""Batches of what exposure feeds delivered become exposures of clients: as with devices, by the login's domain."""

from collections.abc import Sequence
from datetime import datetime

from chassis import outbox
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.topics import EXPOSURES
from services.gateway.translation import rules_exposures, store_hints, store_parked, store_translate
from services.gateway.translation import rules_translate as rules
from services.gateway.translation.rules_translate import Fate, Item, Unowned
from services.gateway.translation.store_parked import Unclaimed
from services.gateway.translation.translate import Translate
from services.gateway.vendors.translation import Hinted


class TranslateExposures(Translate):
    """Handles batches of `exposures.raw`."""

    async def _dispatch(self, tx: Connection, fresh: Sequence[Item], at: datetime) -> dict[int, Fate]:
        """Publish, park or count each new item, and return what became of it, by its number."""
        published, parked, fates = await self._of_clients(tx, fresh)
        hints = [(item, item.content) for item in fresh if isinstance(item.content, Hinted)]
        await outbox.enqueue_keyed(tx, EXPOSURES, published)
        await store_parked.park_all(tx, parked, at)
        await store_hints.hint(tx, hints)
        fates |= {item.number: Fate.IGNORED for item, _ in hints}
        return fates | await self._count_codes(tx, fresh)

    async def _of_clients(
        self, tx: Connection, fresh: Sequence[Item]
    ) -> tuple[list[tuple[str, Envelope]], list[Unclaimed], dict[int, Fate]]:
        """Return what is published, under its record key, what waits for a client, and what became of each item."""
        answers = {item.number: keyed for item in fresh if (keyed := rules_exposures.approval(item)) is not None}
        found = [each for item in fresh if (each := rules_exposures.exposed(item)) is not None]
        asked = {(each.item.delivery.source, each.organisation) for each in found}
        ownerships = await store_translate.ownerships(tx, asked)
        published, parked = list(answers.values()), list[Unclaimed]()
        fates = dict.fromkeys(answers, Fate.PUBLISHED)
        for each in found:
            mappings = ownerships[each.item.delivery.source, each.organisation]
            tenant = rules.tenant_of(mappings, None, each.asked_at)
            if isinstance(tenant, Unowned):
                waiting = rules_exposures.envelope(each, None)
                parked.append(Unclaimed(waiting, each.event.login, each.organisation, None, each.asked_at, tenant))
            else:
                key = rules_exposures.exposure_key(tenant, each.event)
                published.append((key, rules_exposures.envelope(each, tenant)))
            fates[each.item.number] = Fate.PARKED if isinstance(tenant, Unowned) else Fate.PUBLISHED
        return published, parked, fates

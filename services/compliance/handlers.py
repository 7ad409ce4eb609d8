"""What compliance does with a batch: keep what was said, fold it under the devices' locks, decide what follows."""

from collections.abc import Sequence

from chassis.batch import Batch
from chassis.postgres import Connection
from contracts.envelope import Envelope
from services.compliance import store_assets, store_facts, store_recheck
from services.compliance.folding import Folding
from services.compliance.news import ClientNews, FactNews, Unusable, news
from services.compliance.policy import Policy
from services.compliance.rules_assets import AssetNews
from services.compliance.rules_known import Bench
from services.compliance.rules_rounds import rounds
from services.compliance.store_catalog import CatalogShelf
from services.compliance.store_facts import Line


class ComplianceEvents:
    """Folds what RMMs, inventory and clients' records say into obligations."""

    def __init__(self, shelf: CatalogShelf, policy: Policy) -> None:
        """Judge by the catalog on `shelf` and by `policy`."""
        self._shelf = shelf
        self._policy = policy

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Keep, fold, decide, save and tell."""
        lines, assets, clients = _sorted_out(batch)
        bench = Bench(catalog=await self._shelf.newest(tx), policy=self._policy, now=batch.recorded_at)
        if clients:
            await _keep_clients(tx, clients)
        facts = [line.fact for line in await store_facts.append(tx, lines, batch.recorded_at)] if lines else []
        for number, each in enumerate(rounds(facts)):
            news = assets if number == 0 else []
            if each or news:
                await Folding(tx, bench).fold(each, news)


def _sorted_out(batch: Batch[Envelope]) -> tuple[list[Line], list[AssetNews], list[ClientNews]]:
    """Return what the batch says, sorted by what it is about; what never works is refused."""
    lines: list[Line] = []
    assets: list[AssetNews] = []
    clients: list[ClientNews] = []
    for item in batch.items:
        match news(item.value):
            case FactNews() as fact:
                lines.append(Line(fact, (item.record.value or b"{}").decode()))
            case AssetNews() as asset:
                assets.append(asset)
            case ClientNews() as client:
                clients.append(client)
            case Unusable(reason):
                batch.refuse(item, reason)
            case None:
                continue
    return lines, assets, clients


async def _keep_clients(tx: Connection, clients: Sequence[ClientNews]) -> None:
    """Keep the newest records; a client whose record changed has its deadlines decided anew, a few at a time."""
    saved = await store_assets.save_clients(tx, clients)
    for each in clients:
        if each.tenant_id in saved:
            await store_recheck.of_tenants(tx, [each.tenant_id], each.event.id, each.event.time)

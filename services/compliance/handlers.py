"""What compliance does with a batch: keep what was said, fold it under the devices' locks, decide what follows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from chassis.batch import Batch, Fate, Received, Record
from chassis.portions import Portions
from chassis.postgres import Connection
from contracts import topics
from contracts.envelope import Envelope
from services.compliance import store_assets, store_facts, store_recheck
from services.compliance.evaluation import bench_at
from services.compliance.exceptions import people
from services.compliance.exceptions.news import OwnerNews, PeopleNews, RevokedOwner, TicketNews
from services.compliance.folding import Folding
from services.compliance.monitors.news import RebootNews
from services.compliance.monitors.watching import Watching
from services.compliance.news import ClientNews, FactNews, Unusable, news
from services.compliance.policy import Policy
from services.compliance.rules_assets import AssetNews
from services.compliance.rules_rounds import rounds
from services.compliance.store_catalog import CatalogShelf
from services.compliance.store_facts import Line

JUDGED_AT_ONCE: Final = 5_000
"""About so many obligations and patches share a transaction: a scan decides all of its machine."""


class ComplianceEvents:
    """Folds what RMMs, inventory and clients' records say into obligations."""

    def __init__(self, shelf: CatalogShelf, policy: Policy) -> None:
        """Judge by the catalog on `shelf` and by `policy`."""
        self._shelf = shelf
        self._policy = policy
        self._watching = Watching()
        self._portions = Portions(JUDGED_AT_ONCE)

    async def prepare(self, records: Sequence[Record]) -> None:
        """Look whether these records go into one transaction.

        Raises:
            TooMuch: halve them: for those before it much was looked at and decided.
        """
        self._portions.check(len(records))

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Keep, fold, decide, save and tell."""
        said = _sorted_out(batch)
        bench = await bench_at(tx, self._shelf, self._policy, batch.recorded_at)
        if said.clients:
            await _keep_clients(tx, batch, said.clients)
        if said.people:
            await people.keep(tx, said.people)
        fresh = await store_facts.append(tx, [line for _, line in said.lines], batch.recorded_at) if said.lines else []
        facts = [line.fact for line in fresh]
        folding = Folding(tx, bench)
        of_assets = [told for _, told in said.assets]
        for number, each in enumerate(rounds(facts)):
            news = of_assets if number == 0 else []
            if each or news:
                await folding.fold(each, news)
        await self._watching.heard(tx, batch, said.words, facts, assets=of_assets, watched=bench.own.keys())
        _count(batch, said, {id(line) for line in fresh}, folding.fates)
        batch.count_published(topics.COMPLIANCE_EVENTS.name, folding.published)
        self._portions.learn(len(batch.items), folding.judged)


@dataclass(slots=True)
class _Said:
    """What a batch says, sorted by what it is about, each with the record that said it."""

    lines: list[tuple[Received[Envelope], Line]] = field(default_factory=list)
    assets: list[tuple[Received[Envelope], AssetNews]] = field(default_factory=list)
    clients: list[tuple[Received[Envelope], ClientNews]] = field(default_factory=list)
    people: list[PeopleNews] = field(default_factory=list)
    words: list[tuple[Received[Envelope], RebootNews]] = field(default_factory=list)


def _sorted_out(batch: Batch[Envelope]) -> _Said:
    """Return what the batch says; what never works is refused."""
    said = _Said()
    for item in batch.items:
        match news(item.value):
            case FactNews() as fact:
                said.lines.append((item, Line(fact, (item.record.value or b"{}").decode())))
            case AssetNews() as asset:
                said.assets.append((item, asset))
            case ClientNews() as client:
                said.clients.append((item, client))
            case OwnerNews() | RevokedOwner() | TicketNews() as person:
                said.people.append(person)
            case RebootNews() as word:
                said.words.append((item, word))
            case Unusable(reason):
                batch.refuse(item, reason)
            case None:
                batch.count(item, Fate.IGNORED)
    return said


def _count(batch: Batch[Envelope], said: _Said, fresh: Collection[int], fates: Mapping[UUID, Fate]) -> None:
    """Say what became of facts and of inventory's records, where it is not that they were applied."""
    for item, line in said.lines:
        if id(line) not in fresh:
            batch.count(item, Fate.DUPLICATE)
        elif item.value.id in fates:
            batch.count(item, fates[item.value.id])
    for item, _ in said.assets:
        if item.value.id in fates:
            batch.count(item, fates[item.value.id])


async def _keep_clients(
    tx: Connection, batch: Batch[Envelope], clients: Sequence[tuple[Received[Envelope], ClientNews]]
) -> None:
    """Keep the newest records; a client whose record changed has its deadlines decided anew, a few at a time."""
    saved = await store_assets.save_clients(tx, [each for _, each in clients])
    for item, each in clients:
        if each.tenant_id in saved:
            await store_recheck.of_tenants(tx, [each.tenant_id], each.event.id, each.event.time)
        else:
            batch.count(item, Fate.SUPERSEDED)

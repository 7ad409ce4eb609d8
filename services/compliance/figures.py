"""Publishes the figures of cells whose obligations changed: about once a second, however many changed."""

from datetime import datetime

from chassis import outbox
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids, topics
from contracts.envelope import Envelope
from contracts.events.obligation import FigurePublished
from services.compliance import store_figures
from services.compliance.evaluation import bench_at
from services.compliance.policy import Policy
from services.compliance.rules_cause import SOURCE
from services.compliance.rules_figures import FORMULA, Figure
from services.compliance.rules_known import Bench
from services.compliance.store_catalog import CatalogShelf
from services.compliance.zones import TZDATA


class Figures:
    """Counts touched cells and publishes those whose counts are others than before."""

    def __init__(self, on: Platform, shelf: CatalogShelf, policy: Policy) -> None:
        """Publish by the clock of `on`, with the versions that the counts were made with."""
        self._on = on
        self._shelf = shelf
        self._policy = policy

    async def publish(self) -> bool:
        """Publish what changed since the last time. There is never more at once."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            cells = await store_figures.take_touched(tx)
            if cells:
                before = await store_figures.published(tx, cells)
                counted = await store_figures.count(tx, cells)
                changed = [each for each in counted if before.get(each.cell) != (dict(each.counts), each.attested)]
                await self._publish(tx, changed, now)
        if cells:
            self._on.relay.wake()
        return False

    async def _publish(self, tx: Connection, changed: list[Figure], now: datetime) -> None:
        bench = await bench_at(tx, self._shelf, self._policy, now)
        await store_figures.save(tx, changed, now)
        told = [(each.cell.key, _published(each, bench)) for each in changed]
        await outbox.enqueue_sequenced(tx, topics.FIGURES, told)


def _published(figure: Figure, bench: Bench) -> Envelope:
    cell, now = figure.cell, bench.now
    return Envelope(
        id=ids.event_id_of_fields(SOURCE, FigurePublished.TYPE, now, cell.key),
        source=SOURCE,
        subject=cell.key,
        time=now,
        received=now,
        tenant=cell.tenant_id,
        data=FigurePublished(
            formula=FORMULA,
            os_family=cell.os_family,
            tier=cell.tier,
            severity=cell.severity,
            as_of=now,
            as_known=now,
            population=figure.population,
            counts=dict(figure.counts),
            percent=None if figure.percent is None else float(figure.percent),
            policy=bench.policy_of(cell.tenant_id).id,
            catalog=bench.catalog.label,
            tzdata=TZDATA,
            attested=figure.attested or None,
        ),
    )

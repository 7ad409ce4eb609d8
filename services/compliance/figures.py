"""Publishes the figures of cells whose obligations changed: about once a second, however many there are."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

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
from services.compliance.rules_figures import FORMULA, Cell, Figure, drifted, is_other, is_possible, summed
from services.compliance.rules_known import Bench
from services.compliance.store_catalog import CatalogShelf
from services.compliance.zones import TZDATA

log = logging.getLogger(__name__)

COUNTED_EVERY: Final = timedelta(hours=1)
"""So often each cell is counted whole, whatever its sums say."""


class Figures:
    """Sums what changed, and publishes the cells whose counts are others than before."""

    def __init__(self, on: Platform, shelf: CatalogShelf, policy: Policy) -> None:
        """Publish by the clock of `on`, with the versions that the counts were made with."""
        self._on = on
        self._shelf = shelf
        self._policy = policy

    async def publish(self) -> bool:
        """Publish what changed since the last time. There is never more at once."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            taken = await store_figures.take(tx, counted_before=now - COUNTED_EVERY)
            if taken is None or not (cells := taken.cells):
                return False
            before = await store_figures.published(tx, cells)
            figures = [summed(cell, before.get(cell), taken) for cell in cells]
            changed = [each for each in figures if is_possible(each) and is_other(each, before.get(each.cell))]
            if changed:
                await self._publish(tx, changed, now)
            if taken.whole:
                await store_figures.note_counted(tx, taken.whole, now)
            impossible = [each.cell for each in figures if not is_possible(each)]
            await _count_anew(tx, impossible)
        _complain([*drifted(before, taken), *impossible])
        self._on.relay.wake()
        return False

    async def _publish(self, tx: Connection, changed: list[Figure], now: datetime) -> None:
        bench = await bench_at(tx, self._shelf, self._policy, now)
        await store_figures.save(tx, changed, now)
        told = [(each.cell.key, _published(each, bench)) for each in changed]
        await outbox.enqueue_sequenced(tx, topics.FIGURES, told)


async def _count_anew(tx: Connection, cells: Sequence[Cell]) -> None:
    if cells:
        await store_figures.count_anew(tx, cells)


def _complain(cells: Sequence[Cell]) -> None:
    """Say which sums were wrong: something changed obligations and left no word of it."""
    for cell in cells:
        log.error("a figure was not what its obligations count to; it is counted anew", extra={"cell": cell.key})


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

"""How the compliance process is put together."""

import gc
from typing import Final

from pydantic import Field

from chassis.consumer import BatchConsumer
from chassis.platform import platform
from chassis.running import Stages, run_until_stopped
from chassis.settings import Settings
from contracts import topics
from contracts.envelope import decode
from services.compliance.figures import Figures
from services.compliance.handlers import ComplianceEvents
from services.compliance.loops import Loop
from services.compliance.policy import DEFAULT_1
from services.compliance.rechecks import Rechecks
from services.compliance.store_catalog import CatalogShelf
from services.compliance.timers import Timers
from services.compliance.zones import use_shipped_zones

GROUP: Final = "compliance"

FEWER_COLLECTIONS: Final = (100_000, 20, 20)
"""A batch makes tens of thousands of values and no cycles: at Python's 700 the collector takes a fifth of the time."""


class ComplianceSettings(Settings):
    """What compliance needs beyond what every process needs."""

    batch_records: int = Field(default=1000, ge=1, le=10_000, description="records that share one transaction")
    figure_seconds: float = Field(default=1, gt=0, le=60, description="how often changed figures are published")


async def run(settings: ComplianceSettings) -> None:
    """Run compliance until it is told to stop."""
    use_shipped_zones()
    gc.set_threshold(*FEWER_COLLECTIONS)
    policy = DEFAULT_1
    async with platform(settings, "compliance") as on:
        shelf = CatalogShelf()
        events = BatchConsumer(
            group=GROUP,
            topics=[topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS],
            decode=decode,
            handler=ComplianceEvents(shelf, policy),
            on=on,
            max_records=settings.batch_records,
        )
        timers = Loop("timers", Timers(on, shelf, policy).ring, on.progress, seconds=1)
        rechecks = Loop("rechecks", Rechecks(on, shelf, policy).recheck, on.progress, seconds=1)
        figures = Loop("figures", Figures(on, shelf, policy).publish, on.progress, seconds=settings.figure_seconds)
        stages: Stages = [[events], [timers, rechecks], [figures], [on.relay, on.health]]
        await run_until_stopped(stages, drain_seconds=settings.drain_seconds)

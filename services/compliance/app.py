"""How the compliance process is put together."""

from typing import Final

from pydantic import Field

from chassis.consumer import BatchConsumer
from chassis.lanes import bulk_group
from chassis.platform import Platform, platform
from chassis.running import Part, Stages, run_until_stopped
from chassis.settings import Settings
from contracts import topics
from contracts.envelope import decode
from services.compliance.clocks.loop import Clocks
from services.compliance.exceptions.loop import Exceptions
from services.compliance.figures import Figures
from services.compliance.handlers import ComplianceEvents
from services.compliance.loops import Loop
from services.compliance.monitors.loop import monitors
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policy import DEFAULT_1
from services.compliance.priority.loop import Priorities
from services.compliance.priority.triages import Triages
from services.compliance.rechecks import Rechecks
from services.compliance.store_catalog import CatalogShelf
from services.compliance.timers import Timers
from services.compliance.zones import use_shipped_zones

GROUP: Final = "compliance"

MOMENT_SECONDS: Final = 0.5
"""How often what time alone brings about is looked for: it must be known within a second of its moment."""

REST: Final = 9
"""What reads many rows (figures, priorities) rests so many times as long as it took: at most a tenth of the time."""


class ComplianceSettings(Settings):
    """What compliance needs beyond what every process needs."""

    ways: int = Field(default=2, ge=1, le=8, description="transactions side by side, of partitions apart")
    batch_records: int = Field(default=1000, ge=1, le=10_000, description="records that share one transaction")
    apart_seconds: float = Field(default=0.03, ge=0, le=5, description="between two polls where much comes")
    figure_seconds: float = Field(default=1, gt=0, le=60, description="how often changed figures are published")


async def run(settings: ComplianceSettings) -> None:
    """Run compliance until it is told to stop."""
    use_shipped_zones()
    async with platform(settings, "compliance") as on:
        shelf = CatalogShelf()
        clocks = Clocks(on, shelf.policies)
        await clocks.notice()  # before the first decision: deadlines that newer tz data moves are shown as moved
        by_themselves = settings.lanes.served(_without_events(settings, on, shelf, clocks), [])
        stages: Stages = [consumers(settings, on, shelf), *by_themselves, [on.health]]
        await run_until_stopped(stages, drain_seconds=settings.drain_seconds)


def consumers(settings: ComplianceSettings, on: Platform, shelf: CatalogShelf) -> list[Part]:
    """Return the consumers of the lanes that this process serves. What inventory and clients say has no lane."""
    handler = ComplianceEvents(shelf, DEFAULT_1)
    live = BatchConsumer(
        group=GROUP,
        topics=[topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS, topics.TICKETS, topics.CREDENTIALS_EVENTS],
        decode=decode,
        handler=handler,
        on=on,
        max_records=settings.batch_records * settings.ways,
        ways=settings.ways,
        apart_seconds=settings.apart_seconds,
        prepare=handler.prepare,
    )
    bulk = BatchConsumer(
        group=bulk_group(GROUP),
        topics=[topics.RMM_EVENTS_BULK],
        decode=decode,
        handler=handler,
        on=on,
        prepare=handler.prepare,
    )
    return settings.lanes.served([live], [bulk])


def _without_events(settings: ComplianceSettings, on: Platform, shelf: CatalogShelf, clocks: Clocks) -> Stages:
    """Return what goes on without an event, and the relay: whoever serves live has them."""
    timers = Loop("timers", Timers(on, shelf, DEFAULT_1).ring, on.progress, seconds=MOMENT_SECONDS)
    rechecks = Loop("rechecks", Rechecks(on, shelf, DEFAULT_1).recheck, on.progress, seconds=1)
    calendar = Loop("clocks", clocks.look, on.progress, seconds=1)
    policies = Loop("policies", PolicyNotices(on).notice, on.progress, seconds=1)
    exceptions = Exceptions(on, shelf.policies, DEFAULT_1)
    people = Loop("exceptions", exceptions.look, on.progress, seconds=MOMENT_SECONDS)
    triages = Loop("triages", Triages(on).ring, on.progress, seconds=1)
    priorities = Loop("priorities", Priorities(on, shelf, DEFAULT_1).look, on.progress, seconds=2, rest=REST)
    counting = Figures(on, shelf, DEFAULT_1).publish
    figures = Loop("figures", counting, on.progress, seconds=settings.figure_seconds, rest=REST)
    return [
        [timers, rechecks, calendar, policies, people, triages, priorities, *monitors(on, shelf.policies)],
        [figures],
        [on.relay],
    ]

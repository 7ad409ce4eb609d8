"""How the inventory process is put together."""

from datetime import timedelta

from pydantic import Field

from chassis.consumer import BatchConsumer
from chassis.lanes import bulk_group
from chassis.platform import Platform, platform
from chassis.running import Part, run_until_stopped
from chassis.settings import Settings
from contracts import topics
from contracts.envelope import decode
from services.inventory.handlers import Clients, DeviceEvents
from services.inventory.joining import Joining

GROUP = "inventory"


class InventorySettings(Settings):
    """What inventory needs beyond what every process needs."""

    seen_quiet_seconds: float = Field(
        default=3600, ge=0, description="a device that was only seen again is published at most this often"
    )
    merge_automatically: bool = Field(
        default=False, description="join assets of one client by themselves that have one serial number"
    )
    merge_seconds: float = Field(default=20, gt=0, le=30, description="how often what is to be joined is looked for")
    ways: int = Field(default=2, ge=1, le=8, description="transactions side by side, of partitions apart")
    batch_records: int = Field(default=1000, ge=1, le=10_000, description="records that share one transaction")
    apart_seconds: float = Field(default=0.1, ge=0, le=5, description="between two polls where much comes")


async def run(settings: InventorySettings) -> None:
    """Run inventory until it is told to stop."""
    async with platform(settings, "inventory") as on:
        relays = settings.lanes.served([on.relay], [])
        parts = [*consumers(settings, on), *loops(settings, on)]
        await run_until_stopped([parts, [*relays, on.health]], drain_seconds=settings.drain_seconds)


def loops(settings: InventorySettings, on: Platform) -> list[Part]:
    """Return what runs without an event: the automaton that joins machines, where it is switched on and live."""
    joining = [Joining(on, seconds=settings.merge_seconds)] if settings.merge_automatically else []
    return settings.lanes.served(joining, [])


def consumers(settings: InventorySettings, on: Platform) -> list[Part]:
    """Return the consumers of the lanes that this process serves; clients' records have none: live takes them."""
    handler = DeviceEvents(quiet=timedelta(seconds=settings.seen_quiet_seconds))
    live = BatchConsumer(
        group=GROUP,
        topics=[topics.RMM_EVENTS],
        decode=decode,
        handler=handler,
        on=on,
        max_records=settings.batch_records * settings.ways,
        ways=settings.ways,
        apart_seconds=settings.apart_seconds,
    )
    bulk = BatchConsumer(
        group=bulk_group(GROUP), topics=[topics.RMM_EVENTS_BULK], decode=decode, handler=handler, on=on
    )
    clients = BatchConsumer(group=f"{GROUP}-clients", topics=[topics.CLIENTS], decode=decode, handler=Clients(), on=on)
    return settings.lanes.served([live, clients], [bulk])

"""What the parts of one process share: its pool, its relay, its clock and its progress."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chassis.clock import Clock, moved_clock
from chassis.courtesy import Activity
from chassis.health import HealthServer, Progress
from chassis.lanes import BULK_SHARE
from chassis.postgres import Pool, open_pool
from chassis.relay import Relay
from chassis.settings import Settings


@dataclass(frozen=True, slots=True)
class Platform:
    """One process's shared parts. Add `relay` and `health` to the last stage of what runs."""

    pool: Pool
    kafka: str
    clock: Clock
    progress: Progress
    relay: Relay
    health: HealthServer
    live: Activity = field(default_factory=Activity)
    bulk_share: float = BULK_SHARE
    group_instance: str = ""


@asynccontextmanager
async def platform(settings: Settings, process: str) -> AsyncIterator[Platform]:
    """Yield the shared parts of `process`; the pool is closed when it ends."""
    pool = await open_pool(
        settings.dsn,
        size=settings.pool_size,
        statement_cache_size=settings.statement_cache_size,
        application=f"patchline-{process}",
    )
    progress = Progress()
    try:
        yield Platform(
            pool=pool,
            kafka=settings.kafka,
            clock=moved_clock(settings.clock_offset_seconds),
            progress=progress,
            relay=Relay(dsn=settings.dsn, kafka=settings.kafka, progress=progress),
            health=HealthServer(progress, settings.health_host, settings.health_port),
            bulk_share=settings.bulk_share,
            group_instance=settings.group_instance,
        )
    finally:
        pool.terminate()

"""The process that accepts deliveries: the door, the writer behind it, the sources that it believes."""

import asyncio
import logging
from functools import partial

from chassis.clock import moved_clock
from chassis.errors import WrongSetting
from chassis.health import HealthServer, Progress, serve
from chassis.running import run_to_the_end, run_until_stopped
from chassis.settings import read
from contracts.topics import EXPOSURES_RAW, PSA_RAW, RMM_RAW, RMM_RAW_BULK
from services.gateway.door import approvals
from services.gateway.door.accept import Door
from services.gateway.door.durable import Durable
from services.gateway.door.exposures import ExposureKeys
from services.gateway.door.http_head import BoundedHead
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.last_known import LastKnown
from services.gateway.door.raw_writer import Limits, RawWriter
from services.gateway.door.rules_breaker import Breaker
from services.gateway.door.snapshot_file import SnapshotFile
from services.gateway.door.spool import Spool, SpoolLimits
from services.gateway.door.ways import Ways
from services.gateway.exposures.fingerprint import read_key
from services.gateway.exposures.quarantine import quarantine_of
from services.gateway.exposures.redaction import redaction_of
from services.gateway.keys.safe import Safe, connected, opened_safe
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.rules_lanes import live_rate
from services.gateway.settings import AcceptSettings


class Listening:
    """Serves the door over HTTP. Runs as a part: what is under way when it stops is answered."""

    name = "door"

    def __init__(self, door: Door, *, host: str, port: int) -> None:
        """Serve `door` on `host`:`port`."""
        self._door = door
        self._host = host
        self._port = port

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping`.

        Raises:
            WrongSetting: the port is taken.
        """
        async with asyncio.TaskGroup() as tasks:
            counting = tasks.create_task(self._count())
            await self._serve(stopping)
            counting.cancel()
        self._door.count()

    async def _serve(self, stopping: asyncio.Event) -> None:
        try:
            await serve(self._door, host=self._host, port=self._port, stopping=stopping, protocol=BoundedHead)
        except* OSError as group:
            raise WrongSetting(f"PATCHLINE_ACCEPT_PORT: {group.exceptions[0]}") from group

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._door.count()


async def run(settings: AcceptSettings) -> None:
    """Accept deliveries until SIGTERM."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # ten lines a second while Kafka is away: ours say it once
    async with opened_safe(settings, partial(connected, settings.dsn)) as safe:
        await _accept(settings, safe)


async def _accept(settings: AcceptSettings, safe: Safe) -> None:
    progress = Progress()
    sealing_key = read_sealing_key(settings.sealing_key_file)
    waiting_bytes = settings.accept_waiting_mib * 1024 * 1024
    limits = Limits(settings.accept_budget_seconds, waiting_bytes)
    raw_topics = (RMM_RAW, RMM_RAW_BULK, PSA_RAW, EXPOSURES_RAW)
    writers = [RawWriter(kafka=settings.kafka, topic=topic, progress=progress, limits=limits) for topic in raw_topics]
    spool = Spool(dsn=settings.dsn, progress=progress, limits=SpoolLimits(settings.accept_spool_seconds, waiting_bytes))
    snapshot = settings.accept_snapshot_file
    sources = KnownSources(
        dsn=settings.dsn,
        sealing_key=sealing_key,
        keys=safe.current,
        last_known=LastKnown(SnapshotFile(snapshot, sealing_key) if snapshot else None),
        refresh_seconds=settings.accept_refresh_seconds,
        progress=progress,
    )
    live, bulk, psa, exposures = (Durable(writer=writer, spool=spool, breaker=Breaker()) for writer in writers)
    door = Door(
        sources=sources,
        ways=Ways(live=live, bulk=bulk, psa=psa, exposures=exposures, rate=live_rate(settings.accept_live_rate)),
        large=safe.large,
        clock=moved_clock(settings.clock_offset_seconds),
        trace_ratio=settings.trace_ratio,
        exposure_keys=_exposure_keys(settings),
    )
    listening = Listening(door, host=settings.accept_host, port=settings.accept_port)
    health = HealthServer(progress, settings.health_host, settings.health_port)
    await run_until_stopped(
        [[listening], [*writers], [spool, sources, sources.callback_keys], [health]],
        drain_seconds=settings.drain_seconds,
    )


def _exposure_keys(settings: AcceptSettings) -> ExposureKeys:
    """Return the keys that the settings name.

    Raises:
        WrongSetting: one of their files holds something else.
    """
    links = settings.approval_key_file
    quarantine = quarantine_of(
        settings.dsn, settings.quarantine_public_key_file, fingerprints=settings.fingerprint_key_file
    )
    approval = None if links is None else read_key(links, approvals.SETTING)
    return ExposureKeys(redaction_of(settings.fingerprint_key_file, settings.exposure_fields), quarantine, approval)


def main() -> None:
    """Run this process to its end."""
    settings = read(AcceptSettings)
    run_to_the_end("gateway-accept", settings, lambda: run(settings))

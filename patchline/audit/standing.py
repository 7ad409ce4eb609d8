"""The process that audits all the time: `python -m patchline.audit`. It changes nothing; it tells by its metrics."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from datetime import timedelta

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import Field

from chassis.clock import Clock, moved_clock
from chassis.errors import TRANSIENT
from chassis.health import HealthServer, Progress
from chassis.postgres import COMMAND_TIMEOUT_SECONDS
from chassis.running import run_to_the_end, run_until_stopped
from chassis.settings import Settings, read
from chassis.telemetry import METERS, Level
from patchline.audit.barrier import Audit, Watch
from patchline.logs import opened

log = logging.getLogger(__name__)

PROCESS = "auditor"
Gauge = tuple[str, str, str]
"""Equation, source and group: what one series of the gauge is about."""


class AuditSettings(Settings):
    """What the standing auditor needs beyond what every process needs."""

    audit_seconds: float = Field(default=15, gt=0, le=600, description="how often the counters are looked at")
    audit_hours: int = Field(default=72, ge=1, le=24 * 400, description="how many hours of receipt are looked at")


class StandingAudit:
    """Looks at the counters again and again, and says what is missing."""

    name = "standing audit"

    def __init__(self, settings: AuditSettings, progress: Progress, clock: Clock) -> None:
        """Look at nothing yet."""
        self._settings = settings
        self._progress = progress
        self._clock = clock
        self._told: dict[Gauge, int] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Audit until `stopping`; while a part cannot be reached, wait for it."""
        self._progress.ready[self.name] = False
        while not stopping.is_set():
            try:
                await self._session(stopping)
            except (KafkaError, *TRANSIENT) as error:
                log.warning("the audit waits", extra={"reason": str(error) or type(error).__name__})
                self._progress.beat(self.name)
                await _pause(stopping, min(self._settings.audit_seconds, 5))

    async def _session(self, stopping: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._settings.dsn, command_timeout=COMMAND_TIMEOUT_SECONDS)
        try:
            async with opened(self._settings.kafka) as logs:
                watch = Watch(connection, logs)
                self._progress.ready[self.name] = True  # both answer: how long a look takes is told by its metric
                while not stopping.is_set():
                    self._progress.beat(self.name)
                    hour = self._clock().replace(minute=0, second=0, microsecond=0)
                    self._tell(await watch.look(hour - timedelta(hours=self._settings.audit_hours)))
                    await _pause(stopping, self._settings.audit_seconds)
        finally:
            await connection.close(timeout=2)

    def _tell(self, audit: Audit) -> None:
        """Set the gauges of what was judged; a series that was told once is told again when it is whole."""
        found: Counter[Gauge] = Counter()
        for each in audit.balances:
            if each.missing and each.group in audit.judged:
                found[each.equation, each.source, each.group] += each.missing
        for proof in audit.proofs:
            if proof.missing:
                found["offsets", proof.topic, proof.group] += proof.missing
        judged = {gauge for gauge in self._told if gauge[0] == "offsets" or gauge[2] in audit.judged}
        for gauge in {*found, *judged, *(("events", "", group) for group in audit.judged)}:
            if found[gauge] != self._told.get(gauge):
                (log.error if found[gauge] else log.info)("audit", extra=_words(gauge) | {"missing": found[gauge]})
            METERS.set(Level.AUDIT_GAP, found[gauge], **_words(gauge))
            self._told[gauge] = found[gauge]
        for group in audit.judged:
            METERS.set(Level.AUDIT_LOOKED, time.time(), group=group)  # compared with Prometheus's own clock


def _words(gauge: Gauge) -> dict[str, str]:
    return dict(zip(("equation", "source", "group"), gauge, strict=True))


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


async def run(settings: AuditSettings) -> None:
    """Audit until SIGTERM."""
    progress = Progress()
    audit = StandingAudit(settings, progress, moved_clock(settings.clock_offset_seconds))
    health = HealthServer(progress, settings.health_host, settings.health_port)
    await run_until_stopped([[audit], [health]], drain_seconds=settings.drain_seconds)


def main() -> None:
    """Run this process to its end."""
    settings = read(AuditSettings)
    run_to_the_end(PROCESS, settings, lambda: run(settings))

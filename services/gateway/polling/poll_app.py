"""The process that polls: what webhooks missed is found in the vendors' APIs and written to the raw topic."""

from datetime import timedelta
from typing import Final

from pydantic import Field

from chassis.ahead import PulledBack
from chassis.platform import platform
from chassis.running import Stages, run_to_the_end, run_until_stopped
from chassis.settings import read
from services.gateway import vendors
from services.gateway.exposures.quarantine import quarantine_of
from services.gateway.exposures.redaction import redaction_of
from services.gateway.keys.safe import opened_safe
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.polling import store_ahead
from services.gateway.polling.due_sources import LEASE
from services.gateway.polling.poll import Poll
from services.gateway.polling.poll_exposures import FeedKeys, PollExposures
from services.gateway.polling.readers import FeedReaders, Readers
from services.gateway.polling.rules_collect import ScanMoment
from services.gateway.settings import GatewaySettings, RedactionSettings
from services.gateway.vendors import exposure_feeds

PROCESS: Final = "gateway-poll"


class PollSettings(GatewaySettings, RedactionSettings):
    """What this process needs."""

    ninjaone_scan_moment: ScanMoment = ScanMoment.ROWS_OR_CONTACT
    poll_lease_seconds: float = Field(
        default=LEASE.total_seconds(), ge=3, description="so long a source waits after the death of who polled it"
    )


async def run(settings: PollSettings) -> None:
    """Poll until SIGTERM."""
    sealing_key = read_sealing_key(settings.sealing_key_file)
    readers, feeds = Readers(sealing_key, settings.ninjaone_scan_moment), FeedReaders(sealing_key)
    feed_keys = _feed_keys(settings)
    try:
        async with platform(settings, PROCESS) as on, opened_safe(settings, on.pool.acquire) as safe:
            lease = timedelta(seconds=settings.poll_lease_seconds)
            poll = Poll(on, vendors.POLLED, readers.of, keys=safe.current, lease=lease)
            exposures = PollExposures(
                on, exposure_feeds.POLLED, feeds.of, keys=safe.current, feed_keys=feed_keys, lease=lease
            )
            pulled_back = PulledBack(on, store_ahead.planned(lease))
            stages: Stages = [[poll, exposures, pulled_back], [on.relay, on.health]]
            await run_until_stopped(stages, drain_seconds=settings.drain_seconds)
    finally:
        await readers.close()
        await feeds.close()


def _feed_keys(settings: PollSettings) -> FeedKeys:
    """Return the keys that the settings name.

    Raises:
        WrongSetting: one of their files holds something else.
    """
    fingerprints = settings.fingerprint_key_file
    return FeedKeys(
        redaction_of(fingerprints, settings.exposure_fields),
        quarantine_of(settings.dsn, settings.quarantine_public_key_file, fingerprints=fingerprints),
    )


def main() -> None:
    """Run this process to its end."""
    settings = read(PollSettings)
    run_to_the_end(PROCESS, settings, lambda: run(settings))

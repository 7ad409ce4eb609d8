"""The process that polls: what webhooks missed is found in the vendors' APIs and written to the raw topic."""

from datetime import timedelta
from typing import Final

from pydantic import Field

from chassis.platform import platform
from chassis.running import run_to_the_end, run_until_stopped
from chassis.settings import read
from services.gateway import vendors
from services.gateway.keys.safe import opened_safe
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.polling.poll import LEASE, Poll
from services.gateway.polling.readers import Readers
from services.gateway.polling.rules_collect import ScanMoment
from services.gateway.settings import GatewaySettings

PROCESS: Final = "gateway-poll"


class PollSettings(GatewaySettings):
    """What this process needs."""

    ninjaone_scan_moment: ScanMoment = ScanMoment.ROWS_OR_CONTACT
    poll_lease_seconds: float = Field(
        default=LEASE.total_seconds(), ge=3, description="so long a source waits after the death of who polled it"
    )


async def run(settings: PollSettings) -> None:
    """Poll until SIGTERM."""
    readers = Readers(read_sealing_key(settings.sealing_key_file), settings.ninjaone_scan_moment)
    try:
        async with platform(settings, PROCESS) as on, opened_safe(settings, on.pool.acquire) as safe:
            lease = timedelta(seconds=settings.poll_lease_seconds)
            poll = Poll(on, vendors.POLLED, readers.of, keys=safe.current, lease=lease)
            await run_until_stopped([[poll], [on.relay, on.health]], drain_seconds=settings.drain_seconds)
    finally:
        await readers.close()


def main() -> None:
    """Run this process to its end."""
    settings = read(PollSettings)
    run_to_the_end(PROCESS, settings, lambda: run(settings))

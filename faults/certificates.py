"""The tracker's certificate runs out while tickets are worked on: refused aloud, and believed again once renewed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from faults.between import until_done, waiting
from faults.parts import load
from faults.report import Injured
from faults.rows import Watch
from faults.ways import addressed, all_restarted
from faults.world import World
from patchline.local.certificate import Authority, Certificate, files_in
from patchline.stack.programs import PROGRAMS
from simulators.slow_proxy import LOOPBACK, SlowProxy, slow_proxy

VALID_SECONDS: Final = 6.0
EXPIRED_SECONDS: Final = 8.0
LONG_SECONDS: Final = 60.0
AFTER_SECONDS: Final = 5.0
RENEWED: Final = timedelta(hours=1)
TICKETING: Final = tuple(each for each in PROGRAMS if each.name == "ticketing")
SAID: Final = b'"message": "certificate refused"'


@dataclass(slots=True)
class Renewed:
    """What stands before the tracker and speaks TLS, and what it shows."""

    proxy: SlowProxy
    tls: ssl.SSLContext
    files: Certificate
    authority: Authority

    def show(self, until: datetime) -> None:
        """Show a certificate that ends at `until` to whoever comes from now on."""
        self.authority.issue(self.files, "tracker", LOOPBACK, until=until)
        self.tls.load_cert_chain(self.files.certificate, self.files.key)


async def injure(world: World) -> Sequence[Injured]:
    """Let a certificate run out and be renewed, and judge."""
    desk = await world.desk_at_work()
    seconds = world.size.of(quick=EXPIRED_SECONDS / 2, ordinary=EXPIRED_SECONDS, full=LONG_SECONDS)
    says = world.size.marked(f"the tracker's certificate expired for {seconds:.0f} s")
    async with _tracker_over_tls(world) as shown:
        before, watch = _times_said(world), Watch(world)
        async with load(world, desk, VALID_SECONDS + seconds + AFTER_SECONDS):
            await asyncio.sleep(VALID_SECONDS)
            world.say(says)
            shown.proxy.cut()  # a connection that stands is not asked for its certificate again
            await asyncio.sleep(seconds)
            refused = _times_said(world) - before
            left = await waiting(world)
            shown.show(datetime.now(UTC) + RENEWED)
            recovered = await until_done(world, left)
        return [await watch.row(says, injected=refused, recovered=recovered)]


@asynccontextmanager
async def _tracker_over_tls(world: World) -> AsyncIterator[Renewed]:
    """Let ticketing reach the tracker over TLS alone; its certificate ends soon."""
    url = world.stack.around.tracker_url
    upstream = urlsplit(url).port or 80
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with slow_proxy(upstream, tls=tls) as proxy:
        proxy.put = addressed(proxy.port, upstream)
        shown = Renewed(proxy, tls, files_in(world.stack.home / "tracker-tls"), Authority("tracker"))
        shown.show(datetime.now(UTC) + RENEWED)
        over = {"PATCHLINE_TRACKER_URL": f"https://{LOOPBACK}:{proxy.port}/"}
        told = {"PATCHLINE_TRACKER_ORIGIN": url.rstrip("/"), "SSL_CERT_FILE": str(shown.files.authority)}
        world.stack.lead(extra=over | told)
        try:
            await all_restarted(world, TICKETING)
            shown.show(datetime.now(UTC) + timedelta(seconds=VALID_SECONDS))
            yield shown
        finally:
            shown.show(datetime.now(UTC) + RENEWED)
            world.stack.lead()
            await all_restarted(world, TICKETING)


def _times_said(world: World) -> int:
    return (world.stack.home / "logs" / "ticketing.log").read_bytes().count(SAID)

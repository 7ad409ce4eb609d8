"""One reader per polled source, kept from poll to poll with its token and its breaker, made anew when it changes."""

from dataclasses import dataclass
from datetime import datetime

from chassis.errors import NeverWorks
from services.gateway.adapters.datto_api import DattoApi
from services.gateway.adapters.graph_api import GraphApi
from services.gateway.adapters.hibp_api import HibpApi
from services.gateway.adapters.ninjaone_api import NinjaOneApi
from services.gateway.keys.sealing import Purpose, SealingKey, opened
from services.gateway.polling.rules_collect import Collected, ScanMoment
from services.gateway.polling.rules_datto import DattoCollected
from services.gateway.polling.store_poll import Due


@dataclass(frozen=True, slots=True)
class NinjaOneReader:
    """Reads one NinjaOne instance."""

    api: NinjaOneApi
    scan_moment: ScanMoment

    async def read(self, installs_from: datetime) -> Collected:
        """Return everything that matters to us, attempts not older than `installs_from`.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: something could not be read whole.
        """
        return await self.api.read(installs_from, self.scan_moment)


@dataclass(frozen=True, slots=True)
class DattoReader:
    """Reads one Datto RMM account."""

    api: DattoApi

    async def read(self, installs_from: datetime) -> DattoCollected:
        """Return everything that matters to us, resolved alerts not older than `installs_from`.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: something could not be read whole.
        """
        return await self.api.read(installs_from)


AnyReader = NinjaOneReader | DattoReader
AnyFeed = HibpApi | GraphApi


class FeedReaders:
    """The readers of feeds of this process. Close them at the end."""

    def __init__(self, sealing_key: SealingKey) -> None:
        """Open sealed secrets with `sealing_key`."""
        self._sealing_key = sealing_key
        self._kept: dict[str, tuple[tuple[str, str, bytes], AnyFeed]] = {}

    async def of(self, due: Due) -> AnyFeed:
        """Return the reader of a feed; its secret is in clear only inside.

        Raises:
            SealBroken, WrongSetting: its secret does not open, or its address may not be called.
            NeverWorks: it has no reader.
        """
        access = (due.api_url, due.client_id, due.sealed_client_secret)
        kept = self._kept.get(due.source)
        if kept is not None and kept[0] == access:
            return kept[1]
        secret = _secret(self._sealing_key, due)
        match due.vendor:
            case "hibp":
                feed: AnyFeed = HibpApi(url=due.api_url, api_key=secret)
            case "graph":
                feed = GraphApi(url=due.api_url, client_id=due.client_id, client_secret=secret)
            case _:
                raise NeverWorks(f"{due.vendor}: has no poller")
        if kept is not None:
            await kept[1].close()
        self._kept[due.source] = (access, feed)
        return feed

    async def close(self) -> None:
        """Close all connections."""
        for _, feed in self._kept.values():
            await feed.close()


def _secret(sealing_key: SealingKey, due: Due) -> str:
    return opened(sealing_key, due.sealed_client_secret, source_id=due.source, purpose=Purpose.API).decode()


class Readers:
    """The readers of this process. Close them at the end."""

    def __init__(self, sealing_key: SealingKey, scan_moment: ScanMoment) -> None:
        """Open sealed secrets with `sealing_key`."""
        self._sealing_key = sealing_key
        self._scan_moment = scan_moment
        self._kept: dict[str, tuple[tuple[str, str, bytes], AnyReader]] = {}

    async def of(self, due: Due) -> AnyReader:
        """Return the reader of a source; its secret is in clear only inside.

        Raises:
            SealBroken, WrongSetting: its secret does not open, or its address may not be called.
            NeverWorks: its vendor has no reader.
        """
        access = (due.api_url, due.client_id, due.sealed_client_secret)
        kept = self._kept.get(due.source)
        if kept is not None and kept[0] == access:
            return kept[1]
        reader = self._made(due)
        if kept is not None:
            await kept[1].api.close()
        self._kept[due.source] = (access, reader)
        return reader

    def _made(self, due: Due) -> AnyReader:
        secret = _secret(self._sealing_key, due)
        match due.vendor:
            case "ninjaone":
                api = NinjaOneApi(url=due.api_url, client_id=due.client_id, client_secret=secret)
                return NinjaOneReader(api, self._scan_moment)
            case "datto":
                return DattoReader(DattoApi(url=due.api_url, client_id=due.client_id, client_secret=secret))
            case _:
                raise NeverWorks(f"{due.vendor}: has no poller")

    async def close(self) -> None:
        """Close all connections."""
        for _, reader in self._kept.values():
            await reader.api.close()

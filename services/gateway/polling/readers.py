"""One reader per polled source, kept from poll to poll with its token and its breaker, made anew when it changes."""

from dataclasses import dataclass
from datetime import datetime

from services.gateway.adapters.ninjaone_api import NinjaOneApi
from services.gateway.keys.sealing import Purpose, SealingKey, opened
from services.gateway.polling.rules_collect import Collected, ScanMoment
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


class Readers:
    """The readers of this process. Close them at the end."""

    def __init__(self, sealing_key: SealingKey, scan_moment: ScanMoment) -> None:
        """Open sealed secrets with `sealing_key`."""
        self._sealing_key = sealing_key
        self._scan_moment = scan_moment
        self._kept: dict[str, tuple[tuple[str, str, bytes], NinjaOneReader]] = {}

    async def of(self, due: Due) -> NinjaOneReader:
        """Return the reader of a source; its secret is in clear only inside.

        Raises:
            SealBroken, WrongSetting: its secret does not open, or its address may not be called.
        """
        access = (due.api_url, due.client_id, due.sealed_client_secret)
        kept = self._kept.get(due.source)
        if kept is not None and kept[0] == access:
            return kept[1]
        secret = opened(self._sealing_key, due.sealed_client_secret, source_id=due.source, purpose=Purpose.API)
        api = NinjaOneApi(url=due.api_url, client_id=due.client_id, client_secret=secret.decode())
        if kept is not None:
            await kept[1].api.close()
        reader = NinjaOneReader(api, self._scan_moment)
        self._kept[due.source] = (access, reader)
        return reader

    async def close(self) -> None:
        """Close all connections."""
        for _, reader in self._kept.values():
            await reader.api.close()

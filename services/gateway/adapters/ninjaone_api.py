"""NinjaOne's API, read only: client credentials, pages by `after`, reports by cursor.

Source: NinjaOne Public API 2.0, `/v2/devices-detailed`, `/v2/queries/*`, `/ws/oauth/token` (scope `monitoring`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from chassis.http import Outbound, Policy, Refused, Unavailable
from services.gateway.adapters.poll_answers import AnswerNotUnderstood, decoded, rows_in
from services.gateway.polling.rules_collect import LISTS, Collected, ScanMoment
from services.gateway.vendors.ninjaone_rows import Row

Params = Mapping[str, str | int]

PAGE_SIZE: Final = 500
MOST_PAGES: Final = 20_000
"""A cursor that never ends is a fault of the vendor's, not a reason to ask for ever."""

POLICY: Final = Policy(calls_per_second=10, burst=20, timeout_seconds=30)
"""Rate limits are not published: modest."""

LONGEST_WAIT_SECONDS: Final = 120.0
MOST_WAITS: Final = 20
"""How long and how often one poll waits where it stands when the vendor says `Retry-After`."""

_TOKEN_MARGIN_SECONDS: Final = 60.0
_SHORTEST_TOKEN_SECONDS: Final = 10.0


class NinjaOneApi:
    """One source's API. Make one per source; close it at the end."""

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        policy: Policy = POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask at `url`, the instance's region, as `client_id`.

        Raises:
            WrongSetting: `url` is no address that may be called.
        """
        self._outbound = Outbound(url, policy, transport=transport)
        self._client_id = client_id
        self._client_secret = client_secret
        self._sleep = sleep
        self._token = ""
        self._token_until = 0.0
        self._waits_left = 0

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def read(self, installs_from: datetime, scan_moment: ScanMoment) -> Collected:
        """Return everything that matters to us, attempts not older than `installs_from`.

        The order counts: what an attempt took off a list that we have read is in the history that we read after it, and
        a device's last contact is older than its lists.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: something could not be read whole.
        """
        self._waits_left = MOST_WAITS
        since = {"installedAfter": int(installs_from.timestamp())}
        collected = Collected(installs_from, scan_moment)
        async for row in self.devices():
            collected.add_device(row)
        for kind in LISTS:
            async for row in self.report(f"{kind}-patches"):
                collected.add_listed(kind, row)
        for kind in LISTS:
            async for row in self.report(f"{kind}-patch-installs", since):
                collected.add_attempt(kind, row)
        async for row in self.report("device-health"):
            collected.add_health(row)
        return collected

    async def devices(self) -> AsyncIterator[Row]:
        """Yield every device with its details.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: the listing is not whole.
        """
        after = 0
        for _ in range(MOST_PAGES):
            start = {"after": after} if after else {}
            rows = rows_in(await self._get("/v2/devices-detailed", {"pageSize": PAGE_SIZE, **start}))
            for row in rows:
                yield row
            last = rows[-1].get("id") if rows else None
            if not rows:
                return
            if not isinstance(last, int) or last <= after:
                raise AnswerNotUnderstood("/v2/devices-detailed: a page does not go on after the one before")
            after = last
        raise AnswerNotUnderstood("/v2/devices-detailed: does not end")

    async def report(self, name: str, params: Params | None = None) -> AsyncIterator[Row]:
        """Yield every row of `/v2/queries/<name>`.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: the report is not whole.
        """
        path = f"/v2/queries/{name}"
        asked: dict[str, str | int] = {"pageSize": PAGE_SIZE, **(params or {})}
        for _ in range(MOST_PAGES):
            answer = await self._get(path, asked)
            if not isinstance(answer, dict):
                raise AnswerNotUnderstood(f"{path}: not an object")
            rows = rows_in(answer.get("results"))
            for row in rows:
                yield row
            cursor = answer.get("cursor")
            following = cursor.get("name") if isinstance(cursor, dict) else None
            if not rows or not isinstance(following, str) or not following:
                return
            asked["cursor"] = following
        raise AnswerNotUnderstood(f"{path}: does not end")

    async def _get(self, path: str, params: Params) -> Any:
        """Return one answer; wait where the vendor asks for it, take a new token once if the old one is refused."""
        is_token_new = await self._authorise()
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
                return decoded(path, await self._outbound.call("GET", path, params=params, headers=headers))
            except Refused as error:
                if error.status != 401 or is_token_new:
                    raise
                self._token = ""
                is_token_new = await self._authorise()
            except Unavailable as error:
                seconds = error.retry_after_seconds
                if seconds is None or seconds > LONGEST_WAIT_SECONDS or self._waits_left == 0:
                    raise
                self._waits_left -= 1
                await self._sleep(seconds)

    async def _authorise(self) -> bool:
        """Make sure of a token and return whether it is a new one."""
        if self._token and time.monotonic() < self._token_until:
            return False
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "scope": "monitoring",
        }
        answer = decoded("/ws/oauth/token", await self._outbound.call("POST", "/ws/oauth/token", form=form))
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise AnswerNotUnderstood("/ws/oauth/token: no access_token")
        seconds = answer.get("expires_in")
        lifetime = float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e9 else 0.0
        self._token = token
        self._token_until = time.monotonic() + max(lifetime - _TOKEN_MARGIN_SECONDS, _SHORTEST_TOKEN_SECONDS)
        return True

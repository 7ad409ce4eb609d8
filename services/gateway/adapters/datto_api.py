"""Datto RMM's API, read only: a password grant, pages by the vendor's own next address, an allowance for the account.

Source: Datto RMM API 2.0.0, `/v2/account/devices`, `/v2/account/alerts/open`, `/v2/account/alerts/resolved`,
`/v2/system/request_rate`; the token's address and public client are those of scripts in public use.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx

from chassis.http import Outbound, Policy, Refused, Unavailable
from services.gateway.adapters.poll_answers import AnswerNotUnderstood, decoded, rows_in
from services.gateway.polling.rules_allowance import allowance_in, pause_seconds
from services.gateway.polling.rules_datto import DattoCollected
from services.gateway.vendors.datto_rows import Row

Params = Mapping[str, str | int]

PAGE_SIZE: Final = 250
MOST_PAGES: Final = 20_000

POLICY: Final = Policy(calls_per_second=5, burst=10, timeout_seconds=30, attempts=1)
"""Half of the 600 calls a minute that the account has, with others. Who calls on after a 429 is locked out by address:
so nothing below us tries again by itself."""

WINDOW_SECONDS: Final = 60.0
"""After a 429 that does not say how long: the account's allowance is counted over so long."""

BLOCKED_SECONDS: Final = 600.0
"""After a 403: locked out for calling too often, or not permitted. Either way calling again soon makes it worse."""

LONGEST_WAIT_SECONDS: Final = 120.0
MOST_WAITS: Final = 20
HICCUP_SECONDS: Final = 2.0
MOST_HICCUPS: Final = 2
"""How long and how often one call is tried again that was not answered at all."""

LOOK_EVERY_CALLS: Final = 50

_PUBLIC_CLIENT: Final = "Basic " + base64.b64encode(b"public-client:public").decode()
_TOKEN: Final = "/auth/oauth/token"  # noqa: S105 - an address
_RATE: Final = "/api/v2/system/request_rate"
_TOKEN_MARGIN_SECONDS: Final = 60.0
_SHORTEST_TOKEN_SECONDS: Final = 10.0


class DattoApi:
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
        """Ask at `url`, the platform's address, with an API key and its secret.

        Raises:
            WrongSetting: `url` is no address that may be called.
        """
        self._outbound = Outbound(url.rstrip("/").removesuffix("/api"), policy, transport=transport)
        self._client_id = client_id
        self._client_secret = client_secret
        self._sleep = sleep
        self._token = ""
        self._token_until = 0.0
        self._waits_left = 0
        self._calls = 0

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def read(self, alerts_from: datetime) -> DattoCollected:
        """Return everything that matters to us; of resolved alerts those not older than `alerts_from`.

        The order counts: an alert that is resolved while we read open ones is in what we read after them.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: something could not be read whole.
        """
        self._waits_left, self._calls = MOST_WAITS, 0
        collected = DattoCollected(alerts_from)
        async for page in self.pages("/api/v2/account/devices", "devices"):
            for row in page:
                collected.add_device(row)
        async for page in self.pages("/api/v2/account/alerts/open", "alerts"):
            for row in page:
                collected.add_alert(row)
        async for page in self.pages("/api/v2/account/alerts/resolved", "alerts"):
            old = sum(collected.add_alert(row) for row in page)
            if page and old == len(page):
                break  # newest first, as far as is known: a whole page of old ones is the end of what we want
        return collected

    async def pages(self, path: str, name: str) -> AsyncIterator[list[Row]]:
        """Yield every page of a listing; the vendor's next address is followed on our own host only.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: the listing is not whole.
        """
        asked: dict[str, str | int] = {"max": PAGE_SIZE}
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            answer = await self._get(path, asked)
            if not isinstance(answer, dict):
                raise AnswerNotUnderstood(f"{path}: not an object")
            yield rows_in(answer.get(name))
            details = answer.get("pageDetails")
            following = details.get("nextPageUrl") if isinstance(details, dict) else None
            if following is None or following == "":
                return
            if not isinstance(following, str) or following in seen:
                raise AnswerNotUnderstood(f"{path}: a page does not go on after the one before")
            seen.add(following)
            asked = dict(self._query_of(path, following))
        raise AnswerNotUnderstood(f"{path}: does not end")

    def _query_of(self, path: str, following: str) -> list[tuple[str, str]]:
        try:
            parts = urlsplit(following)
        except ValueError as error:
            raise AnswerNotUnderstood(f"{path}: the next page is no address") from error
        if parts.hostname not in {None, self._outbound.host}:
            raise AnswerNotUnderstood(f"{path}: the next page is on another host")
        return parse_qsl(parts.query)

    async def _get(self, path: str, params: Params) -> Any:
        if self._calls % LOOK_EVERY_CALLS == 0:
            await self._leave_room()
        self._calls += 1
        return await self._asked(path, params)

    async def _leave_room(self) -> None:
        """Wait while the account, which others use too, is near its limit."""
        while True:
            try:
                seconds = pause_seconds(allowance_in(await self._asked(_RATE, {})))
            except Refused as error:
                if error.status != 404:
                    raise
                return  # a platform without these numbers: our own pace is modest
            if seconds == 0:
                return
            self._spend_a_wait("the account is near its limit of calls", seconds)
            await self._sleep(seconds)

    async def _asked(self, path: str, params: Params) -> Any:
        """Return one answer; wait where the vendor asks for it, take a new token once if the old one is refused."""
        is_token_new = await self._authorise()
        hiccups = 0
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
                return decoded(path, await self._outbound.call("GET", path, params=params, headers=headers))
            except Refused as error:
                if error.status != 401 or is_token_new:
                    raise _unless_blocked(error) from error
                self._token = ""
                is_token_new = await self._authorise()
            except Unavailable as error:
                seconds = error.retry_after_seconds
                if seconds is None and not error.limited:
                    hiccups += 1
                    if hiccups > MOST_HICCUPS:
                        raise
                    seconds = HICCUP_SECONDS
                seconds = WINDOW_SECONDS if seconds is None else seconds
                if seconds > LONGEST_WAIT_SECONDS or self._waits_left == 0:
                    raise
                self._waits_left -= 1
                await self._sleep(seconds)

    def _spend_a_wait(self, reason: str, seconds: float) -> None:
        if self._waits_left == 0:
            raise Unavailable(f"{self._outbound.host}: {reason}", retry_after_seconds=seconds, limited=True)
        self._waits_left -= 1

    async def _authorise(self) -> bool:
        """Make sure of a token and return whether it is a new one."""
        if self._token and time.monotonic() < self._token_until:
            return False
        form = {"grant_type": "password", "username": self._client_id, "password": self._client_secret}
        try:
            response = await self._outbound.call("POST", _TOKEN, form=form, headers={"Authorization": _PUBLIC_CLIENT})
        except Refused as error:
            raise _unless_blocked(error) from error
        answer = decoded(_TOKEN, response)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise AnswerNotUnderstood(f"{_TOKEN}: no access_token")
        seconds = answer.get("expires_in")
        lifetime = float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e9 else 0.0
        self._token = token
        self._token_until = time.monotonic() + max(lifetime - _TOKEN_MARGIN_SECONDS, _SHORTEST_TOKEN_SECONDS)
        return True


def _unless_blocked(error: Refused) -> Refused | Unavailable:
    """Return what a refusal means: a 403 may be a lock for calling too often, and then only time helps."""
    if error.status != 403:
        return error
    return Unavailable(
        f"blocked or not permitted: {error}", retry_after_seconds=error.retry_after_seconds or BLOCKED_SECONDS
    )

"""Microsoft Graph as a feed, read only: risk detections of each mapped tenant, and what its notifications named.

Source: Microsoft Graph v1.0, riskDetections; throttling limits: identityProtection allows one request a second for a
tenant, for all applications together, and does not say `Retry-After`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from chassis.errors import WrongSetting
from chassis.http import LOOPBACK, Outbound, Policy, Refused, Unavailable
from services.gateway.adapters.poll_answers import AnswerNotUnderstood, decoded, rows_in
from services.gateway.adapters.quiet import quiet
from services.gateway.polling import rules_detections as rules
from services.gateway.polling.rules_exposed import (
    LONGEST_READING_SECONDS,
    Before,
    Found,
    Hint,
    Row,
    longest_unread,
)

LOGIN_OF: Final[Mapping[str, str]] = {
    "graph.microsoft.com": "https://login.microsoftonline.com",
    "graph.microsoft.us": "https://login.microsoftonline.us",
    "dod-graph.microsoft.us": "https://login.microsoftonline.us",
    "microsoftgraph.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}
"""Where an application signs in, by the host of Graph: the secret goes nowhere else."""

POLICY: Final = Policy(calls_per_second=0.8, burst=1, timeout_seconds=30, attempts=1)
"""Of one tenant: a little below one request a second, which others share."""

LOGIN_POLICY: Final = Policy(calls_per_second=10, burst=10, timeout_seconds=15, attempts=1)
FIRST_BACK_OFF_SECONDS: Final = 5.0
MOST_BACK_OFFS: Final = 5
"""After a 429 that does not say how long: doubled each time; then the tenant waits for the next poll."""

LONGEST_WAIT_SECONDS: Final = 120.0
TENANTS_AT_ONCE: Final = 8
MOST_PAGES: Final = 1000

_TOKEN_MARGIN_SECONDS: Final = 60.0
_SHORTEST_TOKEN_SECONDS: Final = 10.0


class GraphApi:
    """One application and the tenants that have let it in. Make one per source; close it at the end."""

    def __init__(  # noqa: PLR0913 - what tests put in place of the world
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        policy: Policy = POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask at `url`, Graph's address in one of Microsoft's clouds, as `client_id`.

        Raises:
            WrongSetting: it is none of Microsoft's, nor of this machine.
        """
        self._url = url.rstrip("/").removesuffix("/v1.0")
        self._login = Outbound(login_url(self._url), LOGIN_POLICY, transport=transport)
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": f"{self._url}/.default",
        }
        self._policy = policy
        self._transport = transport
        self._sleep = sleep
        self._uptime = uptime
        self._tenants: dict[str, _Tenant] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._login.close()
        for tenant in self._tenants.values():
            await tenant.close()

    async def read(self, before: Before) -> Found:
        """Return what is new of all mapped tenants; one that cannot be read holds no other up.

        A hint of a tenant that nobody mapped waits: without a mapping no tenant is asked for a token.
        """
        found = Found()
        turns = asyncio.Semaphore(TENANTS_AT_ONCE)
        ends_at = self._uptime() + LONGEST_READING_SECONDS

        async def one(organisation: str) -> None:
            hints = [each for each in before.hints if each.organisation == organisation]
            async with turns:
                if self._uptime() >= ends_at:
                    found.fail(f"{organisation}: not reached in time")
                    return
                try:
                    await self._read_tenant(organisation, hints, before, found)
                except (Refused, AnswerNotUnderstood) as error:
                    found.fail(f"{organisation}: {error}")
                except Unavailable as error:
                    found.fail(f"{organisation}: {error}", error.retry_after_seconds)

        async with asyncio.TaskGroup() as tasks:
            for organisation in longest_unread(before.organisations, rules.DETECTIONS, before.snapshots):
                if rules.is_tenant(organisation):
                    tasks.create_task(one(organisation))
                else:
                    found.fail(f"{organisation}: is mapped, and no id of a tenant")
        return found

    async def _read_tenant(self, organisation: str, hints: Sequence[Hint], before: Before, found: Found) -> None:
        tenant = self._tenant(organisation)
        last = before.snapshots.get((rules.DETECTIONS, organisation))
        named: list[Row] = []
        listed = None
        try:
            for hint in hints:
                if (rows := await self._named(tenant, hint, found)) is not None:
                    named += rows
                    found.read_hints.append(hint)
            if rules.is_listing_due(before, organisation):
                listed = await tenant.listed(rules.question(last, before.read_at))
        finally:  # what was read is told, even where the rest cannot be
            batch, snapshot = rules.detected(organisation, listed, named, last=last, read_at=before.read_at)
            found.batches += [batch] if batch else []
            found.snapshots += [snapshot] if snapshot else []

    async def _named(self, tenant: "_Tenant", hint: Hint, found: Found) -> list[Row] | None:
        """Return the rows of a hint; `None`: it may not be read now, and is kept for when it may."""
        try:
            return await tenant.named(hint)
        except Refused as error:
            found.fail(f"{hint.organisation}: {hint.resource}: {error}")
            return None

    def _tenant(self, organisation: str) -> "_Tenant":
        if organisation not in self._tenants:
            outbound = Outbound(self._url, self._policy, transport=self._transport)
            self._tenants[organisation] = _Tenant(
                organisation, url=self._url, outbound=outbound, token_of=self._token, sleep=self._sleep
            )
        return self._tenants[organisation]

    async def _token(self, organisation: str) -> tuple[str, float]:
        """Return a token of a tenant, and how many seconds it holds."""
        path = f"/{organisation}/oauth2/v2.0/token"
        answer = decoded(path, await quiet(self._login.call("POST", path, form=self._form)))
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise AnswerNotUnderstood(f"{path}: no access_token")
        seconds = answer.get("expires_in")
        return token, float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e9 else 0.0


class _Tenant:
    """One tenant: its own token, its own bucket, its own breaker."""

    def __init__(
        self,
        organisation: str,
        *,
        url: str,
        outbound: Outbound,
        token_of: Callable[[str], Awaitable[tuple[str, float]]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._organisation = organisation
        self._url = url
        self._outbound = outbound
        self._token_of = token_of
        self._sleep = sleep
        self._token = ""
        self._token_until = 0.0

    async def close(self) -> None:
        await self._outbound.close()

    async def listed(self, question: Mapping[str, str]) -> list[Row]:
        """Return all detections that answer the question; the next address is followed on our own host only."""
        path, params = rules.LISTING, question
        rows: list[Row] = []
        for _ in range(MOST_PAGES):
            answer = await self._get(path, params)
            if not isinstance(answer, dict):
                raise AnswerNotUnderstood(f"{rules.LISTING}: not an object")
            rows += rows_in(answer.get("value"))
            following = answer.get("@odata.nextLink")
            if following is None:
                return rows
            if not isinstance(following, str) or not following.startswith(f"{self._url}{rules.LISTING}?"):
                raise AnswerNotUnderstood(f"{rules.LISTING}: the next page is somewhere else")
            path, params = following.removeprefix(self._url), {}
        raise AnswerNotUnderstood(f"{rules.LISTING}: does not end")

    async def named(self, hint: Hint) -> list[Row]:
        """Return the rows of what a notification named; none where it is gone, or tells of no credential."""
        asked = rules.asked(hint.resource)
        if asked is None:
            return []
        try:
            answer = await self._get(asked.path, {})
        except Refused as error:
            if error.status in {404, 410}:
                return []
            raise
        if not isinstance(answer, dict):
            raise AnswerNotUnderstood(f"{hint.resource}: not an object")
        return rules.rows_of_alert(answer) if asked.is_alert else [answer]

    async def _get(self, path: str, params: Mapping[str, str]) -> Any:
        is_token_new = await self._authorise()
        waits = 0
        while True:
            headers = {"authorization": f"Bearer {self._token}", "accept": "application/json"}
            try:
                call = self._outbound.call("GET", path, params=params or None, headers=headers)
                return decoded(path.partition("?")[0], await quiet(call))
            except Refused as error:
                if error.status != 401 or is_token_new:
                    raise
                self._token = ""
                is_token_new = await self._authorise()
            except Unavailable as error:
                seconds = error.retry_after_seconds or FIRST_BACK_OFF_SECONDS * 2**waits
                if not error.limited or waits == MOST_BACK_OFFS or seconds > LONGEST_WAIT_SECONDS:
                    raise
                waits += 1
                await self._sleep(seconds)

    async def _authorise(self) -> bool:
        """Make sure of a token and return whether it is a new one."""
        if self._token and time.monotonic() < self._token_until:
            return False
        self._token, lifetime = await self._token_of(self._organisation)
        holds = max(lifetime - _TOKEN_MARGIN_SECONDS, _SHORTEST_TOKEN_SECONDS)
        self._token_until = time.monotonic() + holds
        return True


def login_url(url: str) -> str:
    """Return where an application signs in that calls Graph at `url`.

    Raises:
        WrongSetting: `url` is none of Microsoft's clouds, nor on this machine.
    """
    host = urlsplit(url).hostname or ""
    if host in LOOPBACK:
        return url
    if host not in LOGIN_OF or not url.startswith("https://"):
        raise WrongSetting(f"{url}: no address of Microsoft Graph; there are {', '.join(sorted(LOGIN_OF))}")
    return LOGIN_OF[host]

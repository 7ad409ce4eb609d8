"""Have I Been Pwned's API v3, read only: a key in a header, a user agent or nothing, as many calls a minute as is paid.

Source: Have I Been Pwned API v3: `subscription/status`, `latestbreach`, `subscribeddomains`, `breaches`,
`breacheddomain`, `stealerlogsbyemaildomain`; 404 says that there is nothing, 429 comes with `Retry-After`.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx

from chassis.http import Outbound, Policy, Refused, Unavailable
from services.gateway.adapters.poll_answers import AnswerNotUnderstood, decoded, rows_in
from services.gateway.adapters.quiet import quiet
from services.gateway.polling import rules_hibp
from services.gateway.polling.rules_exposed import LONGEST_READING_SECONDS, Batch, Before, Found, longest_unread
from services.gateway.polling.rules_hibp import Asked, Breaches, NamesByAlias
from services.gateway.polling.rules_snapshot import Snapshot

POLICY: Final = Policy(calls_per_second=5, burst=5, timeout_seconds=30, attempts=1)
"""The real pace is the plan's, see `LEAST_A_MINUTE`; nothing below us tries again by itself."""

USER_AGENT: Final = "Patchline (managed service provider's exposure monitoring)"
"""Mandatory: without one every answer is 403."""

LEAST_A_MINUTE: Final = 10
"""What the smallest plan allows; so fast we ask until the plan has been read."""

LONGEST_WAIT_SECONDS: Final = 120.0
MOST_WAITS: Final = 20
FORBIDDEN: Final = "not verified any more, or the subscription is too small for it"

_ROOT: Final = "/api/v3"
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[\w-]+(?:\.[\w-]+)+")


class HibpApi:
    """One subscription. Make one per source; close it at the end."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        policy: Policy = POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask at `url` with the key of a subscription.

        Raises:
            WrongSetting: `url` is no address that may be called.
        """
        headers = {"hibp-api-key": api_key, "user-agent": USER_AGENT, "accept": "application/json"}
        root = url.rstrip("/").removesuffix(_ROOT)
        self._outbound = Outbound(root, policy, headers=headers, transport=transport)
        self._sleep = sleep
        self._uptime = uptime
        self._a_minute = float(LEAST_A_MINUTE)
        self._next_at = 0.0
        self._waits_left = 0

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def read(self, before: Before) -> Found:
        """Return what is new of the subscription's domains, as many as the time allows; one holds no other up.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: what all domains need could not be read.
        """
        self._waits_left = MOST_WAITS
        ends_at = self._uptime() + LONGEST_READING_SECONDS
        has_stealer_logs = await self._plan()
        newest = rules_hibp.newest(_object(await self._get("/latestbreach"), "latestbreach"))
        reading = _Reading(self, before, newest)
        for domain in longest_unread(await self._domains(), rules_hibp.DOMAIN, before.snapshots):
            if self._uptime() >= ends_at:
                break  # a small plan and many domains: the next poll goes on here
            try:
                await reading.breached(domain)
                if has_stealer_logs:
                    await reading.stolen(domain)
            except Refused as error:
                reading.found.fail(f"{domain}: {FORBIDDEN if error.status == 403 else error}")
            except AnswerNotUnderstood as error:
                reading.found.fail(str(error))
            except Unavailable as error:  # the others would not be answered either; what was read is kept
                reading.found.fail(f"{domain} and what comes after it: {error}", error.retry_after_seconds)
                break
        return reading.found

    async def names(self, what: str, domain: str) -> NamesByAlias:
        """Return what is known of a domain, by alias; nothing where there is nothing.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: it could not be read.
        """
        answer = await self._get(f"/{what}/{domain}", may_be_missing=True)
        if answer is None:
            return {}
        if not isinstance(answer, dict) or not all(_is_texts(each) for each in answer.values()):
            raise AnswerNotUnderstood(f"{what}/{domain}: not lists of names by alias")
        return answer

    async def breaches(self) -> Breaches:
        """Return what is told of every breach, by its name.

        Raises:
            Refused, Unavailable, AnswerNotUnderstood: it could not be read.
        """
        return {str(row.get("Name")): row for row in rows_in(await self._get("/breaches"))}

    async def _plan(self) -> bool:
        """Learn how fast we may ask, and return whether the plan has stealer logs."""
        plan = _object(await self._get("/subscription/status"), "subscription/status")
        rpm = plan.get("Rpm")
        if isinstance(rpm, int | float) and not isinstance(rpm, bool) and 1 <= rpm <= 100_000:
            self._a_minute = float(rpm)
            self._next_at = min(self._next_at, self._uptime() + 60 / self._a_minute)
        return plan.get("IncludesStealerLogs") is True

    async def _domains(self) -> list[str]:
        rows = rows_in(await self._get("/subscribeddomains", may_be_missing=True) or [])
        names = {str(row.get("DomainName", "")).strip().lower() for row in rows}
        if not all(_DOMAIN.fullmatch(each) for each in names):
            raise AnswerNotUnderstood("subscribeddomains: a row has no DomainName")
        return sorted(names)

    async def _get(self, path: str, *, may_be_missing: bool = False) -> Any:
        while True:
            await self._turn()
            try:
                return decoded(path, await quiet(self._outbound.call("GET", f"{_ROOT}{path}")))
            except Refused as error:
                if error.status == 404 and may_be_missing:
                    return None
                raise
            except Unavailable as error:
                seconds = error.retry_after_seconds
                if seconds is None or seconds > LONGEST_WAIT_SECONDS or self._waits_left == 0:
                    raise
                self._waits_left -= 1
                await self._sleep(seconds)

    async def _turn(self) -> None:
        """Wait until the plan allows one more call."""
        now = self._uptime()
        if (wait := self._next_at - now) > 0:
            await self._sleep(wait)
        self._next_at = max(now, self._next_at) + 60 / self._a_minute


class _Reading:
    """One poll: what is due of each domain, and what was found."""

    def __init__(self, api: HibpApi, before: Before, newest: bytes) -> None:
        self.found = Found()
        self._api = api
        self._before = before
        self._newest = newest
        self._breaches: Breaches | None = None

    async def breached(self, domain: str) -> None:
        asked = self._asked(rules_hibp.DOMAIN, domain)
        if not rules_hibp.is_domain_due(asked):
            return
        if self._breaches is None:
            self._breaches = await self._api.breaches()
        names = await self._api.names("breacheddomain", domain)
        self._add(*rules_hibp.breached(asked, names, self._breaches))

    async def stolen(self, domain: str) -> None:
        asked = self._asked(rules_hibp.STEALER_LOGS, domain)
        if rules_hibp.are_stealer_logs_due(asked):
            sites = await self._api.names("stealerlogsbyemaildomain", domain)
            self._add(*rules_hibp.stolen(asked, sites))

    def _asked(self, kind: str, domain: str) -> Asked:
        return Asked(domain, self._before.snapshots.get((kind, domain)), self._newest, self._before.read_at)

    def _add(self, batch: Batch | None, snapshot: Snapshot) -> None:
        self.found.batches += [batch] if batch else []
        self.found.snapshots.append(snapshot)


def _object(answer: object, path: str) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise AnswerNotUnderstood(f"{path}: not an object")
    return answer


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)

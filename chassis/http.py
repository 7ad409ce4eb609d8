"""The policy for calls to outside systems: a pinned host, time-outs, retries of reads, breakers, token buckets.

Whoever calls gets a value, or one of two errors: `Refused` (a person must look) or `Unavailable` (try again later, not
before `retry_after_seconds`). A lost answer to a write is `Unavailable` with `ambiguous` set: look before acting again.
"""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import stamina

from chassis.errors import MayWorkLater, NeverWorks, WrongSetting, certificate_trouble
from chassis.telemetry import METERS, Count, Duration
from chassis.turns import Turns, caller, uptime

log = logging.getLogger(__name__)

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0
LONGEST_SHORT_WAIT_SECONDS: Final = 2.0
"""A read waits so long by itself; for anything longer its caller has better things to do."""

ANSWER_CHARACTERS: Final = 200
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ABOUT_TO_SEND: Final = ("send_request_headers.started", "send_request_body.started")
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Refused(NeverWorks):
    """The other side understood and said no."""

    def __init__(self, status: int, text: str, *, retry_after_seconds: float | None = None) -> None:
        """Keep the status beside the first words of the answer; some say with a no for how long it holds."""
        super().__init__(f"HTTP {status}: {_one_line(text)}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class Unavailable(MayWorkLater):
    """The other side did not answer, or asked to be left alone for a while."""

    def __init__(
        self,
        reason: str,
        *,
        retry_after_seconds: float | None = None,
        ambiguous: bool = False,
        limited: bool = False,
    ) -> None:
        """Say why; `ambiguous`: a write may have happened all the same, `limited`: it was not even looked at."""
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
        self.ambiguous = ambiguous
        self.limited = limited


class BreakerOpen(Unavailable):
    """Too many calls for the same caller failed in a row; the others' go on."""


class OutOfTime(Unavailable):
    """The moment until which a caller may act has passed: nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one outside system is called. Rates and time-outs in calls and seconds.

    `share` is the part of the rate that one caller may have for itself.
    """

    calls_per_second: float = 20
    burst: int = 20
    share: float = 1.0
    timeout_seconds: float = 10
    attempts: int = 3
    breaker_failures: int = 5
    breaker_seconds: float = 15


class Breaker:
    """Opens after several failures in a row; lets one call through after a while."""

    def __init__(self, failures: int, seconds: float) -> None:
        """Start closed."""
        self._allowed = failures
        self._seconds = seconds
        self._failures = 0
        self._open_until = 0.0

    def check(self) -> None:
        """Raise `BreakerOpen` while open; past its time, let this one call try and keep the others out.

        Raises:
            BreakerOpen: with the seconds until the next try.
        """
        now = time.monotonic()
        if self._failures < self._allowed:
            return
        if now < self._open_until:
            raise BreakerOpen("the breaker is open", retry_after_seconds=self._open_until - now)
        self._open_until = now + self._seconds

    def succeeded(self) -> None:
        """Close."""
        self._failures = 0

    def failed(self) -> None:
        """Count a failure, and open once there are enough."""
        self._failures += 1
        if self._failures >= self._allowed:
            self._open_until = time.monotonic() + self._seconds


class Outbound:
    """Calls one outside system and no other host. Make one per process and system; close it at the end."""

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Pin the host of `url`.

        Raises:
            WrongSetting: `url` is not an http(s) address, or plain http to another machine.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise WrongSetting(f"{url!r} is not an http(s) address")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise WrongSetting(f"{parts.hostname}: plain http is allowed to this machine only; use https")
        self.host = parts.hostname
        self._url = url.rstrip("/")
        self._policy = policy
        self._breakers: dict[str, Breaker] = {}
        self._turns = Turns(rate=policy.calls_per_second, burst=policy.burst, share=policy.share)
        self._client = httpx.AsyncClient(
            headers=dict(headers or {}),
            auth=auth,
            timeout=policy.timeout_seconds,
            follow_redirects=False,
            verify=httpx.create_ssl_context(),  # SSL_CERT_FILE counts for this machine too
            trust_env=self.host not in LOOPBACK,  # no proxy stands between us and ourselves
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(  # noqa: PLR0913 - the parts of a request
        self,
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Call `path` below the pinned address and return the answer if it is a 2xx.

        Reads are tried again by themselves; writes only after a 429, which says that they were not looked at. After
        anything else whoever writes must look first.

        Raises:
            Refused: any other answer below 500 but 408, 425 and 429.
            Unavailable: no answer, 5xx, 408, 425, 429, the caller's breaker is open, or its time is over.
        """
        request = self._client.build_request(
            method, self._url + path, params=params, headers=headers, json=json, data=form, content=content
        )
        request.extensions["trace"] = _last_look
        if request.url.host != self.host:
            raise Refused(0, f"{request.url.host} is not {self.host}, the pinned host")
        async for attempt in stamina.retry_context(
            on=_read_again_after if method in READS else _write_again_after,
            attempts=self._policy.attempts,
            wait_initial=0.1,
            wait_max=LONGEST_SHORT_WAIT_SECONDS,
            wait_jitter=0.1,
            timeout=None,
        ):
            with attempt:
                return await self._once(request)
        raise AssertionError("stamina always returns or raises")

    async def _once(self, request: httpx.Request) -> httpx.Response:
        await self._turns.wait(caller().name)
        self._breaker.check()  # here, not before: while we waited for our turn it may have opened
        _check_time()
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._policy.timeout_seconds + 1):
                response = await self._client.send(request)
        except (httpx.RequestError, TimeoutError) as error:
            if trouble := certificate_trouble(error):
                log.error("certificate refused", extra={"host": self.host, "reason": trouble})  # noqa: TRY400
            self._note("certificate" if trouble else "no answer", started)
            sent = request.method not in READS and not isinstance(error, _NEVER_SENT)
            raise Unavailable(f"{self.host}: {trouble or type(error).__name__}", ambiguous=sent) from error
        return self._judged(request, response, started)

    @property
    def _breaker(self) -> Breaker:
        made = Breaker(self._policy.breaker_failures, self._policy.breaker_seconds)
        return self._breakers.setdefault(caller().name, made)

    def _judged(self, request: httpx.Request, response: httpx.Response, started: float) -> httpx.Response:
        status = response.status_code
        if response.is_success:
            self._note("ok", started)
            return response
        wait = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        if status >= 500 or status in {408, 425, 429}:
            self._note("unavailable" if status != 429 else "limited", started)
            raise Unavailable(
                f"{self.host}: HTTP {status}: {_one_line(response.text)}",
                retry_after_seconds=wait,
                ambiguous=status >= 500 and request.method not in READS,
                limited=status == 429,
            )
        self._note("refused", started)
        raise Refused(status, response.text, retry_after_seconds=wait)

    def _note(self, outcome: str, started: float) -> None:
        if outcome in {"ok", "refused", "limited"}:
            self._breaker.succeeded()
        else:
            self._breaker.failed()
        METERS.add(Count.OUTBOUND, host=self.host, outcome=outcome)
        METERS.record(Duration.OUTBOUND, time.monotonic() - started, host=self.host)


def _check_time() -> None:
    """Raise `OutOfTime` after the moment until which the caller may act: its lease may be another's by then."""
    if (late := uptime() - caller().until) >= 0:
        raise OutOfTime(f"out of time since {late:.1f} s: not sent")


async def _last_look(event: str, _: Mapping[str, Any]) -> None:
    """Look at the time once more when the connection stands and the next thing is to write."""
    if event.endswith(_ABOUT_TO_SEND):
        _check_time()


def _read_again_after(error: Exception) -> bool | float:
    """Return whether a read is tried again, or the seconds that the server asked for first."""
    if not isinstance(error, Unavailable) or isinstance(error, BreakerOpen | OutOfTime):
        return False
    if error.retry_after_seconds is None:
        return True
    return error.retry_after_seconds if error.retry_after_seconds <= LONGEST_SHORT_WAIT_SECONDS else False


def _write_again_after(error: Exception) -> bool | float:
    """Return whether a write is sent again: only if the server says that it took no notice of it."""
    return _read_again_after(error) if isinstance(error, Unavailable) and error.limited else False


def _one_line(text: str) -> str:
    """Return the first words of an answer, safe to log and to store: no control characters, no NUL."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 2 * ANSWER_CHARACTERS])
    return " ".join(printable.split())[:ANSWER_CHARACTERS]


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, at most an hour; `None` where it asks nothing usable.

    Source: RFC 9110 section 10.2.3 (delta seconds or an HTTP date).
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
        except ValueError:
            return None
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)

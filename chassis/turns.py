"""Who calls an outside system, until when, and in which turn: a token bucket for all and one for each caller."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom calls are made: breaker and turns are each caller's own. `until`, on the clock of `uptime`: no later."""

    name: str = ""
    until: float = math.inf


_CALLER: Final[ContextVar[Caller]] = ContextVar("caller")
_NOBODY: Final = Caller()


def caller() -> Caller:
    """Return for whom calls are made here."""
    return _CALLER.get(_NOBODY)


@contextmanager
def calling_for(name: str, *, until: float = math.inf) -> Iterator[None]:
    """Make the calls in this context, and in the tasks made in it, for `name`; send nothing after `until`."""
    token = _CALLER.set(Caller(name, until))
    try:
        yield
    finally:
        _CALLER.reset(token)


def uptime() -> float:
    """Return seconds on a clock that goes on while this process is stopped or its machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


FEW_CALLERS: Final = 4
"""Among so many the rest of the rate is shared out by which it is known who calls seldom."""


class Bucket:
    """Lets `burst` calls through at once, and then `rate` a second."""

    def __init__(self, rate: float, burst: float) -> None:
        """Start full."""
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._filled_at = time.monotonic()

    def wait_seconds(self, left: float = 0.0) -> float:
        """Return how long it takes until a call may go that leaves so many to others; 0: it may go now."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        needed = 1 + min(left, self._burst - 1)
        return 0.0 if self._tokens > needed - 1e-6 else (needed - self._tokens) / self._rate

    def take(self) -> None:
        """Let one call through."""
        self._tokens -= 1


class Turns:
    """Hands out the calls that all callers of one system may make together.

    `share` is the part of rate and burst that one caller may have for itself. While several wait, one call of each
    goes in turn: whoever wants a thousand does not delay whoever wants one by more than one call for each caller. And
    whoever has called more than a few times lately leaves the rest of the burst to those who have not.
    """

    def __init__(self, *, rate: float, burst: float, share: float = 1.0) -> None:
        """Start with full buckets."""
        self._own_rate, self._own_burst = rate * share, burst * share
        self._kept = burst * (1 - share)
        self._few_rate = max(rate * (1 - share) / FEW_CALLERS, 1e-3)
        self._all = Bucket(rate, burst)
        self._own: dict[str, Bucket] = {}
        self._few: dict[str, Bucket] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, name: str) -> None:
        """Return when it is the turn of the caller of that name."""
        turn = asyncio.get_running_loop().create_future()
        self._own.setdefault(name, Bucket(self._own_rate, self._own_burst))
        self._few.setdefault(name, Bucket(self._few_rate, self._kept))
        self._waiting.setdefault(name, deque()).append(turn)
        self._serve()
        await turn

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            pause, first = min((self._pause(name), place) for place, name in enumerate(self._waiting))
            if pause > 0:
                self._timer = asyncio.get_running_loop().call_later(pause, self._serve)
                return
            self._let_one_through(list(self._waiting)[first])

    def _pause(self, name: str) -> float:
        kept = self._kept if self._few[name].wait_seconds() else 0.0
        return max(self._own[name].wait_seconds(), self._all.wait_seconds(kept))

    def _let_one_through(self, name: str) -> None:
        queue = self._waiting.pop(name)
        turn = queue.popleft()
        if queue:
            self._waiting[name] = queue  # behind the others
        if not turn.done():  # who gave up waiting takes no token
            turn.set_result(None)
            self._all.take()
            self._own[name].take()
            if not self._few[name].wait_seconds():
                self._few[name].take()

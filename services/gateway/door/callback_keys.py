"""The keys of signed callbacks: fetched beside the door, one at a time, never because of one request alone.

A callback names the address of its key. The first one of an address waits a moment for it; whoever comes while it is
not here is told to come again. What is asked for is bounded: anyone can send a body that names an address, though only
one at a host that an operator named.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from chassis.errors import TRANSIENT, NeverWorks
from chassis.health import Progress

log = logging.getLogger(__name__)

WAIT_SECONDS: Final = 0.5
PAUSE_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 60.0
"""An address is asked again no sooner, whatever it said."""

FRESH_SECONDS: Final = 3600.0
OLDEST_SECONDS: Final = 86_400.0
"""A key whose address says nothing any more is believed so long."""

MOST_ADDRESSES: Final = 64
MOST_WAITING: Final = 256

FetchKey = Callable[[str], Awaitable[str]]
"""Returns the key at an address; raises NeverWorks where there is none, or one of TRANSIENT."""


@dataclass(slots=True)
class _Asked:
    """What is known of one address. Moments are of the monotonic clock."""

    answered: asyncio.Event
    asked_at: float = -AGAIN_SECONDS
    fetched_at: float = 0.0


class CallbackKeys:
    """Keys by address. Runs as a part of the door."""

    name = "callback keys"

    def __init__(self, fetch: FetchKey, progress: Progress) -> None:
        """Get keys with `fetch`."""
        self._fetch = fetch
        self._progress = progress
        self._keys: dict[str, str] = {}
        self._asked: dict[str, _Asked] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue(MOST_ADDRESSES)
        self._waiting = 0
        self.by_address: Mapping[str, str] = MappingProxyType(self._keys)

    async def run(self, stopping: asyncio.Event) -> None:
        """Fetch what is asked for until `stopping`, with a pause after each."""
        stopped = asyncio.ensure_future(stopping.wait())
        while not stopping.is_set():
            self._progress.beat(self.name)
            self._ask_for_old_ones()
            asked = asyncio.ensure_future(self._queue.get())
            await asyncio.wait([asked, stopped], timeout=PAUSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                asked.cancel()
                continue
            await self._answer(asked.result())
            await asyncio.wait([stopped], timeout=PAUSE_SECONDS)
        stopped.cancel()

    async def wait_for(self, address: str) -> None:
        """Have the key at `address` fetched, unless that was done a moment ago, and wait a little for it."""
        asked = self._ask(address)
        if asked is None or asked.answered.is_set() or self._waiting >= MOST_WAITING:
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asked.answered.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

    def _ask(self, address: str) -> _Asked | None:
        """Queue an address once; `None`: too many are asked for already."""
        asked = self._asked.get(address)
        now = time.monotonic()
        if asked is not None and now - asked.asked_at < AGAIN_SECONDS:
            return asked
        if self._queue.full() or (asked is None and not self._has_room(now)):
            return None
        asked = asked or self._asked.setdefault(address, _Asked(asyncio.Event()))
        asked.answered.clear()
        asked.asked_at = now
        self._queue.put_nowait(address)
        return asked

    def _has_room(self, now: float) -> bool:
        """Forget the addresses that gave no key and are not asked any more, where there are too many."""
        if len(self._asked) >= MOST_ADDRESSES:
            for address, asked in list(self._asked.items()):
                if address not in self._keys and now - asked.asked_at >= AGAIN_SECONDS:
                    del self._asked[address]
        return len(self._asked) < MOST_ADDRESSES

    def _ask_for_old_ones(self) -> None:
        now = time.monotonic()
        for address, asked in list(self._asked.items()):
            if address in self._keys and now - asked.fetched_at >= FRESH_SECONDS:
                self._ask(address)
            if now - asked.fetched_at >= OLDEST_SECONDS:
                self._keys.pop(address, None)

    async def _answer(self, address: str) -> None:
        asked = self._asked[address]
        try:
            self._keys[address] = await self._fetch(address)
            asked.fetched_at = time.monotonic()
        except NeverWorks as error:
            self._keys.pop(address, None)
            log.warning("no key for callbacks", extra={"reason": str(error)})
        except TRANSIENT as error:
            log.warning("no key for callbacks now", extra={"reason": str(error) or type(error).__name__})
        finally:
            asked.answered.set()

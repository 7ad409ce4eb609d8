"""Live before bulk: what the bulk lane of a process waits for before each portion, and what it always gets."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, LiteralString

from chassis.batch import Record, is_of_bulk
from chassis.cores import Cores
from chassis.errors import TRANSIENT
from chassis.postgres import Pool

LIVE_SECONDS: Final = 1.0
"""Live work that was seen so lately may come again at any moment."""

LONGEST_WAIT_SECONDS: Final = 2.0
"""However busy live is, and however full the outbox: after so long one portion of bulk goes on."""

SCARCE_SHARE: Final = 0.4
"""How much of its share bulk has where cores are scarce: it takes them from the live work of other processes too."""

LOOK_EVERY_SECONDS: Final = 0.02
PORTION_SECONDS: Final = 0.025
"""A portion grows or shrinks towards this: what is live never stands behind a longer transaction of bulk."""

FIRST_RECORDS: Final = 20
MOST_RECORDS: Final = 500
LEAST_BYTES: Final = 8_192
"""Never less, on a machine that is busy with other things: a commit costs the same for one record as for twenty."""
MOST_IN_OUTBOX: Final = 500
"""With more than this waiting to be sent, bulk adds nothing: what is live would stand behind it."""


def pause_seconds(took_seconds: float, share: float, live_seconds_ago: float) -> float:
    """Return how long bulk rests after a portion: not while nothing is live, else so that it works `share` of the time.

    `live_seconds_ago` is how long ago live work was seen.
    """
    if live_seconds_ago > LIVE_SECONDS:
        return 0.0
    return min(took_seconds * (1 / share - 1), LONGEST_WAIT_SECONDS)


class Activity:
    """The live work of one process."""

    def __init__(self) -> None:
        """Have seen none."""
        self.under_way = 0
        self._last_at = -math.inf

    @property
    def seconds_ago(self) -> float:
        """Return how long ago live work was seen."""
        return 0.0 if self.under_way else time.monotonic() - self._last_at

    @contextmanager
    def working(self, records: Sequence[Record] = ()) -> Iterator[None]:
        """Count as live work for as long as the `with` block lasts, unless all the records of it are of bulk.

        What follows from bulk comes back on topics without lanes: bulk would stand in its own way.
        """
        if records and all(is_of_bulk(each) for each in records):
            yield
            return
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._last_at = time.monotonic()


WAITING: Final[LiteralString] = "SELECT sum(records) >= $1 FROM (SELECT records FROM outbox_waiting LIMIT $1) AS first"


def portion_records(allowed: int, size: int, took_seconds: float) -> int:
    """Return how many records the next portion may have: at most twice the `size` of one that took so long."""
    if took_seconds <= 2 * PORTION_SECONDS and (size < allowed or took_seconds >= PORTION_SECONDS):
        return allowed
    return max(1, size // 4, min(round(size * PORTION_SECONDS / max(took_seconds, PORTION_SECONDS / 2)), MOST_RECORDS))


class Courtesy:
    """When the bulk lane may take its next portion, and how large that is."""

    def __init__(self, live: Activity, pool: Pool, share: float) -> None:
        """Let `live` go first; work `share` of the time while it is at work, and less where cores are scarce."""
        self._live = live
        self._pool = pool
        self._share = share
        self._cores = Cores()
        self._took_seconds, self._records = 0.0, FIRST_RECORDS
        self.stopping = asyncio.Event()

    @property
    def share(self) -> float:
        """Return how much of the time bulk may work now, while anything live is at work."""
        return self._share * (SCARCE_SHARE if self._cores.are_scarce else 1.0)

    async def turn(self) -> None:
        """Wait until it is bulk's turn: rested, nothing live under way, room in the outbox; or for long enough.

        For what is live and under way bulk waits once more as long as it rests, so that it has half its share at least.
        """
        started = time.monotonic()
        rest_seconds = pause_seconds(self._took_seconds, self.share, self._live.seconds_ago)
        await asyncio.sleep(rest_seconds)
        while self._live.under_way and time.monotonic() < started + 2 * rest_seconds:  # noqa: ASYNC110 - looked at
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        while time.monotonic() < started + LONGEST_WAIT_SECONDS and await self._outbox_is_full():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_SECONDS)  # nobody tells when another process has emptied it

    async def in_portions(
        self,
        records: Sequence[Record],
        still_next: Callable[[Sequence[Record]], Sequence[Record]],
        handle: Callable[[Sequence[Record]], Awaitable[bool]],
    ) -> Sequence[Record]:
        """Let `handle` have the records in portions, each when it is bulk's turn, until it says that one is not done.

        Returns what comes after that one. `still_next` leaves out what has gone to others while we waited; when we are
        `stopping`, what is left is let be.
        """
        while records and not self.stopping.is_set():
            await self.turn()
            records = still_next(records)
            size = self.portion_of(records)
            portion, records = records[:size], records[size:]
            started = time.monotonic()
            is_done = not portion or await handle(portion)
            self._took_seconds = time.monotonic() - started
            self._records = portion_records(self._records, size, self._took_seconds)
            if not is_done:
                return records
        return []

    def portion_of(self, records: Sequence[Record]) -> int:
        """Return how many of the first of `records` to take now."""
        size_bytes = 0
        for number, record in enumerate(records):
            if number >= self._records and size_bytes >= LEAST_BYTES:
                return number
            size_bytes += len(record.value or b"")
        return len(records)

    async def _outbox_is_full(self) -> bool:
        try:
            return bool(await self._pool.fetchval(WAITING, MOST_IN_OUTBOX))
        except TRANSIENT:
            return True

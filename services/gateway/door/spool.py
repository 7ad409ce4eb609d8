"""Where deliveries are kept when Kafka does not take them in time: rows of PostgreSQL, many in one commit.

What arrives in one turn of the event loop is one insert. While all connections are busy the next one fills. Nothing
waits longer than its budget: the server is told to give up by then, and a connection that does not answer is dropped.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from chassis.errors import TRANSIENT
from chassis.health import Progress
from services.gateway.door.raw_batch import HEADERS_BYTES, Outcome
from services.gateway.door.spool_link import Link
from services.gateway.door.store_spool import Spooled

log = logging.getLogger(__name__)

FILLING_SECONDS: Final = 0.05
INSERT_BYTES: Final = 4 * 1024 * 1024
INSERT_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How long a delivery may wait for its commit, how much may wait, how many inserts travel at once."""

    budget_seconds: float = 0.4
    waiting_bytes: int = 64 * 1024 * 1024
    inserts_on_their_way: int = 2


@dataclass(slots=True, eq=False)
class Insert:
    """Records that are committed together before `deadline`, each with the future of who waits for it."""

    born_at: float
    deadline: float
    records: list[Spooled] = field(default_factory=list)
    waiting: list[asyncio.Future[Outcome]] = field(default_factory=list)
    size_bytes: int = 0
    timer: asyncio.TimerHandle | None = None

    def settle(self, outcome: Outcome) -> None:
        """Answer everyone who still waits."""
        for one in self.waiting:
            if not one.done():
                one.set_result(outcome)

    def has_room_for(self, size_bytes: int, now: float) -> bool:
        """Return whether one more record may come along."""
        is_small = len(self.records) < INSERT_ROWS and self.size_bytes + size_bytes <= INSERT_BYTES
        return is_small and now - self.born_at <= FILLING_SECONDS


class Spool:
    """Adds deliveries to the table `spool`. Runs as a part: what waits when it stops is committed first."""

    name = "spool"

    def __init__(self, *, dsn: str, progress: Progress, limits: SpoolLimits) -> None:
        """Write to the database at `dsn`; nothing is connected before it is needed."""
        self._progress = progress
        self._limits = limits
        self._free = [Link(dsn, limits.budget_seconds) for _ in range(limits.inserts_on_their_way)]
        self._queue: deque[Insert] = deque()
        self._under_way: set[Insert] = set()
        self._waiting_bytes = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._is_pump_due = False
        self._trouble = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Commit what is written until `stopping`, then what still waits."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            beating = tasks.create_task(self._beat())
            self._pump()
            await stopping.wait()
            while waiting := [one for insert in (*self._queue, *self._under_way) for one in insert.waiting]:
                await asyncio.wait(waiting)
            self._tasks = None
            beating.cancel()
        for link in self._free:
            await link.close()

    def write(self, record: Spooled) -> asyncio.Future[Outcome]:
        """Keep one record; the result comes once it is committed, or will not be within the budget."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Outcome] = loop.create_future()
        size = len(record.value) + HEADERS_BYTES
        if self._waiting_bytes + size > self._limits.waiting_bytes:
            waiting.set_result(Outcome.SPOOL_FULL)
            return waiting
        insert = self._filling(size, loop)
        insert.records.append(record)
        insert.waiting.append(waiting)
        insert.size_bytes += size
        self._waiting_bytes += size
        if not self._is_pump_due:
            self._is_pump_due = True
            loop.call_soon(self._pump)
        return waiting

    def _filling(self, size_bytes: int, loop: asyncio.AbstractEventLoop) -> Insert:
        now = loop.time()
        if not self._queue or not self._queue[-1].has_room_for(size_bytes, now):
            insert = Insert(now, now + self._limits.budget_seconds)
            insert.timer = loop.call_at(insert.deadline, self._expire, insert)
            self._queue.append(insert)
        return self._queue[-1]

    def _pump(self) -> None:
        self._is_pump_due = False
        while self._queue and self._free and self._tasks is not None:
            insert = self._queue.popleft()
            if insert.timer is not None:
                insert.timer.cancel()
            self._under_way.add(insert)
            self._tasks.create_task(self._carry_out(insert, self._free.pop()))

    async def _carry_out(self, insert: Insert, link: Link) -> None:
        outcome = await self._attempt(insert, link)
        self._free.append(link)
        self._under_way.remove(insert)
        self._waiting_bytes -= insert.size_bytes
        insert.settle(outcome)
        self._pump()

    async def _attempt(self, insert: Insert, link: Link) -> Outcome:
        try:
            await link.add(insert.records, insert.deadline)
        except TRANSIENT as error:
            self._say_once(str(error) or type(error).__name__)
            is_late = asyncio.get_running_loop().time() >= insert.deadline
            return Outcome.SPOOL_LATE if is_late else Outcome.SPOOL_REFUSED
        if self._trouble:
            log.warning("the spool takes deliveries again")
            self._trouble = False
        return Outcome.SPOOLED

    def _expire(self, insert: Insert) -> None:
        """Answer an insert whose budget was used up before it could leave."""
        self._queue.remove(insert)
        self._waiting_bytes -= insert.size_bytes
        self._say_once("no free connection within the budget")
        insert.settle(Outcome.SPOOL_LATE)

    def _say_once(self, reason: str) -> None:
        """Log what is wrong with the database, once until it is right again."""
        if not self._trouble:
            self._trouble = True
            log.error("the spool takes nothing", extra={"reason": reason})

    async def _beat(self) -> None:
        while True:
            self._progress.beat(self.name)
            await asyncio.sleep(1)

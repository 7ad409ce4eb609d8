"""How the worker treats a tracker that can hardly take a call."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from chassis.http import Unavailable
from contracts.events.obligation import State
from services.ticketing.records import Draft, Note, TicketRef
from tests.builders import client_changed
from tests.ticketing.desk import Room, until
from tests.ticketing.findings import state_changed


@dataclass
class StrictTracker:
    """Takes ten calls a second, five at once at most; a whole creation needs all five. Keeps tickets in memory."""

    tickets: dict[str, list[str]] = field(default_factory=dict)
    tokens: float = 5
    filled_at: float = field(default_factory=time.monotonic)
    refused: int = 0

    def _take(self, calls: int) -> None:
        now = time.monotonic()
        self.tokens = min(5, self.tokens + (now - self.filled_at) * 10)
        self.filled_at = now
        if self.tokens < calls:
            self.refused += 1
            raise Unavailable("too many calls", retry_after_seconds=0.1, limited=True)
        self.tokens -= calls

    async def find(self, key: str) -> list[TicketRef]:
        self._take(1)
        return [TicketRef(id=each, is_open=True) for each in self.tickets.get(key, [])]

    async def reserve(self) -> str | None:
        self._take(1)
        return None

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        del reservation
        self._take(3)
        number = str(sum(len(each) for each in self.tickets.values()) + 1)
        self.tickets.setdefault(draft.key, []).append(number)
        return TicketRef(id=number, is_open=True)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        raise NotImplementedError

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        raise NotImplementedError

    async def append(self, ref: TicketRef, note: Note) -> None:
        raise NotImplementedError

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        raise NotImplementedError

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        raise NotImplementedError

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        raise NotImplementedError

    async def key_of(self, number: str) -> str | None:
        raise NotImplementedError

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        raise NotImplementedError

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self.tokens = 0


async def test_a_limit_that_one_act_uses_up_is_still_got_through(room: Room, requirement: str) -> None:
    tracker = StrictTracker()
    events = [state_changed("a", State.FAILED, 1, requirement=f"{requirement} {number}") for number in range(6)]
    await room.handle(client_changed("Acme Dental", sequence=1), *events)

    async def all_done() -> bool:
        return bool(await room.pool.fetchval("SELECT bool_and(state = 'done') FROM intent"))

    async with room.working(tracker):
        await until(all_done, seconds=40)

    assert [len(each) for each in tracker.tickets.values()] == [1] * 6
    assert tracker.refused > 0

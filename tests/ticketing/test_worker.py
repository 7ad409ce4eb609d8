"""How the worker treats a tracker that can hardly take a call."""

import time
from dataclasses import dataclass, field

from chassis.http import Unavailable
from contracts.events.obligation import State
from services.ticketing.records import Draft, TicketRef
from tests.builders import client_changed
from tests.ticketing.desk import OnlyOpens, Room, until
from tests.ticketing.findings import state_changed


@dataclass
class StrictTracker(OnlyOpens):
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

"""Trackers that hang, and workers that die with them: moments in which a test can strike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

from contracts.envelope import Envelope
from contracts.events.obligation import State
from patchline.local.roundup import Roundup as LocalRoundup
from services.ticketing.adapters.roundup import Roundup
from services.ticketing.records import Draft, Note, TicketRef
from simulators.faulty_proxy import FaultyProxy, faulty_proxy
from tests.builders import client_changed
from tests.ticketing.desk import Room
from tests.ticketing.findings import state_changed

KNOWN = client_changed("Acme Dental", sequence=1)


def failed(device: str, requirement: str, sequence: int = 1) -> Envelope:
    return state_changed(device, State.FAILED, sequence, requirement=requirement)


class Wrapped:
    """A tracker with a moment in which a test can strike."""

    def __init__(self, inner: Roundup) -> None:
        self.inner = inner

    async def find(self, key: str) -> list[TicketRef]:
        return await self.inner.find(key)

    async def reserve(self) -> str | None:
        return await self.inner.reserve()

    async def say_first(self, note: Note) -> str | None:
        return await self.inner.say_first(note)

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        return await self.inner.create(draft, reservation)

    async def has_note(self, ref: TicketRef, marker: str) -> bool:
        return await self.inner.has_note(ref, marker)

    async def last_note(self, ref: TicketRef, key: str) -> str | None:
        return await self.inner.last_note(ref, key)

    async def words(self, ref: TicketRef, key: str) -> str:
        return await self.inner.words(ref, key)

    async def append(self, ref: TicketRef, note: Note) -> None:
        await self.inner.append(ref, note)

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        await self.inner.resolve(ref, note)

    async def reopen(self, ref: TicketRef, note: Note) -> None:
        await self.inner.reopen(ref, note)

    async def marked(self, *, changed_since: datetime | None, page: int) -> list[str]:
        return await self.inner.marked(changed_since=changed_since, page=page)

    async def key_of(self, number: str) -> str | None:
        return await self.inner.key_of(number)

    async def take_over(self, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
        await self.inner.take_over(kept, other, key=key, note=note)

    async def give_way(self, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
        await self.inner.give_way(other, kept, key=key, note=note)

    async def close(self) -> None:
        await self.inner.close()


class HangsAfter(Wrapped):
    """Does what it is told and never comes back: whoever waits is killed."""

    def __init__(self, inner: Roundup) -> None:
        super().__init__(inner)
        self.reached = asyncio.Event()

    async def _hang(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()

    async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
        made = await self.inner.create(draft, reservation)
        await self._hang()
        return made

    async def append(self, ref: TicketRef, note: Note) -> None:
        await self.inner.append(ref, note)
        await self._hang()

    async def resolve(self, ref: TicketRef, note: Note) -> None:
        await self.inner.resolve(ref, note)
        await self._hang()


async def holds(room: Room, question: str) -> bool:
    return bool(await room.pool.fetchval(question))


@asynccontextmanager
async def proxy(roundup: LocalRoundup) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(urlsplit(roundup.url).port or 80) as between:
        yield between

"""The loop that listens whether sources still speak of clients who want to know."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts.envelope import Envelope
from contracts.events.monitor import SourceSilent
from contracts.events.rmm import RmmEvent
from services.compliance.monitors import store_sources
from services.compliance.monitors.agreements import Agreements
from services.compliance.monitors.rules_agreed import Agreed, later
from services.compliance.monitors.rules_told import source_silent
from services.compliance.monitors.store_sources import Listened, OfClient
from services.compliance.monitors.telling import tell

AT_MOST_EVERY: Final = timedelta(minutes=1)
"""How often a process notes that a source was heard: silence is told in hours, not seconds."""


class Hearing:
    """Notes which sources spoke of which clients, as batches come in."""

    def __init__(self) -> None:
        """Begin with none noted."""
        self._noted_at: dict[OfClient, datetime] = {}

    async def note(self, tx: Connection, events: Iterable[Envelope], watched: Collection[UUID], now: datetime) -> None:
        """Note the sources that speak in `events` of clients that are `watched`, each at most once a minute."""
        last = {(event.source, event.tenant): event for event in events if event.tenant in watched}
        due = {
            (source, tenant)
            for (source, tenant), event in last.items()
            if tenant is not None and isinstance(event.data, RmmEvent) and self._is_due((source, tenant), now)
        }
        if due:
            await store_sources.heard(tx, due, now)
            self._noted_at |= dict.fromkeys(due, now)

    def _is_due(self, key: OfClient, now: datetime) -> bool:
        noted_at = self._noted_at.get(key)
        return noted_at is None or now - noted_at >= AT_MOST_EVERY


class Silence:
    """Tells of a source that fell silent for a client, and that it speaks again."""

    def __init__(self, on: Platform, agreements: Agreements) -> None:
        """Listen for clients whose agreement asks for it, by the clock of `on`."""
        self._on = on
        self._agreements = agreements

    async def listen(self) -> bool:
        """Fold what was heard, tell whose silence lasts too long; return whether more is waiting, which it never is."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            held = await self._agreements.held(tx, now)
            told = await _spoke(tx, held, now)
            told += await _fell_silent(tx, held, now)
            if not told:
                return False
            counts = await store_sources.devices(tx, [(each.source, each.tenant_id) for each in told])
            await tell(tx, [_event(each, held, counts, now) for each in told])
        self._on.relay.wake()
        return False


async def _spoke(tx: Connection, held: Mapping[UUID, Agreed], now: datetime) -> list[Listened]:
    """Save when sources were heard, and return those whose silence ended."""
    words = await store_sources.take_words(tx)
    if not words:
        return []
    kept = await store_sources.kept(tx, words)
    heard = [
        Listened(
            source, tenant, max(at, kept[source, tenant].heard_at) if (source, tenant) in kept else at, silent=False
        )
        for (source, tenant), at in words.items()
        if tenant in held and held[tenant].silent_after is not None
    ]
    await store_sources.save(tx, [(each, _look_at(each, held[each.tenant_id], now)) for each in heard])
    return [
        each for each in heard if (each.source, each.tenant_id) in kept and kept[each.source, each.tenant_id].silent
    ]


def _look_at(listened: Listened, agreed: Agreed, now: datetime) -> datetime:
    return later(listened.heard_at, agreed.silent_after, agreed.zone) if agreed.silent_after else now


async def _fell_silent(tx: Connection, held: Mapping[UUID, Agreed], now: datetime) -> list[Listened]:
    """Return the sources that said nothing for too long; those that nobody asks about are let go, their silence too."""
    due = await store_sources.due(tx, now)
    wanted = [each for each in due if each.tenant_id in held and held[each.tenant_id].silent_after is not None]
    unwanted = [each for each in due if each not in wanted]
    if unwanted:
        await store_sources.forget(tx, [(each.source, each.tenant_id) for each in unwanted])
    looked = [(each, _look_at(each, held[each.tenant_id], now)) for each in wanted]
    fallen = [Listened(each.source, each.tenant_id, each.heard_at, silent=True) for each, at in looked if at <= now]
    await store_sources.save(tx, [(each, None) for each in fallen] + [(each, at) for each, at in looked if at > now])
    ended = [Listened(each.source, each.tenant_id, each.heard_at, silent=False) for each in unwanted if each.silent]
    known_before = {(each.source, each.tenant_id) for each in wanted if each.silent}
    return ended + [each for each in fallen if (each.source, each.tenant_id) not in known_before]


def _event(each: Listened, held: Mapping[UUID, Agreed], counts: Mapping[OfClient, int], now: datetime) -> Envelope:
    agreed = held.get(each.tenant_id)
    longest = later(now, agreed.silent_after, agreed.zone) - now if agreed and agreed.silent_after else AT_MOST_EVERY
    why = (
        f"nothing was heard of this client since {each.heard_at:%Y-%m-%d %H:%M}Z" if each.silent else "it speaks again"
    )
    if agreed is None or agreed.silent_after is None:
        why = "the client's policy no longer asks for it"
    event = SourceSilent(
        source=each.source,
        silent=each.silent,
        heard_at=each.heard_at,
        longest_silence_seconds=int(longest.total_seconds()),
        devices=counts.get((each.source, each.tenant_id), 0),
        why=why,
    )
    return source_silent(each.source, each.tenant_id, now, event)

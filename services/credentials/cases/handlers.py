"""Load, decide, save: what feeds, people and tickets say becomes cases and the steps that the worker takes."""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from chassis.batch import Batch, Fate, Received
from chassis.clock import Clock
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from contracts.events.event import Event
from contracts.events.exposure import ApprovalGiven, ExposureFound
from contracts.events.ticket import TicketEvent
from services.credentials import telling
from services.credentials.cases import answers, arrivals, store_history
from services.credentials.cases.records import Sighting
from services.credentials.people import approvals
from services.credentials.records import Cause

log = logging.getLogger(__name__)

Item = Received[Envelope]


class CredentialsHandler:
    """Takes `exposures`, `clients` and `tickets` in one consumer group."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Let steps be due by `clock`: the recorded time never goes back, where a clock may."""
        self._clock = clock

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Save the clients, then take what was not handled before: exposures, approvals, tickets."""
        await _save_clients(tx, batch)
        items = await _new(tx, batch, [each for each in batch.items if _is_ours(batch, each)])
        now = batch.recorded_at if self._clock is None else min(batch.recorded_at, self._clock())
        told = await arrivals.taken(tx, [_sighting(each.value) for each in _of(items, ExposureFound)], now=now)
        if given := _of(items, ApprovalGiven):
            counting = await approvals.counted(tx, [each.value for each in given], now=now)
            told += [*counting.facts, *await answers.settled(tx, counting.verdicts, now=now)]
            _count_uncounted(batch, given, dict(counting.uncounted), counting.repeated)
        if tickets := _of(items, TicketEvent):  # most are of no case: nothing is asked then
            told += await answers.linked(tx, [each.value for each in tickets], now=now)
        await telling.tell(tx, told)


def _is_ours(batch: Batch[Envelope], item: Item) -> bool:
    """Return whether an event is to be handled here; what can never be is refused."""
    match item.value.data:
        case ClientChanged():
            return False
        case ExposureFound() if item.value.tenant is None:
            batch.refuse(item, "ce_tenantid: an exposure belongs to a client, this one names none")
            return False
        case ExposureFound() | ApprovalGiven():
            return True
        case TicketEvent() as event if answers.is_of_a_case(event):
            return True
        case _:
            batch.count(item, Fate.IGNORED)
            return False


async def _new(tx: Connection, batch: Batch[Envelope], items: Sequence[Item]) -> list[Item]:
    """Return each event that was not handled before once, in the order of acceptance."""
    keyed = [item.value for item in items if item.value.tenant is not None]
    new = await store_history.remember(tx, keyed, batch.recorded_at)
    first: dict[UUID, Item] = {}
    for item in items:
        known = item.value.tenant is not None and item.value.id not in new
        if known or item.value.id in first:
            batch.count(item, Fate.DUPLICATE)
        else:
            first[item.value.id] = item
    return list(first.values())


def _of(items: Sequence[Item], kind: type[Event]) -> list[Item]:
    return [item for item in items if isinstance(item.value.data, kind)]


def _sighting(envelope: Envelope) -> Sighting:
    if envelope.tenant is None or not isinstance(envelope.data, ExposureFound):
        raise TypeError(f"{envelope.id} is no exposure of a client")
    return Sighting(
        tenant=envelope.tenant,
        source=envelope.source,
        found=envelope.data,
        occurred_at=envelope.time,
        cause=Cause(
            id=envelope.id,
            received_at=envelope.received,
            traceparent=envelope.traceparent,
            correlation=envelope.correlation,
        ),
    )


def _count_uncounted(
    batch: Batch[Envelope], items: Sequence[Item], why_by_event: dict[UUID, str], repeated: AbstractSet[UUID]
) -> None:
    """Say of each approval that did not count why: it changes nothing, and somebody may wonder."""
    for item in items:
        if item.value.id in repeated:
            batch.count(item, Fate.DUPLICATE)
        elif why := why_by_event.get(item.value.id):
            batch.count(item, Fate.IGNORED)
            log.warning("an approval did not count", extra={"event": str(item.value.id), "reason": why})


async def _save_clients(tx: Connection, batch: Batch[Envelope]) -> None:
    told: list[tuple[Item, tuple[UUID, ClientChanged, int]]] = []
    for item in batch.items:
        match item.value:
            case Envelope(data=ClientChanged() as client, tenant=tenant, sequence=sequence):
                if tenant is None or sequence is None:
                    batch.refuse(item, "ce_tenantid, ce_sequence: the record of a client has both")
                else:
                    told.append((item, (tenant, client, sequence)))
            case _:
                continue
    if told:
        saved = await store_history.save_clients(tx, [each for _, each in told])
        for item, (tenant, _, _) in told:
            if tenant not in saved:
                batch.count(item, Fate.SUPERSEDED)

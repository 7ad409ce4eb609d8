"""What inventory does with a batch: load the assets, fold the facts in, save, remember, announce."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from chassis import outbox
from chassis.batch import Batch, Fate, Received
from chassis.postgres import Connection
from contracts import topics
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from services.inventory import applications, merging, rules, store, store_merges
from services.inventory.merging import Held
from services.inventory.rules import Step
from services.inventory.rules_facts import ABOUT_DEVICE, Fact, Unusable, by_asset, fact
from services.inventory.rules_news import news


class DeviceEvents:
    """Folds what the RMMs say about devices into assets."""

    def __init__(self, *, quiet: timedelta) -> None:
        """Publish an asset that changed, and one that was only seen again once `quiet` has passed since."""
        self._quiet = quiet

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Save the assets as they are after the batch, keep what was said, announce what changed.

        History holds what is said about devices themselves. Patch and alert events are ten to a hundred times as many;
        compliance keeps each with both its times, and folding one again changes nothing, so none is lost or doubled.
        """
        told = _told(batch)
        facts = by_asset(each for _, each in told)
        held = await merging.held(tx, facts.keys())
        kept = held.kept
        steps = [rules.step(each, kept.get(each), theirs, quiet=self._quiet) for each, theirs in facts.items()]
        await store.save(tx, steps)
        await applications.keep(tx, steps, facts)
        about_devices = [(item, each) for item, each in told if type(each.event.data) in ABOUT_DEVICE]
        lines = [(each, (item.record.value or b"").decode()) for item, each in about_devices]
        new = await store.append_history(tx, lines, batch.recorded_at)
        events = await _news(tx, steps, held)
        await outbox.enqueue_sequenced(tx, topics.ASSETS, [(event.subject, event) for event in events])
        late = {
            id(each) for asset, theirs in facts.items() for each in theirs if rules.is_superseded(each, kept.get(asset))
        }
        _count(batch, [item for item, each in told if id(each) in late], [item for item, _ in about_devices], new)


async def _news(tx: Connection, steps: Sequence[Step], held: Held) -> list[Envelope]:
    """Return what is told of the assets, once they are saved; those that are one machine are told of as one."""
    memberships = held.memberships
    if not memberships:
        return [news(step.after, step.why) for step in steps if step.why]
    if await merging.part_those_that_changed_hands(tx, steps, memberships):
        memberships = await store_merges.memberships(tx, memberships)
    alone = [news(step.after, step.why) for step in steps if step.why and step.after.asset_id not in memberships]
    return alone + merging.records(steps, held.kept, memberships)


def _count(
    batch: Batch[Envelope], late: list[Received[Envelope]], about_devices: list[Received[Envelope]], new: set[UUID]
) -> None:
    """Say which records brought nothing new; `new` are the ids that history did not hold, each of them once."""
    for item in late:
        batch.count(item, Fate.SUPERSEDED)
    for item in about_devices:
        if item.value.id not in new:
            batch.count(item, Fate.DUPLICATE)
        new.discard(item.value.id)


def _told(batch: Batch[Envelope]) -> list[tuple[Received[Envelope], Fact]]:
    """Return what the batch says; records that can never be folded are refused."""
    told: list[tuple[Received[Envelope], Fact]] = []
    for item in batch.items:
        match fact(item.value):
            case Unusable(reason):
                batch.refuse(item, reason)
            case usable:
                told.append((item, usable))
    return told


class Clients:
    """Keeps a copy of what the clients are called."""

    async def on_batch(self, tx: Connection, batch: Batch[Envelope]) -> None:
        """Keep the newest name of each client."""
        told: list[tuple[Received[Envelope], store.ClientName]] = []
        for item in batch.items:
            event = item.value
            match event.data:
                case ClientChanged(name=name) if event.tenant is not None and event.sequence is not None:
                    told.append((item, store.ClientName(event.tenant, name, event.sequence)))
                case _:
                    batch.refuse(item, f"ce_type: a {event.data.TYPE} without client and sequence is no client record")
        kept = await store.keep_clients(tx, [each for _, each in told])
        for item, each in told:
            if each.tenant_id not in kept:
                batch.count(item, Fate.SUPERSEDED)

"""What a batch and a decision leave behind for the monitors: words on restarts, machines to look at, sources heard."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from chassis.batch import Batch, Fate, Received
from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.rmm import DeviceBooted
from services.compliance.monitors import store_words
from services.compliance.monitors.news import RebootNews
from services.compliance.monitors.silence import Hearing
from services.compliance.monitors.store_watch import touch, touch_devices, touch_watched
from services.compliance.news import FactNews
from services.compliance.rules_assets import AssetNews
from services.compliance.rules_known import Outcome


class Watching:
    """Notes what monitors need of a batch, in its transaction. Without a client who has a policy it costs nothing."""

    def __init__(self) -> None:
        """Begin with no source heard."""
        self._hearing = Hearing()

    async def heard(
        self,
        tx: Connection,
        batch: Batch[Envelope],
        words: Sequence[tuple[Received[Envelope], RebootNews]],
        facts: Iterable[FactNews],
        *,
        assets: Iterable[AssetNews],
        watched: Collection[UUID],
    ) -> None:
        """Keep words on restarts, each once; of clients that are `watched` let restarted machines be looked at.

        So are machines that went to a client who is not: what the first was told of them is to be taken back.
        """
        if words:
            kept = await store_words.keep(tx, [word for _, word in words], batch.recorded_at)
            for item, word in words:
                if word.event.id not in kept:
                    batch.count(item, Fate.DUPLICATE)
                kept.discard(word.event.id)
        if not watched:
            return
        restarted = {word.device_id for _, word in words if word.tenant_id in watched}
        restarted |= {
            fact.device_id for fact in facts if isinstance(fact.told, DeviceBooted) and fact.tenant_id in watched
        }
        if restarted:
            await touch_devices(tx, restarted)
        if elsewhere := {each.asset_id for each in assets if each.tenant_id not in watched}:
            await touch_watched(tx, elsewhere)
        await self._hearing.note(tx, (item.value for item in batch.items), watched, batch.recorded_at)


async def decided(tx: Connection, after: Outcome, watched: Collection[UUID]) -> None:
    """Let the machines be looked at whose obligations changed, of clients that are `watched`."""
    tenant_by_asset: dict[UUID, UUID] = {}
    for changed in (after.obligations, after.withdrawn, after.failing, after.assets):
        tenant_by_asset |= {each.asset_id: each.tenant_id for each in changed if each.tenant_id in watched}
    if tenant_by_asset:
        await touch(tx, tenant_by_asset)

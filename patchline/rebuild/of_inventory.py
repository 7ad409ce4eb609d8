"""What a rebuild of inventory consists of: assets folded anew; what was announced of them stays as it was."""

from datetime import timedelta
from typing import Final, LiteralString

from chassis.postgres import Connection, transaction
from patchline.rebuild import ledger
from patchline.rebuild.comparing import Table
from patchline.rebuild.plan import Plan, Settling
from patchline.rebuild.reader import EPOCH
from patchline.rebuild.sessions import Sessions
from services.inventory.handlers import DeviceEvents

STAMPS: Final[LiteralString] = """
    UPDATE device_fact SET recorded_at = live.recorded_at FROM inventory.device_fact AS live
    WHERE device_fact.event_id = live.event_id AND device_fact.event_id = ANY($1::uuid[])
"""
ANNOUNCED: Final[LiteralString] = """
    UPDATE asset SET revision = live.revision, announced_seen_at = live.announced_seen_at
    FROM inventory.asset AS live WHERE asset.asset_id = live.asset_id
"""
SEEN: Final[LiteralString] = """
    UPDATE asset
    SET first_seen_at = live.first_seen_at, last_seen_at = live.last_seen_at, stamps = live.stamps
    FROM inventory.asset AS live
    WHERE asset.asset_id = live.asset_id AND (live.source = ANY($1::text[]) OR live.first_seen_at < $2)
      AND (asset.first_seen_at, asset.last_seen_at, asset.stamps)
          IS DISTINCT FROM (live.first_seen_at, live.last_seen_at, live.stamps)
"""
ONLY_SEEN: Final[LiteralString] = """
    INSERT INTO asset SELECT * FROM inventory.asset AS live
    WHERE (live.source = ANY($1::text[]) OR live.first_seen_at < $2)
      AND NOT EXISTS (SELECT FROM asset AS made WHERE made.asset_id = live.asset_id)
"""


async def _settle(settling: Settling) -> None:
    """Carry over what was announced, and when devices were seen by alerts that no history holds and no body tells."""
    lost = settling.lost
    async with transaction(settling.sessions.shadow) as tx:
        await tx.execute(ANNOUNCED)
        if lost.sources or lost.expired_before > EPOCH:
            for statement in (SEEN, ONLY_SEEN):
                tag = await tx.execute(statement, sorted(lost.sources), lost.expired_before)
                settling.counts.carried += int(tag.rpartition(" ")[2])


async def _ready(_sessions: Sessions) -> str | None:
    """Return nothing: there is nothing to wait for."""
    return None


async def _nothing(_tx: Connection) -> None:
    """Do nothing."""


def plan() -> Plan:
    """Return the plan. Nothing is announced by it, so a quiet time without end spares the shadow's outbox."""
    return Plan(
        service="inventory",
        tables=(Table("asset", ("asset_id",)), Table("device_fact", ("event_id",))),
        also_compared=(),
        copied=(),
        locked=("watermark", "asset", "device_fact"),
        handler=DeviceEvents(quiet=timedelta.max),
        stamps=STAMPS,
        hold=None,
        ledger=(("inventory", ledger.DEVICE_FACTS), ("compliance", ledger.PATCH_FACTS)),
        ready=_ready,
        settle=_settle,
        compare_more=_nothing,
        after=_nothing,
    )

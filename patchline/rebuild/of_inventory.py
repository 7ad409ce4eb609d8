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
RETIRED: Final[LiteralString] = """
    UPDATE asset SET removed_at = live.removed_at, retired_at = live.retired_at, stamps = live.stamps
    FROM inventory.asset AS live
    WHERE asset.asset_id = live.asset_id AND live.retired_at IS NOT NULL AND asset.last_seen_at = live.last_seen_at
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
TAKE_LISTINGS: Final[LiteralString] = """
    INSERT INTO application_listing SELECT live.*
    FROM inventory.application_listing AS live JOIN inventory.asset AS known USING (asset_id)
    WHERE known.source = ANY($1::text[]) OR coalesce(live.listed_at, '-infinity') < $2
    ON CONFLICT (asset_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, listed_at = excluded.listed_at, listing = excluded.listing,
        digest = excluded.digest, added = excluded.added
    WHERE (application_listing.tenant_id, application_listing.listed_at, application_listing.listing,
           application_listing.added)
          IS DISTINCT FROM (excluded.tenant_id, excluded.listed_at, excluded.listing, excluded.added)
"""
DROP_APPLICATIONS: Final[LiteralString] = """
    DELETE FROM application AS made
    USING inventory.application_listing AS live JOIN inventory.asset AS known USING (asset_id)
    WHERE made.asset_id = live.asset_id
      AND (known.source = ANY($1::text[]) OR coalesce(live.listed_at, '-infinity') < $2)
      AND NOT EXISTS (SELECT FROM inventory.application AS there
                      WHERE there.asset_id = made.asset_id AND there.application_id = made.application_id)
"""
TAKE_APPLICATIONS: Final[LiteralString] = """
    INSERT INTO application SELECT there.*
    FROM inventory.application AS there
    JOIN inventory.application_listing AS live USING (asset_id) JOIN inventory.asset AS known USING (asset_id)
    WHERE known.source = ANY($1::text[]) OR coalesce(live.listed_at, '-infinity') < $2
    ON CONFLICT (asset_id, application_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, added_at = excluded.added_at, added_listing = excluded.added_listing
    WHERE (application.tenant_id, application.added_at, application.added_listing)
          IS DISTINCT FROM (excluded.tenant_id, excluded.added_at, excluded.added_listing)
"""
CARRIED: Final = (SEEN, ONLY_SEEN, TAKE_LISTINGS, DROP_APPLICATIONS, TAKE_APPLICATIONS)
"""What no history holds: sightings by alerts, and listings. A newer complete listing that opens makes up for both."""


async def _settle(settling: Settling) -> None:
    """Carry over what was announced, and what was seen or listed that no history holds and no body tells any more."""
    lost = settling.lost
    async with transaction(settling.sessions.shadow) as tx:
        await tx.execute(ANNOUNCED)
        await tx.execute(RETIRED)  # a person's decision, which no raw topic has
        if lost.sources or lost.expired_before > EPOCH:
            for statement in CARRIED:
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
        tables=(
            Table("asset", ("asset_id",)),
            Table("device_fact", ("event_id",)),
            Table("application", ("asset_id", "application_id")),
            Table("application_listing", ("asset_id",), left_out=("digest",)),
        ),
        also_compared=(),
        copied=(),
        locked=("watermark", "asset", "device_fact", "application", "application_listing"),
        handler=DeviceEvents(quiet=timedelta.max),
        stamps=STAMPS,
        hold=None,
        ledger=(("inventory", ledger.DEVICE_FACTS), ("compliance", ledger.PATCH_FACTS)),
        ready=_ready,
        settle=_settle,
        compare_more=_nothing,
        after=_nothing,
    )

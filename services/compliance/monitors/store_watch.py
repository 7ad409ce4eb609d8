"""Which machines are watched by which policy, and which of them are to be looked at now."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection

ALONE: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(hashtextextended('compliance.monitors', 0))"
AGREED: Final[LiteralString] = "SELECT tenant_id, policy FROM monitor_agreed"


async def watched_by(tx: Connection) -> dict[UUID, str] | None:
    """Return by which policy each client is watched; `None`: another process is at work on that."""
    if not await tx.fetchval(ALONE):
        return None
    return {row["tenant_id"]: row["policy"] for row in await tx.fetch(AGREED)}


NOTICE: Final[LiteralString] = """
    INSERT INTO monitor_agreed AS kept (tenant_id, policy, noticed_at)
    SELECT tenant_id, policy, $3 FROM unnest($1::uuid[], $2::text[]) AS held (tenant_id, policy)
    ON CONFLICT (tenant_id) DO UPDATE SET policy = excluded.policy, noticed_at = excluded.noticed_at
    WHERE kept.policy <> excluded.policy
"""
FORGET: Final[LiteralString] = "DELETE FROM monitor_agreed WHERE tenant_id = ANY($1::uuid[])"
WATCH_ALL: Final[LiteralString] = """
    INSERT INTO monitor_watch (asset_id, tenant_id, since_at, look_at)
    SELECT asset_id, tenant_id, $2, $2 FROM asset WHERE tenant_id = ANY($1::uuid[]) ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET look_at = excluded.look_at
"""
LOOK_AT_ALL: Final[LiteralString] = "UPDATE monitor_watch SET look_at = $2 WHERE tenant_id = ANY($1::uuid[])"


async def notice(tx: Connection, held: Mapping[UUID, str], gone: Collection[UUID], now: datetime) -> None:
    """Note by which policy clients are watched from now on, and let all of their machines be looked at."""
    tenants = sorted(held)
    await tx.execute(NOTICE, tenants, [held[each] for each in tenants], now)
    await tx.execute(WATCH_ALL, tenants, now)
    await tx.execute(FORGET, sorted(gone))
    await tx.execute(LOOK_AT_ALL, sorted(gone), now)


TOUCH: Final[LiteralString] = """
    INSERT INTO monitor_touched (asset_id, tenant_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
"""


async def touch(tx: Connection, tenant_by_asset: Mapping[UUID, UUID]) -> None:
    """Let these machines be looked at."""
    await tx.execute(TOUCH, list(tenant_by_asset), list(tenant_by_asset.values()))


TOUCH_DEVICES: Final[LiteralString] = """
    INSERT INTO monitor_touched (asset_id, tenant_id)
    SELECT DISTINCT asset_id, tenant_id FROM device WHERE device_id = ANY($1::uuid[]) AND asset_id IS NOT NULL
"""


async def touch_devices(tx: Connection, device_ids: Collection[UUID]) -> None:
    """Let the machines be looked at that these devices belong to; one that belongs to none yet is looked at then."""
    await tx.execute(TOUCH_DEVICES, sorted(device_ids))


TOUCH_WATCHED: Final[LiteralString] = """
    INSERT INTO monitor_touched (asset_id, tenant_id)
    SELECT asset_id, tenant_id FROM monitor_watch WHERE asset_id = ANY($1::uuid[])
"""


async def touch_watched(tx: Connection, asset_ids: Collection[UUID]) -> None:
    """Let those of the machines be looked at that are watched, for the clients that they are watched for."""
    await tx.execute(TOUCH_WATCHED, sorted(asset_ids))


TAKE: Final[LiteralString] = """
    WITH taken AS (
        DELETE FROM monitor_touched
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM monitor_touched LIMIT $1 FOR UPDATE SKIP LOCKED))
        RETURNING asset_id, tenant_id
    )
    SELECT DISTINCT ON (asset_id) asset_id, tenant_id FROM taken ORDER BY asset_id
"""
WATCH: Final[LiteralString] = """
    INSERT INTO monitor_watch (asset_id, tenant_id, since_at, look_at)
    SELECT asset_id, tenant_id, $3, $3 FROM unnest($1::uuid[], $2::uuid[]) AS touched (asset_id, tenant_id)
    ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET look_at = excluded.look_at
"""


async def take_touched(tx: Connection, watched: Collection[UUID], now: datetime, limit: int) -> bool:
    """Let those be looked at that were touched and whose clients are watched; return whether more were touched."""
    rows = await tx.fetch(TAKE, limit)
    mine = [row for row in rows if row["tenant_id"] in watched]
    if mine:
        await tx.execute(WATCH, [row["asset_id"] for row in mine], [row["tenant_id"] for row in mine], now)
    return len(rows) == limit


@dataclass(frozen=True, slots=True)
class Due:
    """A machine to look at, and for which client; its row is locked until the transaction ends."""

    asset_id: UUID
    tenant_id: UUID
    since_at: datetime


DUE: Final[LiteralString] = """
    SELECT asset_id, tenant_id, since_at FROM monitor_watch
    WHERE look_at <= $1
    ORDER BY look_at LIMIT $2
    FOR UPDATE SKIP LOCKED
"""


async def due(tx: Connection, now: datetime, limit: int) -> list[Due]:
    """Return machines whose moment came and that nobody else looks at."""
    return [Due(*row) for row in await tx.fetch(DUE, now, limit)]


LOOKED: Final[LiteralString] = """
    UPDATE monitor_watch SET look_at = seen.look_at
    FROM unnest($1::uuid[], $2::timestamptz[]) AS seen (asset_id, look_at)
    WHERE monitor_watch.asset_id = seen.asset_id
"""
UNWATCH: Final[LiteralString] = "DELETE FROM monitor_watch WHERE asset_id = ANY($1::uuid[])"


async def looked(tx: Connection, next_look: Mapping[UUID, datetime], gone: Iterable[UUID]) -> None:
    """Note when each is looked at again, and watch no longer what left."""
    await tx.execute(LOOKED, list(next_look), list(next_look.values()))
    await tx.execute(UNWATCH, list(gone))


MOVE: Final[LiteralString] = """
    UPDATE monitor_watch SET tenant_id = moved.tenant_id, since_at = $3, look_at = $3
    FROM unnest($1::uuid[], $2::uuid[]) AS moved (asset_id, tenant_id)
    WHERE monitor_watch.asset_id = moved.asset_id
"""


async def move(tx: Connection, tenant_by_asset: Mapping[UUID, UUID], now: datetime) -> None:
    """Watch machines from now on for the clients that they came to."""
    await tx.execute(MOVE, list(tenant_by_asset), list(tenant_by_asset.values()), now)

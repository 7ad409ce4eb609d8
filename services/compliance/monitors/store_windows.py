"""Which occurrence of each used window is judged next, and what was done on whose machines in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.event import Tier
from contracts.events.rmm import DeviceBooted, PatchInstallFailed, PatchInstallReported, PatchRolledBack
from services.compliance.clocks.windows import Occurrence
from services.compliance.monitors.rules_agreed import Agreed
from services.compliance.monitors.rules_windows import GRACE, to_judge_first

DONE: Final = sorted(each.TYPE for each in (DeviceBooted, PatchInstallReported, PatchInstallFailed, PatchRolledBack))
"""What shows that a window was used: something was deployed, even if it failed, or the machine restarted."""

UNFOLLOW: Final[LiteralString] = """
    DELETE FROM window_watch
    WHERE tenant_id = ANY($1::uuid[]) AND NOT (tenant_id, window_name) IN (SELECT * FROM unnest($2::uuid[], $3::text[]))
"""
FOLLOW: Final[LiteralString] = """
    INSERT INTO window_watch AS kept (tenant_id, window_name, starts_at, ends_at, judge_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
    ON CONFLICT (tenant_id, window_name) DO UPDATE
    SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, judge_at = excluded.judge_at, after_asset = NULL
    WHERE kept.ends_at > $6  -- one that is over already is judged before the policy's new ones
"""


async def follow(tx: Connection, changed: Sequence[Agreed], gone: Collection[UUID], now: datetime) -> None:
    """Judge the windows that these clients' policies use from now on, and no others of theirs."""
    upcoming = [
        (each.tenant_id, name, next_one)
        for each in changed
        for name in sorted(each.used_windows)
        if (next_one := to_judge_first(each.windows[name], now)) is not None
    ]
    tenants, names = [tenant for tenant, _, _ in upcoming], [name for _, name, _ in upcoming]
    await tx.execute(UNFOLLOW, sorted({*gone, *(each.tenant_id for each in changed)}), tenants, names)
    await tx.execute(
        FOLLOW,
        tenants,
        names,
        [each.start for _, _, each in upcoming],
        [each.end for _, _, each in upcoming],
        [each.end + GRACE for _, _, each in upcoming],
        now,
    )


@dataclass(frozen=True, slots=True)
class Judging:
    """An occurrence that is over, and the last machine that it was judged for."""

    tenant_id: UUID
    window: str
    starts_at: datetime
    ends_at: datetime
    after_asset: UUID | None


NEXT: Final[LiteralString] = """
    SELECT tenant_id, window_name, starts_at, ends_at, after_asset FROM window_watch
    WHERE judge_at <= $1
    ORDER BY judge_at LIMIT 1
    FOR UPDATE SKIP LOCKED
"""


async def next_to_judge(tx: Connection, now: datetime) -> Judging | None:
    """Return one that nobody else judges; `None`: there is none. It stays locked until the transaction ends."""
    row = await tx.fetchrow(NEXT, now)
    return Judging(*row) if row else None


ADVANCE: Final[LiteralString] = """
    UPDATE window_watch SET starts_at = $3, ends_at = $4, judge_at = $5, after_asset = NULL
    WHERE tenant_id = $1 AND window_name = $2
"""
GET_ON: Final[LiteralString] = "UPDATE window_watch SET after_asset = $3 WHERE tenant_id = $1 AND window_name = $2"
DROP: Final[LiteralString] = "DELETE FROM window_watch WHERE tenant_id = $1 AND window_name = $2"


async def get_on(tx: Connection, judging: Judging, last: UUID) -> None:
    """Note up to which machine it was judged."""
    await tx.execute(GET_ON, judging.tenant_id, judging.window, last)


async def advance(tx: Connection, judging: Judging, following: Occurrence | None) -> None:
    """Go on with the next occurrence; without one the window is not judged any more."""
    if following is None:
        await tx.execute(DROP, judging.tenant_id, judging.window)
        return
    at = following.start, following.end, following.end + GRACE
    await tx.execute(ADVANCE, judging.tenant_id, judging.window, *at)


MACHINES: Final[LiteralString] = """
    SELECT asset_id FROM asset
    WHERE tenant_id = $1 AND asset_id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
      AND tier = ANY($3::text[]) AND removed_sequence <= sequence
    ORDER BY asset_id LIMIT $4
"""


async def machines(tx: Connection, judging: Judging, tiers: Collection[Tier], limit: int) -> list[UUID]:
    """Return the next machines of the client that the window may be for, in the order of their ids."""
    rows = await tx.fetch(MACHINES, judging.tenant_id, judging.after_asset, sorted(tiers), limit)
    return [row["asset_id"] for row in rows]


DURING: Final[LiteralString] = """
    SELECT device.asset_id, bool_or(fact.type = ANY($4::text[])) AS acted
    FROM device JOIN patch_fact AS fact USING (device_id)
    WHERE device.asset_id = ANY($1::uuid[]) AND fact.effective_at >= $2 AND fact.effective_at < $3
    GROUP BY device.asset_id
"""


async def during(tx: Connection, asset_ids: Collection[UUID], judging: Judging) -> Mapping[UUID, bool]:
    """Return the machines that anything was heard of in the window, and whether something was done on each."""
    rows = await tx.fetch(DURING, list(asset_ids), judging.starts_at, judging.ends_at, DONE)
    return {row["asset_id"]: row["acted"] for row in rows}

"""Retirements: a person says that a machine is no more. Lock, decide, save, tell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis import outbox
from chassis.postgres import Connection
from contracts import ids, topics
from contracts.order import OrderKey
from services.inventory import merging, rules
from services.inventory.merging import Refusal
from services.inventory.rules import Asset
from services.inventory.rules_merges import survivor_of
from services.inventory.rules_news import SOURCE, retired
from services.inventory.rules_stamp import packed, stamp


@dataclass(frozen=True, slots=True)
class Retirement:
    """Who retires a machine, why, and when they say so."""

    who: str
    reason: str
    at: datetime


async def retire(tx: Connection, asset_id: UUID, said: Retirement) -> datetime | Refusal:
    """Retire a machine with all its pairs, tell that it is gone and why, and return since when it is."""
    hand = await merging.held(tx, [asset_id])
    live = [each for each in hand.assets.values() if not each.is_removed]
    if not live:
        gone = asset_id in hand.assets
        return Refusal("it is not in the inventory any more" if gone else f"there is no asset {asset_id}")
    retired_at = max(said.at, *(each.last_seen_at for each in live))
    decision = ids.event_id_of_fields(SOURCE, "asset.retired", retired_at, str(asset_id))
    after = [rules.retired(each, retired_at, stamp(OrderKey(retired_at, decision))) for each in live]
    await _save(tx, after)
    await _append(tx, decision, after, said)
    survivor = survivor_of(asset_id, hand.memberships)
    told = retired(survivor, live[0].said["tenant_id"], retired_at, said.reason)
    await outbox.enqueue_sequenced(tx, topics.ASSETS, [(told.subject, told)])
    return retired_at


SAVE: Final[LiteralString] = """
    UPDATE asset
    SET removed_at = gone.retired_at, retired_at = gone.retired_at, stamps = gone.stamps, revision = revision + 1
    FROM unnest($1::uuid[], $2::timestamptz[], $3::bytea[]) AS gone (asset_id, retired_at, stamps)
    WHERE asset.asset_id = gone.asset_id
"""


async def _save(tx: Connection, assets: list[Asset]) -> None:
    await tx.execute(
        SAVE,
        [each.asset_id for each in assets],
        [each.retired_at for each in assets],
        [packed(each.stamps) for each in assets],
    )


APPEND: Final[LiteralString] = """
    INSERT INTO asset_retirement (decision_id, tenant_id, assets, reason, who, retired_at, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (decision_id) DO NOTHING
"""


async def _append(tx: Connection, decision: UUID, assets: list[Asset], said: Retirement) -> None:
    """Keep the decision for ever."""
    await tx.execute(
        APPEND,
        decision,
        assets[0].said["tenant_id"],
        sorted(each.asset_id for each in assets),
        said.reason,
        said.who,
        assets[0].retired_at,
        said.at,
    )

"""Inventory's records, as compliance has heard them: where a rebuild of compliance takes its assets from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from aiokafka import TopicPartition

from chassis.postgres import Connection, transaction
from contracts import ids
from contracts.topics import Topic
from patchline.rebuild import gateway
from patchline.rebuild.logs import Logs, Span, header
from patchline.rebuild.sessions import Sessions
from services.inventory import store, store_merges
from services.inventory.rules import Asset
from services.inventory.rules_labels import labels_of
from services.inventory.rules_merges import Memberships, groups, survivor_of
from services.inventory.rules_merges import merged as one_of

RECORDS: Final[LiteralString] = """
    SELECT asset_id, tenant_id, source, device, hostname, os_family, os_name, os_version, os_build, tier,
           first_seen_at, removed_at, sequence
    FROM asset JOIN aggregate_sequence ON aggregate = $1 || '/' || asset_id::text
    ORDER BY asset_id
"""
MERGED: Final[LiteralString] = """
    SELECT asset_id FROM asset_merge
"""
COLUMNS: Final = (
    "asset_id",
    "tenant_id",
    "source",
    "device",
    "hostname",
    "os_family",
    "os_name",
    "os_version",
    "os_build",
    "tier",
    "first_seen_at",
    "removed_at",
    "sequence",
)
LINK_COLUMNS: Final = ("device_id", "tenant_id", "source", "device", "asset_id", "linked_at")
PAGE: Final = 5000
STANDING: Final[LiteralString] = "SELECT partition, next_offset FROM compliance.watermark WHERE topic = $1"


async def install(sessions: Sessions, logs: Logs, topic: Topic) -> None:
    """Give the shadow the assets that compliance has heard of, and its devices their assets.

    What inventory says now is what compliance must have, but for what is still on its way to it: those assets, and what
    only the sequence of records told (which products an asset was, when a removal happened), stay as they are live.
    """
    async with gateway.snapshot(sessions.inventory) as tx:
        under_way = await gateway.unsent(tx, [topic.name], "ce_subject")
        under_way |= await _unheard(sessions, logs, topic)
        merged = await _merged(tx)
        async with transaction(sessions.shadow) as shadow:
            async for page in _pages(tx, topic):
                known = [merged.row(row) for row in page]
                rows = [each for each in known if each["asset_id"] not in under_way]
                await shadow.copy_records_to_table("rebuild_asset", columns=COLUMNS, records=_columns(rows, COLUMNS))
                links = [merged.link(row) for row in page if not under_way & merged.one_with(row["asset_id"])]
                await shadow.copy_records_to_table(
                    "rebuild_link", columns=LINK_COLUMNS, records=_columns(links, LINK_COLUMNS)
                )
    async with transaction(sessions.shadow) as shadow:
        for statement in (LIVE_ASSETS, NEWEST, MISSING, REMOVED, MISSING_DEVICES, LINKS):
            await shadow.execute(statement)


async def _pages(tx: Connection, topic: Topic) -> Any:
    cursor = await tx.cursor(RECORDS, topic.name)
    while page := await cursor.fetch(PAGE):
        yield page


def _columns(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[tuple[object, ...]]:
    wanted = tuple(names)
    return [tuple(row[name] for name in wanted) for row in rows]


@dataclass(frozen=True, slots=True)
class _Merged:
    """The assets that were ever merged, and the one record of each group of them."""

    memberships: Memberships
    records: Mapping[UUID, Asset]

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what inventory told last of an asset: the record of all that are one with it, or that it is gone."""
        told = dict(row)
        membership = self.memberships.get(told["asset_id"])
        if membership is None:
            return told
        if membership.surviving_id != membership.asset_id:
            return told | {"removed_at": membership.since_at}
        one = self.records[membership.asset_id]
        labels = labels_of(one.said)
        words = {name: one.said[name] for name in ("hostname", "os_name", "os_version", "os_build", "removed_at")}
        concluded = {"os_family": labels.os_family.value, "tier": labels.tier.value}
        return told | words | concluded | {
            "source": one.source, "device": one.device, "first_seen_at": one.first_seen_at
        }  # fmt: skip

    def link(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return which asset an asset's own device belongs to, and since when it was so."""
        membership = self.memberships.get(row["asset_id"])
        return {
            "device_id": ids.asset_id(row["source"], row["device"]),
            "tenant_id": row["tenant_id"],
            "source": row["source"],
            "device": row["device"],
            "asset_id": row["asset_id"] if membership is None else membership.surviving_id,
            "linked_at": row["first_seen_at"] if membership is None else membership.since_at,
        }

    def one_with(self, asset_id: UUID) -> set[UUID]:
        """Return the assets whose records say whose its device is."""
        return {asset_id, survivor_of(asset_id, self.memberships)}


async def _merged(tx: Connection) -> _Merged:
    merged = [row["asset_id"] for row in await tx.fetch(MERGED)]
    memberships = await store_merges.memberships(tx, merged)
    assets = await store.look(tx, memberships)
    records = {
        survivor: one_of([assets[each.asset_id] for each in theirs]) for survivor, theirs in groups(memberships).items()
    }
    return _Merged(memberships, records)


async def _unheard(sessions: Sessions, logs: Logs, topic: Topic) -> set[UUID]:
    """Return the assets of which records stand in the log after compliance's place."""
    places = {row["partition"]: row["next_offset"] for row in await sessions.shadow.fetch(STANDING, topic.name)}
    partitions = await logs.partitions([topic])
    beginnings, ends = await logs.beginnings(partitions), await logs.ends(partitions)
    spans: dict[TopicPartition, Span] = {
        each: Span(max(places.get(each.partition, 0), beginnings[each]), ends[each]) for each in partitions
    }
    subjects = {header(record, "ce_subject") async for batch in logs.read(spans) for record in batch}
    return {UUID(subject) for subject in subjects if subject is not None}


LIVE_ASSETS: Final[LiteralString] = "INSERT INTO asset SELECT * FROM compliance.asset"
NEWEST: Final[LiteralString] = """
    UPDATE asset
    SET tenant_id = told.tenant_id, sequence = told.sequence, source = told.source, device = told.device,
        hostname = told.hostname, os_family = told.os_family, os_name = told.os_name, os_version = told.os_version,
        os_build = told.os_build, tier = told.tier, first_seen_at = told.first_seen_at
    FROM rebuild_asset AS told
    WHERE asset.asset_id = told.asset_id AND told.removed_at IS NULL
"""
MISSING: Final[LiteralString] = """
    INSERT INTO asset (asset_id, tenant_id, sequence, removed_sequence, source, device, hostname, os_family, os_name,
                       os_version, os_build, tier, first_seen_at, products_seen, removed_at)
    SELECT asset_id, tenant_id, CASE WHEN removed_at IS NULL THEN sequence ELSE sequence - 1 END,
           CASE WHEN removed_at IS NULL THEN 0 ELSE sequence END, source, device, hostname, os_family, os_name,
           os_version, os_build, tier, first_seen_at, '{}', removed_at
    FROM rebuild_asset AS told
    WHERE NOT EXISTS (SELECT FROM asset AS made WHERE made.asset_id = told.asset_id)
"""
REMOVED: Final[LiteralString] = """
    UPDATE asset SET removed_sequence = told.sequence, removed_at = told.removed_at
    FROM rebuild_asset AS told
    WHERE asset.asset_id = told.asset_id AND told.removed_at IS NOT NULL AND asset.removed_sequence <= asset.sequence
"""
MISSING_DEVICES: Final[LiteralString] = """
    INSERT INTO device (device_id, tenant_id, source, device, registers)
    SELECT coalesce(told.device_id, live.device_id), coalesce(told.tenant_id, live.tenant_id),
           coalesce(told.source, live.source), coalesce(told.device, live.device), '{}'
    FROM rebuild_link AS told
    FULL JOIN (SELECT * FROM compliance.device WHERE asset_id IS NOT NULL) AS live USING (device_id)
    ON CONFLICT (device_id) DO NOTHING
"""
LINKS: Final[LiteralString] = """
    UPDATE device
    SET asset_id = linked.asset_id,
        tenant_id = CASE WHEN device.registers ? 'tenant' THEN device.tenant_id ELSE linked.tenant_id END,
        registers = device.registers || jsonb_build_object('asset', linked.register)
    FROM (
        SELECT device_id, coalesce(told.asset_id, live.asset_id) AS asset_id,
               coalesce(told.tenant_id, live.tenant_id) AS tenant_id,
               CASE WHEN told.asset_id IS NULL OR live.registers -> 'asset' ->> 3 = told.asset_id::text
                    THEN live.registers -> 'asset'
                    ELSE jsonb_build_array(told.linked_at, '00000000-0000-0000-0000-000000000000', 'inventory',
                                           told.asset_id) END AS register
        FROM rebuild_link AS told FULL JOIN compliance.device AS live USING (device_id)
    ) AS linked
    WHERE device.device_id = linked.device_id AND linked.asset_id IS NOT NULL
"""

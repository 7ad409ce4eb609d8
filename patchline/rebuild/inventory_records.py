"""Inventory's records, as compliance has heard them: where a rebuild of compliance takes its assets from."""

from collections.abc import Mapping
from typing import Any, Final, LiteralString
from uuid import UUID

from aiokafka import TopicPartition

from chassis.postgres import Connection, transaction
from contracts import ids
from contracts.topics import Topic
from patchline.rebuild import gateway
from patchline.rebuild.logs import Logs, Span, header
from patchline.rebuild.sessions import Sessions

RECORDS: Final[LiteralString] = """
    SELECT asset_id, tenant_id, source, device, hostname, os_family, os_name, os_version, os_build, tier,
           first_seen_at, removed_at, sequence
    FROM asset JOIN aggregate_sequence ON aggregate = $1 || '/' || asset_id::text
    ORDER BY asset_id
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
    "device_id",
)
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
        async with transaction(sessions.shadow) as shadow:
            async for page in _pages(tx, topic):
                rows = [_row(row) for row in page if row["asset_id"] not in under_way]
                await shadow.copy_records_to_table("rebuild_asset", columns=COLUMNS, records=rows)
    async with transaction(sessions.shadow) as shadow:
        for statement in (LIVE_ASSETS, NEWEST, MISSING, REMOVED, MISSING_DEVICES, LINKS):
            await shadow.execute(statement)


async def _pages(tx: Connection, topic: Topic) -> Any:
    cursor = await tx.cursor(RECORDS, topic.name)
    while page := await cursor.fetch(PAGE):
        yield page


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    return *(row[name] for name in COLUMNS[:-1]), ids.asset_id(row["source"], row["device"])


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
    FROM rebuild_asset AS told
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
                    ELSE jsonb_build_array(told.first_seen_at, '00000000-0000-0000-0000-000000000000', 'inventory',
                                           told.asset_id) END AS register
        FROM rebuild_asset AS told FULL JOIN compliance.device AS live USING (device_id)
    ) AS linked
    WHERE device.device_id = linked.device_id AND linked.asset_id IS NOT NULL
"""

"""What the tables of all services know of a delivery: as the operator, for the tenants that it may see."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts import ids
from contracts.events.asset import AssetChanged
from patchline.journey.records import Row, Tables

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(
        gateway.all_tenants() || '00000000-0000-0000-0000-000000000000'::uuid, ','), true)
"""
DELIVERIES_OF_ID: Final[LiteralString] = """
    SELECT raw_id FROM gateway.translated WHERE raw_id = $1 OR event_id = $1
    UNION SELECT raw_id FROM gateway.spool WHERE raw_id = $1
    UNION SELECT t.raw_id FROM ticketing.history AS h JOIN gateway.translated AS t ON t.event_id = h.causation
          WHERE h.event_id = $1
    UNION SELECT t.raw_id FROM compliance.obligation_history AS o
          JOIN gateway.translated AS t ON t.event_id = o.caused_by WHERE o.event_id = $1
    UNION SELECT t.raw_id FROM credentials.exposure AS e JOIN gateway.translated AS t USING (event_id)
          WHERE e.case_id = $1
"""
CAUSES_OF_TICKET: Final[LiteralString] = """
    SELECT h.causation, h.subject AS asset, t.raw_id
    FROM ticketing.ticket AS k
    JOIN ticketing.intent AS i USING (ticket_key)
    JOIN ticketing.history AS h ON h.event_id = i.cause_id
    LEFT JOIN gateway.translated AS t ON t.event_id = h.causation
    WHERE k.ticket_key = $1 OR k.external = $1
    ORDER BY i.created_at, i.number
"""
"""What the acts of a ticket were caused by; no raw id where that is no delivery's event but a record of the asset."""

FACTS_OF_ASSETS: Final[LiteralString] = """
    SELECT f.event_id, f.device_id, d.asset_id, t.raw_id, f.type LIKE '%failed%' AS is_failure
    FROM compliance.device AS d
    JOIN compliance.patch_fact AS f USING (device_id)
    JOIN gateway.translated AS t ON t.event_id = f.event_id
    WHERE d.asset_id::text = ANY($1::text[])
    ORDER BY f.recorded_at DESC
    LIMIT 10000
"""
SPOOLED: Final[LiteralString] = """
    SELECT topic, source, received_hour FROM gateway.spool WHERE raw_id = $1
"""
TRANSLATED: Final[LiteralString] = """
    SELECT event_id, source, stands_for, recorded_at FROM gateway.translated WHERE raw_id = $1 ORDER BY event_id
"""
PARKED: Final[LiteralString] = """
    SELECT event_id, type, reason, recorded_at FROM gateway.parked WHERE event_id = ANY($1::uuid[])
"""
INVENTORY: Final[LiteralString] = """
    SELECT event_id, type, device, occurred_at, recorded_at
    FROM inventory.device_fact WHERE event_id = ANY($1::uuid[])
"""
COMPLIANCE: Final[LiteralString] = """
    SELECT f.event_id, f.type, f.device, f.device_id, d.asset_id, f.occurred_at, f.recorded_at
    FROM compliance.patch_fact AS f LEFT JOIN compliance.device AS d USING (device_id)
    WHERE f.event_id = ANY($1::uuid[])
"""
CHANGES: Final[LiteralString] = """
    WITH own AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS own (fact, cause))
    SELECT DISTINCT ON (o.recorded_at, o.event_id, f.event_id)
           f.event_id AS fact, o.event_id,
           EXISTS (SELECT FROM own WHERE own.fact = f.event_id AND own.cause = o.caused_by) AS is_own,
           o.caused_by, o.asset_id::text AS asset, o.requirement_id::text AS requirement,
           owed.product, owed.train, o.before, o.state, o.why, o.failures,
           o.recorded_at
    FROM compliance.patch_fact AS f
    JOIN compliance.device AS d USING (device_id)
    JOIN compliance.obligation_history AS o USING (asset_id)
    LEFT JOIN compliance.evidence AS e ON e.device_id = f.device_id AND e.patch_id = f.patch_id
    LEFT JOIN compliance.obligation AS owed ON owed.asset_id = o.asset_id AND owed.requirement_id = o.requirement_id
    WHERE f.event_id = ANY($1::uuid[])
      AND ((f.event_id, o.caused_by) IN (SELECT fact, cause FROM own)
           OR o.requirement_id = e.requirement_id AND o.recorded_at = (
               SELECT min(first.recorded_at) FROM compliance.obligation_history AS first
               WHERE first.asset_id = o.asset_id AND first.requirement_id = o.requirement_id
               HAVING min(first.recorded_at) >= f.recorded_at
           ))
    ORDER BY o.recorded_at, o.event_id, f.event_id
"""
"""What an event changed, itself or by the record of the asset that it made; and what the obligation became at first,
where the event was there before it: it waited for its device or the catalog, or came in one batch with them, and what
it waited for is named as the cause.
"""
CASES: Final[LiteralString] = """
    SELECT h.event_id, h.type, h.recorded_at, e.event_id IS NOT NULL AS is_exposure, e.case_id,
           coalesce(c.cause_id = h.event_id, false) AS is_opening, c.decision, c.why, c.dry_run
    FROM credentials.history AS h
    LEFT JOIN credentials.exposure AS e USING (event_id)
    LEFT JOIN credentials.exposure_case AS c USING (case_id)
    WHERE h.event_id = ANY($1::uuid[])
"""
STEPS: Final[LiteralString] = """
    SELECT s.case_id, s.step, s.state, s.done_at, s.proof, s.reason
    FROM credentials.case_step AS s JOIN credentials.exposure_case AS c USING (case_id)
    WHERE c.cause_id = ANY($1::uuid[])
    ORDER BY s.done_at, s.due_at, s.step
"""
HEARD: Final[LiteralString] = """
    SELECT h.event_id, own.fact AS because_of, h.type, h.subject AS asset, h.recorded_at
    FROM ticketing.history AS h
    LEFT JOIN unnest($1::uuid[], $2::uuid[]) AS own (fact, cause) ON own.cause = h.causation
    WHERE h.causation = ANY($2::uuid[]) OR h.event_id = ANY($3::uuid[])
    ORDER BY h.recorded_at, h.event_id
"""
INTENTS: Final[LiteralString] = """
    SELECT i.cause_id, i.ticket_key AS ticket, i.number, i.kind, i.state, i.reason, i.attempts, i.created_at, i.done_at,
           t.external, t.state AS ticket_state, t.title
    FROM ticketing.intent AS i JOIN ticketing.ticket AS t USING (ticket_key)
    WHERE i.cause_id = ANY($1::uuid[])
    ORDER BY i.ticket_key, i.number
"""
LISTED: Final[LiteralString] = """
    SELECT d.ticket_key AS ticket, d.asset, d.failures, d.listed_at, d.cleared_as, t.external, t.state AS ticket_state,
           t.title
    FROM ticketing.ticket_device AS d JOIN ticketing.ticket AS t USING (ticket_key)
    WHERE d.asset = ANY($1::text[])
      AND (t.subject = ANY($2::text[]) OR t.adopted_by = ANY($2::text[]) OR ($3 AND t.kind = 'failed_uncatalogued'))
    ORDER BY t.created_at, d.ticket_key
"""
STANDING: Final[LiteralString] = """
    SELECT topic, partition, next_offset FROM gateway.watermark
"""


async def see_all(tx: Connection) -> None:
    """Let the operator's transaction see every client, and what holds for all of them together."""
    await tx.execute(SEE_ALL_TENANTS)


async def deliveries_of_id(tx: Connection, asked: UUID) -> list[UUID]:
    """Return the raw ids that an id of a delivery, an event, a case or a derived fact leads to."""
    return sorted(row["raw_id"] for row in await tx.fetch(DELIVERIES_OF_ID, asked))


async def deliveries_of_ticket(tx: Connection, asked: str, most: int) -> list[UUID]:
    """Return the raw ids behind a ticket, by its key or its tracker's number, oldest first, at most so many.

    Where an act was caused by a record of the asset, that is followed to the event that made it, and to the failures
    that had waited for it.
    """
    causes = await tx.fetch(CAUSES_OF_TICKET, asked)
    found = [row["raw_id"] for row in causes if row["raw_id"] is not None]
    derived = {row["causation"] for row in causes if row["raw_id"] is None}
    assets = sorted({row["asset"] for row in causes if row["raw_id"] is None})
    facts = await tx.fetch(FACTS_OF_ASSETS, assets) if assets else []
    found += [
        row["raw_id"] for row in reversed(facts) if row["is_failure"] or derived.intersection(asset_changes(dict(row)))
    ]
    return list(dict.fromkeys(found))[:most]


def asset_changes(fact: Row) -> list[UUID]:
    """Return the ids that a record has which this fact made or changed: its device's own, and that of its machine.

    They are two where inventory merged the device with others.
    """
    assets = {fact["device_id"], fact["asset_id"]} - {None}
    return sorted(ids.fact_id(fact["event_id"], AssetChanged.TYPE, str(each)) for each in assets)


async def tables(tx: Connection, raw_id: UUID) -> Tables:
    """Return everything that the tables know of one delivery."""
    translated = await _rows(tx, TRANSLATED, raw_id)
    events = [row["event_id"] for row in translated]
    compliance = await _rows(tx, COMPLIANCE, events)
    records = [(row["event_id"], record) for row in compliance for record in asset_changes(row)]
    own = [*((event, event) for event in events), *records]
    facts, origins = [fact for fact, _ in own], [cause for _, cause in own]
    changes = await _rows(tx, CHANGES, facts, origins)
    heard = await _rows(tx, HEARD, facts, origins, sorted({*events, *(row["event_id"] for row in changes)}))
    causes = sorted({row["event_id"] for row in (*changes, *heard)})
    assets = sorted({row["asset"] for row in (*changes, *heard)})
    requirements = sorted({row["requirement"] for row in changes})
    is_uncatalogued = any(row["type"].startswith("patch.uncatalogued") for row in heard)
    return Tables(
        raw_id=raw_id,
        spooled=await _rows(tx, SPOOLED, raw_id),
        translated=translated,
        parked=await _rows(tx, PARKED, events),
        inventory=await _rows(tx, INVENTORY, events),
        compliance=compliance,
        changes=changes,
        cases=await _rows(tx, CASES, events),
        steps=await _rows(tx, STEPS, events),
        heard=heard,
        intents=await _rows(tx, INTENTS, causes),
        listed=await _rows(tx, LISTED, assets, requirements, is_uncatalogued),
        standing={(row["topic"], row["partition"]): row["next_offset"] for row in await tx.fetch(STANDING)},
    )


async def _rows(tx: Connection, sql: LiteralString, *arguments: object) -> Sequence[Row]:
    rows: list[dict[str, Any]] = [dict(row) for row in await tx.fetch(sql, *arguments)]
    return rows

"""What `translate` keeps: known event ids, seats of devices, counters, and how healthy each source is."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, LiteralString

from chassis.postgres import Connection
from contracts.ids import EventId
from services.gateway.translation.rules_translate import (
    Fate,
    Health,
    Item,
    Outcome,
    Ownership,
    Seat,
    Tally,
    is_mostly_bad,
    shortened,
)

HEALTH: Final[LiteralString] = """
    SELECT asked.source, coalesce(h.recent, '') AS recent, s.quarantined_at IS NOT NULL AS is_quarantined
    FROM unnest($1::text[]) AS asked (source)
    LEFT JOIN source_health AS h USING (source)
    LEFT JOIN source AS s ON s.source_id = asked.source
    WHERE h.source IS NOT NULL OR s.quarantined_at IS NOT NULL
"""


async def health(tx: Connection, sources: Collection[str]) -> dict[str, Health]:
    """Return the health of those sources that had bad records lately or are quarantined."""
    rows = await tx.fetch(HEALTH, sorted(sources))
    return {row["source"]: Health(row["recent"], row["is_quarantined"]) for row in rows}


CLAIM: Final[LiteralString] = """
    INSERT INTO translated AS t (event_id, source, raw_id, recorded_at, stands_for)
    SELECT event_id, source, raw_id, $5, stands_for
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) AS said (event_id, source, raw_id, stands_for)
    ON CONFLICT (event_id) DO UPDATE
    SET source = excluded.source, raw_id = excluded.raw_id, recorded_at = excluded.recorded_at,
        stands_for = excluded.stands_for
    WHERE t.stands_for <> 'event' AND excluded.stands_for = 'event'  -- a mended adapter; all else is a repeat
    RETURNING event_id
"""


async def claim(tx: Connection, items: Sequence[Item], recorded_at: datetime) -> set[EventId]:
    """Note the ids of these items and return those that nobody knew, or knew only as a code without an event."""
    first = {item.content.id.int: item for item in reversed(items)}  # numbers sort and hash faster than their UUIDs
    in_order = [first[number] for number in sorted(first)]
    rows = await tx.fetch(
        CLAIM,
        [item.content.id for item in in_order],
        [item.delivery.source for item in in_order],
        [item.delivery.raw_id for item in in_order],
        [item.stands_for for item in in_order],
        recorded_at,
    )
    return {row["event_id"] for row in rows}


LEARN: Final[LiteralString] = """
    INSERT INTO device_organisation AS d (source, device, organisation, site, seen_at)
    SELECT t.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        AS t (source, device, organisation, site, seen_at)
    WHERE NOT EXISTS (
        SELECT FROM device_organisation AS known
        WHERE known.source = t.source AND known.device = t.device
          AND (known.organisation, known.site) IS NOT DISTINCT FROM (t.organisation, t.site)
          AND known.seen_at > t.seen_at - interval '1 hour')  -- the same an hour ago is news enough
    ON CONFLICT (source, device) DO UPDATE
    SET organisation = excluded.organisation, site = excluded.site, seen_at = excluded.seen_at
    WHERE d.seen_at <= excluded.seen_at
"""


async def learn(tx: Connection, told: Mapping[tuple[str, str], tuple[Seat, datetime]]) -> None:
    """Keep the newest seat of each device."""
    if told:
        keys = sorted(told)
        await tx.execute(
            LEARN,
            [source for source, _ in keys],
            [device for _, device in keys],
            [told[key][0].organisation for key in keys],
            [told[key][0].site for key in keys],
            [told[key][1] for key in keys],
        )


SEATS: Final[LiteralString] = """
    SELECT source, device, organisation, site FROM device_organisation
    WHERE (source, device) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""


async def seats(tx: Connection, devices: Collection[tuple[str, str]]) -> dict[tuple[str, str], Seat]:
    """Return the last known seat of each device that has one."""
    if not devices:
        return {}
    keys = sorted(devices)
    rows = await tx.fetch(SEATS, [source for source, _ in keys], [device for _, device in keys])
    return {(row["source"], row["device"]): Seat(row["organisation"], row["site"]) for row in rows}


OWNERSHIPS: Final[LiteralString] = """
    SELECT source_id, organisation, tenant_id, site, valid_from, valid_to FROM client_mapping
    WHERE (source_id, organisation) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""


async def ownerships(
    tx: Connection, organisations: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[Ownership]]:
    """Return every mapping of these organisations, by source and organisation."""
    keys = sorted(organisations)
    result: dict[tuple[str, str], list[Ownership]] = {key: [] for key in keys}
    rows = await tx.fetch(OWNERSHIPS, [source for source, _ in keys], [organisation for _, organisation in keys])
    for row in rows:
        ownership = Ownership(row["tenant_id"], row["site"], row["valid_from"], row["valid_to"])
        result[row["source_id"], row["organisation"]].append(ownership)
    return result


COUNT_CODES: Final[LiteralString] = """
    INSERT INTO unknown_code AS u (source, code, count, first_raw_id, last_seen_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::timestamptz[])
    ON CONFLICT (source, code) DO UPDATE
    SET count = u.count + excluded.count, last_seen_at = greatest(u.last_seen_at, excluded.last_seen_at)
"""


async def count_codes(tx: Connection, codes: Sequence[tuple[Item, str]]) -> None:
    """Count codes that no adapter knows, each with the delivery that brought it."""
    by_code: dict[tuple[str, str], list[Item]] = {}
    for item, code in codes:
        by_code.setdefault((item.delivery.source, code), []).append(item)
    keys = sorted(by_code)
    if keys:
        await tx.execute(
            COUNT_CODES,
            [source for source, _ in keys],
            [code for _, code in keys],
            [len(by_code[key]) for key in keys],
            [by_code[key][0].delivery.raw_id for key in keys],
            [max(item.delivery.received for item in by_code[key]) for key in keys],
        )


ADD_FLOW: Final[LiteralString] = """
    INSERT INTO flow AS f (source, received_hour, deliveries, translated, duplicate, parked, dead_lettered,
                           quarantined, unknown, ignored, events, events_duplicate, events_parked, replayed)
    SELECT source, received_hour, translated + duplicate + parked + dead_lettered + quarantined + unknown + ignored,
           translated, duplicate, parked, dead_lettered, quarantined, unknown, ignored,
           events, events_duplicate, events_parked, replayed
    FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
        AS t (source, received_hour, translated, duplicate, parked, dead_lettered, quarantined, unknown, ignored,
              events, events_duplicate, events_parked, replayed)
    ON CONFLICT (source, received_hour) DO UPDATE
    SET deliveries = f.deliveries + excluded.deliveries, translated = f.translated + excluded.translated,
        duplicate = f.duplicate + excluded.duplicate, parked = f.parked + excluded.parked,
        dead_lettered = f.dead_lettered + excluded.dead_lettered, quarantined = f.quarantined + excluded.quarantined,
        unknown = f.unknown + excluded.unknown, ignored = f.ignored + excluded.ignored,
        events = f.events + excluded.events, events_duplicate = f.events_duplicate + excluded.events_duplicate,
        events_parked = f.events_parked + excluded.events_parked, replayed = f.replayed + excluded.replayed
"""
_OUTCOME_COLUMNS: Final = (
    Outcome.TRANSLATED,
    Outcome.DUPLICATE,
    Outcome.PARKED,
    Outcome.DEAD_LETTERED,
    Outcome.QUARANTINED,
    Outcome.UNKNOWN,
    Outcome.IGNORED,
)
_FATE_COLUMNS: Final = (Fate.PUBLISHED, Fate.DUPLICATE, Fate.PARKED)


async def add_flow(tx: Connection, tallies: Mapping[tuple[str, datetime], Tally]) -> None:
    """Add a batch's tallies. Call late: the rows of a busy source stay locked until the transaction ends."""
    keys = sorted(tallies)
    await tx.execute(
        ADD_FLOW,
        [source for source, _ in keys],
        [hour for _, hour in keys],
        *([tallies[key].outcomes[column] for key in keys] for column in _OUTCOME_COLUMNS),
        *([tallies[key].events[column] for key in keys] for column in _FATE_COLUMNS),
        [tallies[key].replayed for key in keys],
    )


LOCK_HEALTH: Final[LiteralString] = """
    SELECT source, recent FROM source_health WHERE source = ANY($1::text[]) ORDER BY source FOR UPDATE
"""
SAVE_HEALTH: Final[LiteralString] = """
    INSERT INTO source_health (source, recent) SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT (source) DO UPDATE SET recent = excluded.recent
"""
FORGET_HEALTH: Final[LiteralString] = "DELETE FROM source_health WHERE source = ANY($1::text[])"


async def add_outcomes(tx: Connection, outcomes: Mapping[str, str], quarantined: Collection[str]) -> set[str]:
    """Append each source's outcomes to those that stand by now and return the sources that are to be quarantined.

    Another process may have appended since the batch began: the decision is made on what really stands.
    """
    sources = sorted(outcomes)
    standing = {row["source"]: row["recent"] for row in await tx.fetch(LOCK_HEALTH, sources)}
    recent = {source: shortened(standing.get(source, "") + outcomes[source]) for source in sources}
    bad = {source for source in sources if source in quarantined or is_mostly_bad(recent[source])}
    kept = [source for source in sources if recent[source] and source not in bad]
    await tx.execute(SAVE_HEALTH, kept, [recent[source] for source in kept])
    await tx.execute(FORGET_HEALTH, sorted(set(sources) - set(kept)))
    return bad


QUARANTINE: Final[LiteralString] = """
    UPDATE source SET quarantined_at = $3, quarantine_reason = t.reason
    FROM unnest($1::text[], $2::text[]) AS t (source_id, reason)
    WHERE source.source_id = t.source_id AND source.quarantined_at IS NULL
    RETURNING source.source_id
"""


async def quarantine(tx: Connection, reason_by_source: Mapping[str, str], at: datetime) -> list[str]:
    """Quarantine sources and return those that were not yet. Released, they start with a good name."""
    sources = sorted(reason_by_source)
    rows = await tx.fetch(QUARANTINE, sources, [reason_by_source[source] for source in sources], at)
    return [row["source_id"] for row in rows]

"""Events that wait for a client: kept whole, found again when a mapping covers them, in the order they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from chassis import outbox
from chassis.postgres import Connection
from contracts.envelope import Envelope, decode, encode
from contracts.topics import Lane
from services.gateway.translation.rules_translate import Seat, Told, Unowned, envelope

PARK: Final[LiteralString] = """
    INSERT INTO parked (event_id, source, device, organisation, site, effective_at, received_at, reason, type, headers,
                        event, recorded_at)
    SELECT event_id, source, device, organisation, site, effective_at, received_at, reason, type, headers, event, $12
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                $8::text[], $9::text[], $10::text[], $11::text[])
        WITH ORDINALITY AS t (event_id, source, device, organisation, site, effective_at, received_at, reason, type,
                              headers, event, place)
    ORDER BY place
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """An event that no one client owns, and what a mapping to come is asked for."""

    envelope: Envelope
    about: str
    organisation: str | None
    site: str | None
    effective_at: datetime
    reason: Unowned


async def park(tx: Connection, unowned: Sequence[tuple[Told, Unowned]], recorded_at: datetime, lane: Lane) -> None:
    """Keep events of devices that no one client owns, in their order, each with the lane that it came by."""
    told = [(each, each.said.event, reason) for each, reason in unowned]
    waiting = [
        Unclaimed(envelope(each, None, lane), event.device, event.organisation, event.site, each.effective_at, reason)
        for each, event, reason in told
    ]
    await park_all(tx, waiting, recorded_at)


async def park_all(tx: Connection, waiting: Sequence[Unclaimed], recorded_at: datetime) -> None:
    """Keep events that no one client owns, in their order."""
    if not waiting:
        return
    messages = [encode(each.envelope) for each in waiting]
    await tx.execute(
        PARK,
        [each.envelope.id for each in waiting],
        [each.envelope.source for each in waiting],
        [each.about for each in waiting],
        [each.organisation for each in waiting],
        [each.site for each in waiting],
        [each.effective_at for each in waiting],
        [each.envelope.received for each in waiting],
        [str(each.reason) for each in waiting],
        [each.envelope.data.TYPE for each in waiting],
        [outbox.written(message.headers) for message in messages],
        [(message.value or b"").decode() for message in messages],
        recorded_at,
    )


@dataclass(frozen=True, slots=True)
class Parked:
    """One waiting event. `seat` is what it names itself, else what is known of its device by now."""

    position: int
    envelope: Envelope
    seat: Seat
    effective_at: datetime
    received_at: datetime


RESOLVABLE: Final[LiteralString] = """
    WITH seated AS (
        SELECT p.position, p.source, p.organisation, p.site, p.effective_at
        FROM parked AS p WHERE p.organisation IS NOT NULL AND p.position > $1
        UNION ALL
        SELECT p.position, p.source, d.organisation, d.site, p.effective_at
        FROM parked AS p JOIN device_organisation AS d USING (source, device)
        WHERE p.organisation IS NULL AND p.position > $1
    ), covered AS (
        SELECT position, organisation, site FROM seated
        WHERE EXISTS (
            SELECT FROM client_mapping AS m
            WHERE m.source_id = seated.source AND m.organisation = seated.organisation
              AND (m.site IS NULL OR m.site = seated.site)
              AND (m.valid_from IS NULL OR m.valid_from <= seated.effective_at)
              AND (m.valid_to IS NULL OR seated.effective_at < m.valid_to))
        ORDER BY position LIMIT $2
    )
    SELECT p.position, p.headers, p.event, covered.organisation, covered.site, p.effective_at, p.received_at
    FROM parked AS p JOIN covered USING (position)
    ORDER BY position
    FOR UPDATE OF p SKIP LOCKED
"""


async def resolvable(tx: Connection, after: int, most: int) -> list[Parked]:
    """Return, in order, parked events past `after` that some mapping covers; maybe two do. They stay locked."""
    rows = await tx.fetch(RESOLVABLE, after, most)
    return [
        Parked(
            row["position"],
            decode(outbox.headers_of(row["headers"]), row["event"].encode()),
            Seat(row["organisation"], row["site"]),
            row["effective_at"],
            row["received_at"],
        )
        for row in rows
    ]


FORGET: Final[LiteralString] = "DELETE FROM parked WHERE position = ANY($1::bigint[])"
COUNT_RELEASED: Final[LiteralString] = """
    UPDATE flow SET events_released = flow.events_released + t.released
    FROM (SELECT source, hour, count(*) AS released FROM unnest($1::text[], $2::timestamptz[]) AS u (source, hour)
          GROUP BY source, hour) AS t
    WHERE flow.source = t.source AND flow.received_hour = t.hour
"""


async def forget(tx: Connection, released: Sequence[Parked]) -> None:
    """Delete events that were released, and count them in the hour of their receipt."""
    await tx.execute(FORGET, [each.position for each in released])
    await tx.execute(
        COUNT_RELEASED,
        [each.envelope.source for each in released],
        [each.received_at.replace(minute=0, second=0, microsecond=0) for each in released],
    )

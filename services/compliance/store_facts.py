"""History: everything that was said, once each. What is counted and folded comes from rows really inserted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString, NamedTuple

from chassis.postgres import Connection
from contracts.order import effective_at
from services.compliance.news import FactNews


class Line(NamedTuple):
    """One fact as it is kept, with its JSON as it travelled."""

    fact: FactNews
    text: str


APPEND: Final[LiteralString] = """
    INSERT INTO patch_fact (event_id, tenant_id, source, device, device_id, patch_id, type, method,
                            occurred_at, received_at, effective_at, recorded_at, facts)
    SELECT event_id, tenant_id, source, device, device_id, patch_id, type, method,
           occurred_at, received_at, effective_at, $13, facts::jsonb
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
                $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::text[])
        AS said (event_id, tenant_id, source, device, device_id, patch_id, type, method,
                 occurred_at, received_at, effective_at, facts)
    ORDER BY event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
"""


async def append(tx: Connection, lines: Sequence[Line], recorded_at: datetime) -> list[Line]:
    """Keep the facts and return those that were not known before, in their order, each once."""
    facts = [line.fact for line in lines]
    rows = await tx.fetch(
        APPEND,
        [fact.event.id for fact in facts],
        [fact.tenant_id for fact in facts],
        [fact.event.source for fact in facts],
        [fact.told.device for fact in facts],
        [fact.device_id for fact in facts],
        [fact.patch.name.id if fact.patch else None for fact in facts],
        [fact.told.TYPE for fact in facts],
        [fact.told.method for fact in facts],
        [fact.event.time for fact in facts],
        [fact.event.received for fact in facts],
        [effective_at(fact.event.time, fact.event.received) for fact in facts],
        [line.text for line in lines],
        recorded_at,
    )
    new = {row["event_id"] for row in rows}
    fresh: list[Line] = []
    for line in lines:
        if line.fact.event.id in new:
            new.discard(line.fact.event.id)
            fresh.append(line)
    return fresh

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
           occurred_at, received_at, effective_at, $2, facts::jsonb
    FROM unnest($1::patch_fact_row[]) AS said
    ORDER BY event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
"""


async def append(tx: Connection, lines: Sequence[Line], recorded_at: datetime) -> list[Line]:
    """Keep the facts and return those that were not known before, in their order, each once."""
    rows = await tx.fetch(APPEND, [_row(line.fact, line.text) for line in lines], recorded_at)
    new = {row["event_id"] for row in rows}
    fresh: list[Line] = []
    for line in lines:
        if line.fact.event.id in new:
            new.discard(line.fact.event.id)
            fresh.append(line)
    return fresh


def _row(fact: FactNews, text: str) -> tuple[object, ...]:
    event = fact.event
    return (
        event.id,
        fact.tenant_id,
        event.source,
        fact.told.device,
        fact.device_id,
        fact.patch.name.id if fact.patch else None,
        fact.told.TYPE,
        fact.told.method,
        event.time,
        event.received,
        effective_at(event.time, event.received),
        text,
    )
